// Every reason is brought about on a real database, and the last test holds what was seen against the table.
#include "services/common/db/db.h"
#include "services/common/json/scan.h"
#include "services/common/model/states.h"
#include "services/common/model/why.h"
#include "services/common/store/control.h"
#include "services/common/store/read.h"
#include "services/common/store/reaper.h"
#include "tests/support/json_value.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static bool seen[WHY_COUNT];

// ---- asking

static void check(const struct strbuf *answer, enum why_code code, const char *message)
{
    struct err err;
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", why_code_name(code));
    if (!strstr(answer->data, quoted) || !strstr(answer->data, message))
        fail_msg("%s is not %s, or does not say '%s'", answer->data, quoted, message);
    assert_json(answer, "code", quoted);
    assert_ok(json_scan(answer->data, answer->length, NULL, NULL, &err), err); // no member twice
    seen[code] = true;
}

static void job_says(int64_t job, enum why_code code, const char *message)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_why(db, job, &out, &err), err);
    check(&out, code, message);
}

static void task_says(int64_t job, const char *stage, int64_t index, enum why_code code, const char *message)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_why_task(db, job, stage, index, &out, &err), err);
    check(&out, code, message);
}

static void service_says(int64_t job, const char *service, enum why_code code, const char *message)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_why_service(db, job, service, &out, &err), err);
    check(&out, code, message);
}

static void worker_says(enum why_code code, const char *message)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_why_worker(db, worker, &out, &err), err);
    check(&out, code, message);
}

static void stop_job(int64_t job)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
}

static void pause_job(int64_t job, bool paused)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    assert_ok((paused ? control_pause : control_resume)(db, job, NULL, &wakes, &err), err);
}

static void drain(bool wanted)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    assert_ok(control_drain(db, worker, wanted, &wakes, &err), err);
}

static const struct store_job plain = {.stage_count = 0};
static const struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};
static const struct store_job chained = {.stage_count = 2,
                                         .stages = {{.name = "one", .tasks = 3, .from = -1, .queue = "other"},
                                                    {.name = "two", .tasks = 3, .from = -1, .after = 1}},
                                         .service_count = 2,
                                         .services = {{.name = "model"}, {.name = "front", .depends = 1}}};

// A job of this spec whose services are ready.
static int64_t ready_job(const struct store_job *spec)
{
    int64_t job = store_submit(db, spec);
    for (int i = 0; i < spec->service_count; i++) {
        store_place(db, job, worker);
        store_observe(db, job, spec->services[i].name, INSTANCE_READY, NULL);
    }
    return job;
}

// ---- a job and its services, from the beginning to the end

static void services_start(void **state)
{
    UNUSED(state);
    int64_t job = store_submit(db, &chained);
    job_says(job, WHY_SERVICE_NO_ROOM, "no worker has taken service 'model' yet: 1 could, 1 accept work");
    service_says(job, "model", WHY_SERVICE_NO_ROOM, "service 'model'");
    service_says(job, "front", WHY_SERVICE_WAITS_DEPENDENCY, "service 'front' waits for service 'model'");
    task_says(job, "one", 0, WHY_SERVICE_NO_ROOM, "service 'model'");
    store_sql(db, "UPDATE worker SET state = 4");
    job_says(job, WHY_SERVICE_NO_WORKER, "no worker can run service 'model'");
    store_sql(db, "UPDATE worker SET state = 0");
    store_place(db, job, worker);
    job_says(job, WHY_SERVICE_STARTING, "waiting for service 'model' to become ready");
    store_observe(db, job, "model", INSTANCE_READY, NULL);
    service_says(job, "model", WHY_SERVICE_READY, "service 'model' is ready since");
    store_place(db, job, worker);
    job_says(job, WHY_SERVICE_STARTING, "'front'");
    task_says(job, "two", 2, WHY_SERVICE_STARTING, "'front'");
    store_sql(db, "UPDATE worker SET state = 1");
    service_says(job, "front", WHY_WORKER_SUSPECT, "service 'front' is on worker 'w1', which does not answer");
}

