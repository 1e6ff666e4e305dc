// Random calls of many workers at two lanes, held against a record per task: every task has exactly one recorded
// success, whatever is lost, repeated, failed, paused or stopped on the way. The invariant is asked for after each
// call.
#include "services/common/store/hot.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/reaper.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define WORKERS 16
#define JOBS 40
#define STAGES 3
#define TASKS_MAX 2000
#define CALLS 250
#define CALLS_MAX 3000
#define HOLD_MAX 64
#define SAID_MAX 64
#define PAST_MAX 8

// ---- what is true

struct model_job {
    int64_t id;
    unsigned char successes[STAGES][TASKS_MAX];
};
static struct model_job jobs[JOBS];
static int job_count;

struct held {
    int64_t job, token, first, count;
    int stage, attempt;
};
static struct worker {
    struct hot_worker self;
    struct held held[HOLD_MAX];
    int held_count;
    struct held past[PAST_MAX]; // reported: a copy of it may come late, to whichever lane
    int past_count;
    bool lost_reply; // it has to say what it holds
    struct instance_observation said[SAID_MAX];
    int said_count;
} workers[WORKERS];

static int below(int limit)
{
    return (int)(random() % limit);
}

static struct hot_lane other;

static struct hot_lane *any_lane(void)
{
    return below(2) ? &lane : &other;
}

static struct model_job *find_job(int64_t id)
{
    for (int i = 0; i < job_count; i++)
        if (jobs[i].id == id)
            return &jobs[i];
    fail_msg("an unknown job");
    return NULL;
}

static void submit_one(void)
{
    static const char *const specs[] = {
        "{'name': 'a', 'command': ['x'], 'tasks': {'count': 57}}",
        "{'name': 'b', 'command': ['x'], 'tasks': [1, 2, 3, {'a': 'b'}], 'retries': {'max': 50, 'backoff': '1ms'}}",
        "{'name': 'c', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 20}, 'retries': {'max': 9, "
        "'backoff': '1ms'}}, {'name': 'two', 'command': ['x'], 'from': 'one', 'max_parallel': 7}, {'name': 'three', "
        "'command': ['x'], 'after': ['two'], 'tasks': {'count': 5}}]}",
        "{'name': 'd', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': {'count': 33}, 'max_parallel': 3, "
        "'on_failure': 'continue'}, {'name': 'two', 'command': ['x'], 'from': 'one'}, {'name': 'three', 'command': "
        "['x'], 'from': 'one'}]}",
        "{'name': 'e', 'command': ['x'], 'priority': 5, 'queue': 'other', 'tasks': {'count': 9}}",
        "{'name': 'f', 'stages': [{'name': 'one', 'command': ['x'], 'tasks': []}, {'name': 'two', 'command': ['x'], "
        "'from': {'after': 'one'}}, {'name': 'three', 'command': ['x'], 'after': ['one']}]}",
        "{'name': 'g', 'command': ['x'], 'tasks': {'count': 12}, 'retries': {'max': 50, 'backoff': '1ms'}, 'services': "
        "[{'name': 's', 'command': ['y'], 'on_failure': {'restart': {'max': 1000, 'backoff': '1ms'}}}, {'name': 't', "
        "'command': ['y'], 'depends_on': ['s'], 'on_failure': 'ignore'}]}",
    };
    if (job_count == JOBS)
        return;
    jobs[job_count++].id = hot_lane_submit(any_lane(), "%s", specs[below(ARRAY_LEN(specs))]);
}

// ---- a worker's call

struct call {
    struct worker *worker;
    struct work_operation work;
    struct slice_result results[HOLD_MAX];
    struct held reported[HOLD_MAX];
    size_t repeated; // from here on
    int64_t tokens[HOLD_MAX];
    struct queue_want wants[2];
    struct slice_range ranges[4096];
    struct task_failure failures[4096];
    struct task_output outputs[4096];
    size_t range_count, failure_count, output_count;
};
static struct call calls[WORKERS];

// Decides what becomes of each task of a slice.
static void make_result(struct call *call, const struct held *held)
{
    struct slice_result *result = &call->results[call->work.result_count];
    call->reported[call->work.result_count++] = *held;
    *result = (struct slice_result){.slice = "s",
                                    .job = held->job,
                                    .token = held->token,
                                    .all_succeeded = below(3) == 0,
                                    .succeeded = &call->ranges[call->range_count],
                                    .failed = &call->failures[call->failure_count],
                                    .outputs = &call->outputs[call->output_count]};
    for (int64_t task = held->first; task < held->first + held->count; task++) {
        bool succeeds = result->all_succeeded || below(4) > 0;
        if (!result->all_succeeded && succeeds)
            call->ranges[call->range_count + result->succeeded_count++] = (struct slice_range){task, task + 1};
        if (!succeeds && below(3) > 0)
            call->failures[call->failure_count + result->failed_count++] = (struct task_failure){
                task, "it \"failed\"", 3, below(40) ? (enum slice_retry)below(2) : SLICE_RETRY_NEVER};
        for (int n = below(8) - 5; n > 0; n--) // of tasks that fail, too: those are ignored
            call->outputs[call->output_count + result->output_count++] = (struct task_output){task, "{\"o\":1}", 7};
    }
    call->range_count += result->succeeded_count;
    call->failure_count += result->failed_count;
    call->output_count += result->output_count;
}

