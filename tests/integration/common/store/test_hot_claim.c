// Claims: whose turn it is, how slices are cut, and what happens when others are at it as well.
#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/base/strbuf.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_runs.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define CREW 16

static struct hot_worker worker;

static int setup(void **state)
{
    hot_test_setup(state);
    worker = hot_worker_new(lane.db, "w");
    return 0;
}

static struct work_operation claim(int64_t tasks)
{
    static struct queue_want want;
    want = (struct queue_want){"default", tasks};
    struct work_operation poll = hot_poll(worker, &want);
    hot_lane_work(&lane, &poll);
    hot_check(&lane);
    return poll;
}

// Which job the next task is of.
static int64_t next_job(void)
{
    struct work_operation poll = claim(1);
    assert_int_equal(poll.grant_count, 1);
    int64_t job = poll.grants[0].job;
    work_operation_release(&poll);
    return job;
}

// The job, first task and number of tasks of each grant.
PRINTF_LIKE(2, 3) static void assert_claim(int64_t tasks, const char *expected, ...)
{
    char wanted[512], found[512] = "";
    va_list arguments;
    va_start(arguments, expected);
    vsnprintf(wanted, sizeof wanted, expected, arguments);
    va_end(arguments);
    struct work_operation poll = claim(tasks);
    for (size_t i = 0; i < poll.grant_count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%lld:%lld+%lld", i ? " " : "",
                 (long long)poll.grants[i].job, (long long)poll.grants[i].first, (long long)poll.grants[i].count);
    assert_string_equal(found, wanted);
    work_operation_release(&poll);
}

// A submission and a poll in one transaction; how many slices it was given. Fails when others are not woken although
// something is left, or woken although nothing is.
static size_t submit_and_claim(int64_t tasks, int64_t wanted)
{
    char json[96];
    struct err err = {0};
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    snprintf(json, sizeof json, "{\"name\": \"j\", \"command\": [\"x\"], \"tasks\": {\"count\": %d}}", (int)tasks);
    assert_ok(job_spec_parse(json, strlen(json), &spec, &faults, &err), err);
    struct submit_operation submit = {.spec = &spec, .fingerprint = "f", .job = id_new()};
    struct queue_want want = {"default", wanted};
    struct work_operation poll = hot_poll(worker, &want);
    struct submit_operation *submits[] = {&submit};
    struct work_operation *works[] = {&poll};
    AUTO_WAKES struct wakes foreseen = WAKES_INIT;
    hot_foresee(lane.hot, &submit, &foreseen);
    wakes_clear(&lane.wakes);
    assert_ok(hot_run(lane.hot, submits, 1, works, 1, &lane.wakes, &err), err);
    int64_t demand = store_sql(lane.db, "SELECT max(demand) FROM stage");
    bool left = store_sql(lane.db, "SELECT count(*) FROM slice WHERE state = 1") > 0;
    assert_int_equal(hot_woken(&lane, WAKE_DEMAND, demand), left);
    assert_int_equal(foreseen.count, 1);
    assert_int_equal(foreseen.items[0].id, demand);
    assert_int_equal(foreseen.items[0].tasks, tasks);
    size_t given = poll.grant_count;
    work_operation_release(&poll);
    return given;
}

static void what_is_submitted_and_given_out_at_once_wakes_nobody(void **state)
{
    UNUSED(state);
    int64_t known = hot_lane_submit(&lane, "{'name': 'known', 'command': ['x']}");
    assert_claim(2, "%lld:0+1", (long long)known);
    assert_int_equal(submit_and_claim(1, 1), 1);
    assert_int_equal(submit_and_claim(3, 5), 1);
    assert_int_equal(submit_and_claim(3, 2), 1); // one is left
    assert_int_equal(submit_and_claim(1, 1), 1);
    assert_int_equal(submit_and_claim(1, 9), 2);
}

static void slices_are_cut_from_their_beginning(void **state)
{
    UNUSED(state);
    long long job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10010}}");
    assert_claim(100, "%lld:0+100", job);
    assert_claim(1, "%lld:100+1", job);
    assert_claim(9895, "%lld:101+9895", job);
    assert_claim(10, "%lld:9996+4 %lld:10000+6", job, job);
    assert_claim(10, "%lld:10006+4", job);
    assert_claim(10, "%s", "");
    assert_int_equal(store_sql(lane.db, "SELECT count(DISTINCT token) FROM slice"), 6);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice WHERE state = 2 AND attempt = 1"), 6);
}