static void services_stop(void **state)
{
    UNUSED(state);
    int64_t job = ready_job(&chained);
    store_claim(db, job, 0, 3, worker);
    stop_job(job);
    job_says(job, WHY_STOPPING_TASKS, "3 running tasks");
    service_says(job, "front", WHY_SERVICE_WAITS_TASKS, "service 'front' stops when the last 3 tasks have ended");
    store_report(db, job, 0, SLICE_CANCELLED, NULL);
    job_says(job, WHY_STOPPING_SERVICE, "'front'");
    service_says(job, "model", WHY_SERVICE_WAITS_DEPENDENT, "service 'model' stops when service 'front' is gone");
    store_sql(db, "UPDATE worker SET state = 1");
    job_says(job, WHY_WORKER_UNREACHABLE, "'w1', which does not answer");
    store_sql(db, "UPDATE worker SET state = 0");
    store_observe(db, job, "front", INSTANCE_STOPPED, NULL);
    job_says(job, WHY_VERIFYING, "'front'");
    service_says(job, "front", WHY_VERIFYING, "a second look");
    store_observe(db, job, "front", INSTANCE_VERIFIED, NULL);
    service_says(job, "front", WHY_SERVICE_GONE, "was stopped and is gone");
    store_observe(db, job, "model", INSTANCE_STUCK, NULL);
    job_says(job, WHY_SERVICE_STUCK, "'model'");
    service_says(job, "model", WHY_SERVICE_STUCK, "on worker 'w1'");
    store_observe(db, job, "model", INSTANCE_VERIFIED, NULL);
    job_says(job, WHY_CLOSED, "closed (stopped: a stop was asked for)");
}

static void services_that_fail(void **state)
{
    UNUSED(state);
    const struct store_job restarts = {.service_count = 1,
                                       .services = {{.name = "cache", .on_failure = SERVICE_RESTART, .restarts = 3}}};
    int64_t job = ready_job(&restarts);
    store_observe(db, job, "cache", INSTANCE_UNHEALTHY, NULL);
    job_says(job, WHY_STOPPING_SERVICE, "'cache'"); // it is started again
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    job_says(job, WHY_SERVICE_BACKOFF, "service 'cache' is restarted in");
    service_says(job, "cache", WHY_SERVICE_BACKOFF, "\"epoch\":2");

    const struct store_job ignores = {.service_count = 1,
                                      .services = {{.name = "cache", .on_failure = SERVICE_IGNORE}}};
    int64_t without = ready_job(&ignores);
    store_observe(db, without, "cache", INSTANCE_UNHEALTHY, NULL);
    service_says(without, "cache", WHY_SERVICE_UNHEALTHY, "service 'cache' is unhealthy since");
    job_says(without, WHY_SLOTS_BUSY, "10 tasks wait"); // the job does without it
    store_sql(db, "UPDATE instance SET error = 'exit 3', exit_code = 3 WHERE job = %lld", (long long)without);
    store_observe(db, without, "cache", INSTANCE_FAILED, NULL);
    store_observe(db, without, "cache", INSTANCE_VERIFIED, NULL);
    service_says(without, "cache", WHY_SERVICE_FAILED, "service 'cache' failed: exit 3");
    job_says(without, WHY_SLOTS_BUSY, "10 tasks wait");

    int64_t slow = store_submit(db, &served);
    store_place(db, slow, worker);
    store_settle(db, slow, NULL, "UPDATE instance SET ready_by = clock_timestamp() WHERE job = %lld", (long long)slow);
    store_observe(db, slow, "cache", INSTANCE_VERIFIED, NULL);
    service_says(slow, "cache", WHY_SERVICE_FAILED, "service 'cache' failed: it did not become ready in time");
    job_says(slow, WHY_CLOSED, "closed (failed: service 'cache' did not become ready in time)");

    int64_t lost = ready_job(&served);
    stop_job(lost);
    store_settle(db, lost, NULL,
                 "UPDATE instance SET state = 12, grade = 3, stopped_at = clock_timestamp(), "
                 "verified_at = clock_timestamp() WHERE job = %lld",
                 (long long)lost);
    service_says(lost, "cache", WHY_SERVICE_PRESUMED_GONE, "service 'cache' is presumed gone: worker 'w1'");

    int64_t early = store_submit(db, &chained);
    stop_job(early);
    service_says(early, "front", WHY_SERVICE_NEVER_STARTED, "service 'front' was never started");
}

static void services_that_are_kept(void **state)
{
    UNUSED(state);
    struct store_job keeps = served, lingers = served;
    keeps.keeps = true;
    lingers.linger_ms = 3600000;
    int64_t kept = ready_job(&keeps), lingering = ready_job(&lingers);
    store_claim(db, kept, 0, 10, worker);
    store_report(db, kept, 0, SLICE_SUCCEEDED, NULL);
    store_claim(db, lingering, 0, 10, worker);
    store_report(db, lingering, 0, SLICE_SUCCEEDED, NULL);
    job_says(kept, WHY_KEPT_BY_POLICY, "autostop is off for outcome 'succeeded'");
    service_says(kept, "cache", WHY_KEPT_BY_POLICY, "autostop is off");
    job_says(lingering, WHY_KEPT_FOR_A_WHILE, "kept for another");
    service_says(lingering, "cache", WHY_KEPT_FOR_A_WHILE, "keep_until");
}