static bool has_room(const struct call *call)
{
    return call->work.result_count < HOLD_MAX && call->range_count + call->failure_count + call->output_count < 1500;
}

static void make_repeats(struct call *call)
{
    struct worker *worker = call->worker;
    call->repeated = call->work.result_count;
    for (int i = 0; i < worker->past_count; i++)
        if (below(8) == 0 && has_room(call))
            make_result(call, &worker->past[i]);
}

static void make_report(struct call *call)
{
    struct worker *worker = call->worker;
    int kept = 0;
    for (int i = 0; i < worker->held_count; i++) {
        if (below(2) == 0 && has_room(call))
            make_result(call, &worker->held[i]);
        else
            worker->held[kept++] = worker->held[i];
    }
    worker->held_count = kept;
    make_repeats(call);
    for (size_t i = 0; i < call->repeated; i++)
        worker->past[worker->past_count < PAST_MAX ? worker->past_count++ : below(PAST_MAX)] = call->reported[i];
}

static void make_call(struct call *call, struct worker *worker)
{
    *call = (struct call){.worker = worker};
    call->work = (struct work_operation){
        .worker = worker->self.id, .incarnation = worker->self.incarnation, .results = call->results};
    make_report(call);
    call->work.observations = worker->said;
    call->work.observation_count = (size_t)worker->said_count;
    call->work.polls = below(4) > 0;
    if (!call->work.polls)
        return;
    call->wants[0] = (struct queue_want){"default", below(3) ? below(8) : below(40)};
    call->wants[1] = (struct queue_want){"other", below(3)};
    call->work.wants = call->wants;
    call->work.want_count = worker->held_count < HOLD_MAX / 2 ? 2 : 0;
    call->work.want_services = below(3);
    call->work.says_held = worker->lost_reply || below(5) == 0;
    for (int i = 0; i < worker->held_count; i++)
        call->tokens[i] = worker->held[i].token;
    call->work.held = call->tokens;
    call->work.held_count = (size_t)worker->held_count;
}

// ---- what the call has done

static void note_success(const struct held *held, int64_t task)
{
    struct model_job *job = find_job(held->job);
    assert_true(task < TASKS_MAX);
    assert_int_equal(job->successes[held->stage][task]++, 0);
}

static void note_result(const struct slice_result *result, const struct held *held)
{
    if (result->stale)
        return;
    for (int64_t task = held->first; result->all_succeeded && task < held->first + held->count; task++)
        note_success(held, task);
    for (size_t i = 0; !result->all_succeeded && i < result->succeeded_count; i++)
        note_success(held, result->succeeded[i].from);
}

static int64_t count_items(const char *items)
{
    int64_t count = 1;
    for (const char *c = items; *c; c++)
        count += *c == ',';
    return count;
}

static void note_grants(struct call *call)
{
    struct worker *worker = call->worker;
    bool lost = below(10) == 0;
    worker->lost_reply = (worker->lost_reply && !call->work.says_held) || lost;
    for (size_t i = 0; !lost && i < call->work.grant_count; i++) {
        const struct grant *grant = &call->work.grants[i];
        if (grant->items)
            assert_int_equal(count_items(grant->items), grant->count);
        if (worker->held_count == HOLD_MAX)
            worker->lost_reply = true;
        else
            worker->held[worker->held_count++] =
                (struct held){grant->job, grant->token, grant->first, grant->count, grant->stage, grant->attempt};
    }
}

static void say(struct worker *worker, const struct instance_order *order, int state)
{
    if (worker->said_count == SAID_MAX)
        return; // it is told again
    worker->said[worker->said_count++] = (struct instance_observation){
        .job = order->job,
        .service = *order->service == 's' ? "s" : "t",
        .epoch = order->epoch,
        .state = state,
        .host = "h",
        .exit_code = -1,
        .exit_signal = -1,
        .grade = -1,
    };
}

// What was ordered has been done by the time of the next call, or some of it has.
static void follow_orders(struct worker *worker, const struct work_operation *work)
{
    worker->said_count = 0;
    for (size_t i = 0; i < work->start_count; i++) {
        if (below(3) == 0)
            continue;
        if (below(2))
            say(worker, &work->starts[i], INSTANCE_STARTING);
        say(worker, &work->starts[i], INSTANCE_READY);
        if (below(10) == 0)
            say(worker, &work->starts[i], INSTANCE_FAILED);
    }
    for (size_t i = 0; i < work->stop_count; i++)
        if (below(3) > 0)
            say(worker, &work->stops[i], below(4) ? INSTANCE_STOPPED : INSTANCE_KILLING);
    for (size_t i = 0; i < work->verify_count; i++)
        if (below(3) > 0)
            say(worker, &work->verifies[i], INSTANCE_VERIFIED);
}