static void a_batch_shares_slices(void **state)
{
    UNUSED(state);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': [1, 2, 3, 4, 5, 6, 7, 8, 9]}");
    struct queue_want two = {"default", 2};
    struct work_operation polls[5], *works[5];
    for (int i = 0; i < 5; i++) {
        polls[i] = hot_poll(worker, &two);
        works[i] = &polls[i];
    }
    hot_lane_run(&lane, works, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(polls[i].grant_count, 1);
        assert_int_equal(polls[i].grants[0].first, 2 * i);
        assert_int_equal(polls[i].grants[0].count, i < 4 ? 2 : 1);
    }
    assert_string_equal(polls[3].grants[0].items, "[7,8]");
    assert_string_equal(polls[4].grants[0].items, "[9]");
    for (int i = 0; i < 5; i++)
        work_operation_release(&polls[i]);
}

// The items of neighbours are asked for together.
static void items_of_neighbours_are_theirs(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf spec = STRBUF_INIT;
    strbuf_add_text(&spec, "{'name': 'a', 'command': ['x'], 'tasks': [0");
    for (int i = 1; i < 2100; i++)
        strbuf_add_format(&spec, ", %d", i);
    strbuf_add_text(&spec, "]}");
    hot_lane_submit(&lane, "%s", strbuf_text(&spec));
    struct queue_want some = {"default", 420};
    struct work_operation polls[5], *works[5];
    for (int i = 0; i < 5; i++) {
        polls[i] = hot_poll(worker, &some);
        works[i] = &polls[i];
    }
    hot_lane_run(&lane, works, 5);
    for (int i = 0; i < 5; i++) {
        AUTO_STRBUF struct strbuf items = STRBUF_INIT;
        for (int n = 420 * i; n < 420 * (i + 1); n++)
            strbuf_add_format(&items, "%c%d", n == 420 * i ? '[' : ',', n);
        strbuf_add_char(&items, ']');
        assert_int_equal(polls[i].grant_count, 1);
        assert_string_equal(polls[i].grants[0].items, strbuf_text(&items));
        work_operation_release(&polls[i]);
    }
}

static void a_small_job_comes_next(void **state)
{
    UNUSED(state);
    long long big = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000000}}");
    assert_claim(300, "%lld:0+300", big);
    assert_claim(350, "%lld:300+350", big);
    long long small = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    assert_claim(5, "%lld:650+5", big); // as far as the other: the older one goes first
    assert_claim(20, "%lld:0+10 %lld:655+10", small, big);
}

static void jobs_take_turns(void **state)
{
    UNUSED(state);
    long long one = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    long long two = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000}}");
    for (int i = 0; i < 5; i++) {
        assert_claim(10, "%lld:%d+10", one, 10 * i);
        assert_claim(10, "%lld:%d+10", two, 10 * i);
    }
}

static void priority_comes_before_turns(void **state)
{
    UNUSED(state);
    long long low = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10}}");
    long long high = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 20}, 'priority': 10}");
    assert_claim(15, "%lld:0+15", high);
    assert_claim(15, "%lld:15+5 %lld:0+10", high, low);
}

// Ranks of two demands say nothing about each other.
// A lane begins its looks where the head was. What comes before it all the same is found by the next look at all.
static void what_is_before_the_head_is_found(void **state)
{
    UNUSED(state);
    int64_t big = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000000}}");
    for (int i = 0; i < 10; i++)
        assert_int_equal(next_job(), big);
    int64_t late = hot_lane_submit(&lane, "{'name': 'b', 'command': ['x'], 'tasks': {'count': 1000}}");
    store_sql(lane.db, "UPDATE slice SET rank = -1000000 WHERE job = %lld", (long long)late);
    int64_t until_ms = clock_boot_ms() + 20000;
    while (next_job() != late)
        assert_true(clock_boot_ms() < until_ms);
    int64_t urgent = hot_lane_submit(&lane, "{'name': 'c', 'command': ['x'], 'tasks': [1, 2], 'priority': 1}");
    assert_int_equal(next_job(), urgent);
    int64_t idle = hot_lane_submit(&lane, "{'name': 'd', 'command': ['x'], 'tasks': [1], 'priority': -1}");
    assert_int_equal(next_job(), urgent);
    assert_int_equal(next_job(), late);
    store_sql(lane.db, "UPDATE slice SET state = 0 WHERE state = 1 AND job <> %lld", (long long)idle);
    store_sql(lane.db, "UPDATE job SET phase = 0 WHERE id <> %lld", (long long)idle);
    assert_int_equal(next_job(), idle);
}