// ---- tasks

static void tasks_that_nobody_takes(void **state)
{
    UNUSED(state);
    int64_t job = store_submit(db, &plain);
    job_says(job, WHY_SLOTS_BUSY, "10 tasks wait for a free slot on 1 worker");
    task_says(job, "main", 3, WHY_SLOTS_BUSY, "10 tasks wait");
    drain(true);
    task_says(job, "main", 3, WHY_WORKERS_DRAINING, "the only worker");
    drain(false);
    store_sql(db, "UPDATE demand SET labels = '{\"gpu\": \"yes\"}'");
    task_says(job, "main", 3, WHY_NO_WORKER_WITH_LABELS, "no worker of queue 'default' has the labels");
    store_sql(db, "UPDATE demand SET runtime = 'docker'");
    store_sql(db, "UPDATE worker SET trouble = 'docker: no socket'");
    task_says(job, "main", 3, WHY_NO_WORKER_WITH_RUNTIME, "has runtime 'docker'; worker 'w1': docker: no socket");
    store_sql(db, "UPDATE worker SET queues = '{else}'");
    task_says(job, "main", 3, WHY_NO_WORKER_FOR_QUEUE, "no worker serves queue 'default'");
    job_says(job, WHY_NO_WORKER_FOR_QUEUE, "no worker serves queue 'default'");
    pause_job(job, true);
    task_says(job, "main", 3, WHY_PAUSED, "the job is paused");
    job_says(job, WHY_PAUSED, "the job is paused");
}

static void tasks_that_wait_for_others(void **state)
{
    UNUSED(state);
    const struct store_job narrow = {.stage_count = 2,
                                     .stages = {{.name = "one", .tasks = 3, .from = -1, .max_parallel = 1},
                                                {.name = "two", .tasks = 3, .from = -1, .after = 1}}};
    int64_t job = store_submit(db, &narrow);
    store_claim(db, job, 0, 1, worker);
    task_says(job, "one", 2, WHY_MAX_PARALLEL, "stage 'one' may run 1 task at once, and does");
    task_says(job, "two", 2, WHY_WAITING_FOR_STAGE, "stage 'two' waits for stage 'one'");
    task_says(job, "one", 0, WHY_RUNNING, "worker 'w1' has the task since");
    job_says(job, WHY_RUNNING, "1 task is running");
    store_sql(db, "UPDATE worker SET state = 1");
    task_says(job, "one", 0, WHY_WORKER_SUSPECT, "worker 'w1', which has the task, does not answer");
    job_says(job, WHY_WORKER_SUSPECT, "'w1'");
    store_sql(db, "UPDATE worker SET state = 0");
    stop_job(job);
    task_says(job, "one", 0, WHY_STOPPING_TASKS, "worker 'w1' is asked to end the task");

    int64_t upstream = store_submit(db, &narrow);
    store_sql(db, "UPDATE slice SET state = 0 WHERE job = %lld", (long long)upstream);
    job_says(upstream, WHY_WAITING_FOR_STAGE, "stage 'two' waits for stage 'one'");
}

static void tasks_that_are_done(void **state)
{
    UNUSED(state);
    const struct store_job goes_on = {.stage_count = 1,
                                      .stages = {{.name = "main", .tasks = 3, .from = -1, .goes_on = true}}};
    int64_t job = store_submit(db, &goes_on);
    store_claim(db, job, 0, 1, worker);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    task_says(job, "main", 0, WHY_TASK_SUCCEEDED, "the task succeeded in attempt 1");
    store_claim(db, job, 0, 1, worker);
    store_sql(db,
              "INSERT INTO task_error (job, stage, task, attempt, error, exit, at) "
              "VALUES (%lld, 0, 1, 1, 'exit 3', 3, clock_timestamp())",
              (long long)job);
    store_settle(db, job, NULL,
                 "UPDATE slice SET state = 3, due_at = clock_timestamp() + interval '1 minute', worker = NULL, "
                 "token = NULL, leased_at = NULL WHERE job = %lld AND first = 1",
                 (long long)job);
    task_says(job, "main", 1, WHY_RETRY_DELAYED, "attempt 1 failed, the next one is in");
    store_sql(db,
              "UPDATE slice SET state = 2, worker = %lld, incarnation = 1, token = 1, leased_at = now(), due_at = "
              "NULL WHERE job = %lld AND first = 1",
              (long long)worker, (long long)job);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    task_says(job, "main", 1, WHY_TASK_FAILED, "the task failed in attempt 1: exit 3");
    stop_job(job);
    task_says(job, "main", 2, WHY_TASK_CANCELLED, "the task was cancelled: the job has ended (stopped)");

    int64_t delayed =
        store_submit(db, &(struct store_job){.stage_count = 1, .stages = {{.name = "main", .tasks = 1, .from = -1}}});
    store_sql(db, "UPDATE slice SET state = 3, due_at = clock_timestamp() + interval '1 minute' WHERE job = %lld",
              (long long)delayed);
    job_says(delayed, WHY_RETRY_DELAYED, "1 failed task waits for the next attempt in");
}