static void finish_call(struct call *call)
{
    if (call->work.failed)
        fail_msg("%s", call->work.err.text);
    for (size_t i = 0; i < call->work.result_count; i++)
        note_result(&call->results[i], &call->reported[i]);
    for (size_t i = call->repeated; i < call->work.result_count; i++)
        assert_true(call->results[i].stale);
    if (call->work.polls) {
        note_grants(call);
        follow_orders(call->worker, &call->work);
    }
    work_operation_release(&call->work);
}

static void call_some(void)
{
    struct work_operation *works[WORKERS];
    int count = 0, first = below(WORKERS), last = first + 1 + below(WORKERS);
    for (int i = first; i < last; i++) {
        make_call(&calls[count], &workers[i % WORKERS]);
        works[count] = &calls[count].work;
        count++;
    }
    hot_lane_run(any_lane(), works, (size_t)count);
    for (int i = 0; i < count; i++)
        finish_call(&calls[i]);
}

// ---- what else happens

static struct sweep leader(void)
{
    struct err err = {0};
    int64_t epoch = 0;
    assert_ok(leader_acquire(lane.db, "reaper", "test", 600000, &epoch, &err), err);
    return (struct sweep){.db = lane.db, .leader = "reaper", .epoch = epoch, .limit = 1000, .wakes = &lane.wakes};
}

static void promote_delayed(const struct sweep *sweep)
{
    struct err err = {0};
    assert_ok(sweep_retries(sweep, &err), err);
}

static void control_some(void)
{
    struct err err = {0};
    int64_t job = jobs[below(job_count)].id;
    int what = below(12);
    int outcome = what == 0   ? control_stop(lane.db, job, NULL, &lane.wakes, &err)
                  : what <= 5 ? control_resume(lane.db, job, NULL, &lane.wakes, &err)
                              : control_pause(lane.db, job, NULL, &lane.wakes, &err);
    if (outcome < 0 && err.code != ERR_CONFLICT)
        fail_msg("%s", err.text);
}

static bool all_ended(void)
{
    return store_sql(lane.db, "SELECT count(*) FROM job WHERE closed_at IS NULL") == 0;
}

static void resume_all(void)
{
    struct err err = {0};
    for (int i = 0; i < job_count; i++)
        if (control_resume(lane.db, jobs[i].id, NULL, &lane.wakes, &err) < 0)
            assert_int_equal(err.code, ERR_CONFLICT);
}

// Each stage's counter of successes is the number of tasks that the model has seen succeed.
static void compare_with_model(void)
{
    for (int i = 0; i < job_count; i++)
        for (int stage = 0; stage < STAGES; stage++) {
            int64_t seen = 0;
            for (int task = 0; task < TASKS_MAX; task++)
                seen += jobs[i].successes[stage][task];
            int64_t counted = store_sql(lane.db, "SELECT succeeded FROM stage WHERE job = %lld AND stage = %d",
                                        (long long)jobs[i].id, stage);
            assert_int_equal(counted, seen);
        }
    assert_int_equal(store_sql(lane.db,
                               "SELECT count(*) FROM job WHERE outcome = 0 AND EXISTS (SELECT FROM stage WHERE "
                               "job = id AND succeeded + failed < total)"),
                     0);
}

static void random_calls_record_each_success_once(void **state)
{
    UNUSED(state);
    const char *seed = getenv("SEED");
    srandom(seed ? (unsigned)atoi(seed) : 12);
    const char *conninfo = pg_database_new(hot_pg);
    lane = hot_lane_open(conninfo);
    other = hot_lane_open(conninfo);
    struct sweep sweep = leader();
    for (int i = 0; i < WORKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        workers[i].self = hot_worker_new(lane.db, name);
    }
    submit_one();
    for (int i = 0; i < CALLS_MAX && !(i >= CALLS && all_ended()); i++) {
        if (i < CALLS && below(5) == 0)
            submit_one();
        call_some();
        hot_check(&lane);
        if (below(4) == 0) {
            promote_delayed(&sweep);
            hot_check(&lane);
        }
        if (i < CALLS && below(6) == 0) {
            control_some();
            hot_check(&lane);
        }
        if (i == CALLS)
            resume_all();
    }
    assert_true(all_ended());
    compare_with_model();
    assert_true(store_sql(lane.db, "SELECT count(*) FROM job WHERE outcome = 0") > 0);
    AUTO_FREE char *summary = store_sql_text(
        lane.db,
        "SELECT format('%%s jobs succeeded, %%s failed, %%s stopped; tasks: %%s succeeded, %%s failed, %%s "
        "cancelled; %%s results, %%s errors, %%s slices', count(*) FILTER (WHERE outcome = 0), count(*) FILTER "
        "(WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2), (SELECT sum(succeeded) FROM stage), (SELECT "
        "sum(failed) FROM stage), (SELECT sum(cancelled) FROM stage), (SELECT count(*) FROM result), (SELECT "
        "count(*) FROM task_error), (SELECT count(*) FROM slice)) FROM job");
    print_message("%s\n", summary);
    hot_lane_close(&lane);
    hot_lane_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_calls_record_each_success_once)};
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