static void demands_take_turns(void **state)
{
    UNUSED(state);
    long long any = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 100}}");
    store_sql(lane.db, "UPDATE slice SET rank = 1000000");
    long long process =
        hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'runtime': 'process', 'tasks': {'count': 100}}");
    int64_t seen[2] = {0, 0};
    for (int i = 0; i < 20; i++) {
        struct work_operation poll = claim(1);
        assert_int_equal(poll.grant_count, 1);
        seen[poll.grants[0].job == any] += poll.grants[0].count;
        work_operation_release(&poll);
    }
    assert_int_equal(seen[0], 10);
    assert_int_equal(seen[1], 10);
    UNUSED(process);
}

static void many_small_slices_fill_one_want(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 40; i++)
        hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 2}}");
    struct work_operation poll = claim(75);
    assert_int_equal(poll.grant_count, 38);
    work_operation_release(&poll);
}

static void other_queues_are_left_alone(void **state)
{
    UNUSED(state);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'queue': 'other', 'tasks': {'count': 5}}");
    assert_claim(10, "%s", "");
    struct queue_want wants[] = {{"default", 3}, {"other", 2}};
    struct work_operation poll = hot_poll(worker, wants);
    poll.want_count = 2;
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 1);
    assert_int_equal(poll.grants[0].count, 2);
    work_operation_release(&poll);
}

// What Curfew runs finds it in its environment. From the memory of a submission, looked up, and remembered of that.
static void outside_workers_are_told_the_trace(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct queue_want want = {"default", 1};
    const struct hot_settings settings = {.worker_lease_ms = 30000, .log_limit_bytes = 1000, .event_limit = 50};
    static const char *const modes[] = {"'mode': 'pull'", "'command': ['x']"};
    store_sql(lane.db, "UPDATE worker SET runtimes = '{process,pull}'");
    for (int i = 0; i < 3; i++) {
        lane.traceparent = i < 2 ? "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" : NULL;
        long long job = hot_lane_submit(&lane, "{'name': 'a', %s, 'tasks': {'count': 3}}", modes[i % 2]);
        char expected[64];
        snprintf(expected, sizeof expected, "00-4bf92f3577b34da6a3ce929d0e0e4736-%016llx-01", job);
        for (int turn = 0; turn < 3; turn++) {
            struct work_operation poll = hot_poll(worker, &want);
            hot_lane_work(&lane, &poll);
            assert_int_equal(poll.grant_count, 1);
            assert_string_equal(poll.grants[0].traceparent ? poll.grants[0].traceparent : "", i == 0 ? expected : "");
            work_operation_release(&poll);
            if (turn > 0)
                continue;
            hot_free(lane.hot);
            assert_ok(hot_new(lane.own, &settings, &lane.hot, &err), err);
        }
    }
    lane.traceparent = NULL;
}

// What a lane has stored the others need not look up. Seen by a stage that has another name meanwhile, as none ever
// has.
static void lanes_know_what_another_has_stored(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct queue_want want = {"default", 1};
    struct hot_settings settings = {.worker_lease_ms = 30000, .log_limit_bytes = 1000, .event_limit = 50};
    assert_ok(hot_runs_new(&settings.runs, &err), err);
    hot_free(lane.hot);
    assert_ok(hot_new(lane.own, &settings, &lane.hot, &err), err);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 3}}");
    store_sql(lane.db, "UPDATE stage SET name = 'other'");
    static const char *const names[] = {"main", "other"};
    for (int alone = 0; alone < 2; alone++) {
        struct work_operation poll = hot_poll(worker, &want);
        const struct hot_settings of = alone ? (struct hot_settings){.worker_lease_ms = 30000} : settings;
        hot_free(lane.hot);
        assert_ok(hot_new(lane.own, &of, &lane.hot, &err), err);
        hot_lane_work(&lane, &poll);
        assert_int_equal(poll.grant_count, 1);
        assert_string_equal(poll.grants[0].stage_name, names[alone]);
        assert_non_null(strstr(poll.grants[0].run, "\"x\""));
        work_operation_release(&poll);
    }
    hot_runs_free(settings.runs);
}

// Slices that somebody else has locked are passed over; a poll that gets nothing for that reason is to be run again.
static void locked_slices_are_passed_over(void **state)
{
    UNUSED(state);
    long long job = hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 15000}}");
    store_sql(lane.db, "BEGIN");
    store_sql(lane.db, "SELECT first FROM slice WHERE first = 0 FOR UPDATE");
    struct queue_want ten = {"default", 10};
    struct work_operation poll = hot_poll(worker, &ten);
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 1);
    assert_int_equal(poll.grants[0].first, 10000);
    assert_false(poll.again);
    store_sql(lane.db, "SELECT first FROM slice FOR UPDATE");
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 0);
    assert_true(poll.again);
    store_sql(lane.db, "ROLLBACK");
    assert_claim(15000, "%lld:0+10000 %lld:10010+4990", job, job);
    hot_lane_work(&lane, &poll);
    assert_int_equal(poll.grant_count, 0);
    assert_false(poll.again);
    work_operation_release(&poll);
}