// ---- workers

static void workers_at_work(void **state)
{
    UNUSED(state);
    worker_says(WHY_WORKER_IDLE, "worker 'w1' is idle: nothing waits");
    store_sql(db, "UPDATE worker SET trouble = 'docker: no socket'");
    worker_says(WHY_WORKER_TROUBLE, "worker 'w1': docker: no socket");
    store_sql(db, "UPDATE worker SET trouble = NULL");
    int64_t job = store_submit(db, &plain);
    worker_says(WHY_SETTLING, "about to change"); // it is about to take them
    store_sql(db, "UPDATE worker SET queues = '{else}'");
    worker_says(WHY_WORKER_NO_MATCH, "work waits that worker 'w1' has not the queue for");
    store_sql(db, "UPDATE worker SET queues = '{default}'");
    store_claim(db, job, 0, 3, worker);
    worker_says(WHY_WORKER_WORKING, "worker 'w1' has 3 tasks and 0 services, and 1 free slots");
    store_claim(db, job, 0, 1, worker);
    worker_says(WHY_WORKER_BUSY, "all 4 slots of worker 'w1' are busy");
    drain(true);
    worker_says(WHY_WORKER_DRAINING, "worker 'w1' drains: 4 tasks and 0 services are left");
    stop_job(job);
    store_report(db, job, 0, SLICE_CANCELLED, NULL);
    worker_says(WHY_WORKER_DRAINED, "worker 'w1' drains and has nothing left");
}

static void sweep_after_silence(int seconds)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct sweep sweep = {.db = db, .leader = "reaper", .limit = 10, .wakes = &wakes};
    assert_true(leader_acquire(db, "reaper", "me", 60000, &sweep.epoch, &err) >= 0);
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() - interval '%d s'", seconds);
    assert_int_equal(sweep_workers(&sweep, 60000, &err), 1);
    assert_ok(leader_release(db, "reaper", sweep.epoch, &err), err);
}

static void workers_away(void **state)
{
    UNUSED(state);
    store_sql(db, "UPDATE worker SET state = 3, note = 'job x: service cache would not die'");
    worker_says(WHY_WORKER_QUARANTINED, "worker 'w1' is quarantined: job x: service cache would not die");
    store_sql(db, "UPDATE worker SET state = 0, note = NULL");
    sweep_after_silence(2);
    worker_says(WHY_WORKER_SILENT, "worker 'w1' does not answer: its lease ended");
    sweep_after_silence(90);
    worker_says(WHY_WORKER_LOST, "worker 'w1' is lost: its lease ended 1m");
    store_sql(db, "UPDATE worker SET state = 5");
    worker_says(WHY_WORKER_GONE, "worker 'w1' has gone");
}

// ---- nothing of it there

static void what_does_not_exist(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t job = store_submit(db, &served);
    assert_error(read_why(db, 5, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_why_task(db, 5, "main", 0, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_why_task(db, job, "main", 10, &out, &err), err, ERR_NOT_FOUND, "has no task 'main/10'");
    assert_error(read_why_task(db, job, "other", 0, &out, &err), err, ERR_NOT_FOUND, "has no task 'other/0'");
    assert_error(read_why_service(db, job, "other", &out, &err), err, ERR_NOT_FOUND, "has no service 'other'");
    assert_error(read_why_worker(db, worker + 1, &out, &err), err, ERR_NOT_FOUND, "does not exist");
}

static void every_reason_was_seen(void **state)
{
    UNUSED(state);
    for (int code = 0; code < WHY_COUNT; code++)
        if (!seen[code])
            fail_msg("no test brings about '%s'", why_code_name((enum why_code)code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(services_start),
        TEST(services_stop),
        TEST(services_that_fail),
        TEST(services_that_are_kept),
        TEST(tasks_that_nobody_takes),
        TEST(tasks_that_wait_for_others),
        TEST(tasks_that_are_done),
        TEST(workers_at_work),
        TEST(workers_away),
        TEST(what_does_not_exist),
        cmocka_unit_test(every_reason_was_seen),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