// ---- many workers

static struct work_operation crew[CREW];
static struct slice_result results[CREW][8];

static int64_t run_crew(const struct hot_worker *workers, const struct queue_want *want)
{
    struct err err = {0};
    struct work_operation *works[CREW];
    int64_t tasks = 0;
    for (int i = 0; i < CREW; i++) {
        size_t count = crew[i].grant_count;
        assert_true(count <= 8);
        for (size_t n = 0; n < count; n++) {
            results[i][n] = hot_success(&crew[i].grants[n]);
            tasks += crew[i].grants[n].count;
        }
        work_operation_release(&crew[i]);
        crew[i] = hot_poll(workers[i], want);
        crew[i].results = results[i];
        crew[i].result_count = count;
        works[i] = &crew[i];
    }
    wakes_clear(&lane.wakes);
    assert_ok(hot_run(lane.hot, NULL, 0, works, CREW, &lane.wakes, &err), err);
    return tasks;
}

static void start_crew(struct hot_worker workers[static CREW])
{
    memset(crew, 0, sizeof crew);
    for (int i = 0; i < CREW; i++) {
        char name[16];
        snprintf(name, sizeof name, "crew%d", i);
        workers[i] = hot_worker_new(lane.db, name);
    }
}

static void stop_crew(void)
{
    for (int i = 0; i < CREW; i++)
        work_operation_release(&crew[i]);
}

static bool crew_has(int64_t job)
{
    for (int i = 0; i < CREW; i++)
        for (size_t n = 0; n < crew[i].grant_count; n++)
            if (crew[i].grants[n].job == job)
                return true;
    return false;
}

// In the middle of it a job of ten tasks is submitted. It is as far as the other, so that a transaction that needs no
// more than one slice may still take that of the older job; the next one does not.
static void a_million_tasks_need_few_rows(void **state)
{
    UNUSED(state);
    struct hot_worker workers[CREW];
    struct queue_want want = {"default", 100};
    int64_t done = 0, small = 0, most = 0;
    bool begun = false;
    start_crew(workers);
    hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 1000000}}");
    for (int round = 0; done < 1000010; round++) {
        if (round == 300)
            small = hot_lane_submit(&lane, "{'name': 'b', 'command': ['x'], 'tasks': {'count': 10}}");
        done += run_crew(workers, &want);
        begun |= small && crew_has(small);
        assert_true(begun || round <= 300);
        if (round % 50 == 0)
            most = MAX(most, store_sql(lane.db, "SELECT count(*) FROM slice"));
        assert_true(round < 2000);
    }
    assert_true(most > 0 && most <= 5000);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job WHERE closed_at IS NOT NULL AND outcome = 0"), 2);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM slice"), 2);
    stop_crew();
}

// What a transaction gives out is of one job where that has enough, so that the next ones change few rows. No job gets
// further ahead of another by it than by one transaction.
static void a_batch_takes_from_one_job(void **state)
{
    UNUSED(state);
    struct hot_worker workers[CREW];
    struct queue_want want = {"default", 100};
    start_crew(workers);
    for (int i = 0; i < 20; i++)
        hot_lane_submit(&lane, "{'name': 'a', 'command': ['x'], 'tasks': {'count': 10000}}");
    for (int round = 0; round < 50; round++) {
        run_crew(workers, &want);
        for (int i = 1; i < CREW && round > 0; i++) { // at first the lane does not know how wide slices are
            assert_int_equal(crew[i].grant_count, 1);
            assert_int_equal(crew[i].grants[0].job, crew[0].grants[0].job);
        }
        assert_true(store_sql(lane.db, "SELECT max(rank) - min(rank) FROM slice WHERE state = 1") <= CREW * 100 + 100);
    }
    stop_crew();
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, hot_test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_submitted_and_given_out_at_once_wakes_nobody),
        test(slices_are_cut_from_their_beginning),
        test(a_batch_shares_slices),
        test(items_of_neighbours_are_theirs),
        test(a_small_job_comes_next),
        test(jobs_take_turns),
        test(priority_comes_before_turns),
        test(what_is_before_the_head_is_found),
        test(demands_take_turns),
        test(many_small_slices_fill_one_want),
        test(other_queues_are_left_alone),
        test(outside_workers_are_told_the_trace),
        test(lanes_know_what_another_has_stored),
        test(locked_slices_are_passed_over),
        test(a_million_tasks_need_few_rows),
        test(a_batch_takes_from_one_job),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
