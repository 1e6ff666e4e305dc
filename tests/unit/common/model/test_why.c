// Every reason once, and which one wins.
#include "services/common/model/why.h"

#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "tests/support/test.h"

#include <string.h>

#define NOW INT64_C(1767225600000000)
#define AGO(seconds) (NOW - (seconds) * INT64_C(1000000))
#define IN(seconds) (NOW + (seconds) * INT64_C(1000000))

static const struct why_fleet fleet_none = {.queue = "gpu", .runtime = "", .labels = "{}", .workers = 3};
static const struct why_fleet fleet_no_runtime = {
    .queue = "gpu", .runtime = "docker", .labels = "{}", .workers = 3, .with_queue = 2};
static const struct why_fleet fleet_no_labels = {
    .queue = "gpu", .runtime = "", .labels = "{\"gpu\": \"yes\"}", .workers = 3, .with_queue = 2, .with_runtime = 2};
static const struct why_fleet fleet_draining = {
    .queue = "gpu", .runtime = "", .labels = "{}", .workers = 3, .with_queue = 2, .with_runtime = 2, .with_labels = 2};
static const struct why_fleet fleet_busy = {.queue = "gpu",
                                            .runtime = "",
                                            .labels = "{}",
                                            .workers = 3,
                                            .with_queue = 2,
                                            .with_runtime = 2,
                                            .with_labels = 2,
                                            .accepting = 1};

static struct why_service service(int state)
{
    return (struct why_service){
        .name = "cache", .epoch = 2, .state = state, .worker = "w1", .since_us = AGO(75), .fleet = fleet_busy};
}

// Decides about a job that goes on, or about one that has ended when `view` says so.
static void assert_why(const struct why_view *view, enum why_code code, const char *message, const char *evidence)
{
    AUTO_WHY struct why why = WHY_INIT;
    why_decide_job(view, &why);
    if (why.code != code)
        fail_msg("%s (%s), expected %s", why_code_name(why.code), why.message, why_code_name(code));
    if (!strstr(why.message, message))
        fail_msg("'%s' does not say '%s'", why.message, message);
    if (!strstr(strbuf_text(&why.evidence), evidence))
        fail_msg("%s has no %s", strbuf_text(&why.evidence), evidence);
    assert_int_equal(why.evidence.data[0], '{');
    assert_int_equal(why.evidence.data[why.evidence.length - 1], '}');
}

static struct why_view working(void)
{
    return (struct why_view){.now_us = NOW, .outcome = OUTCOME_NONE, .fleet = fleet_busy};
}

static struct why_view ended(void)
{
    return (struct why_view){.now_us = NOW, .outcome = OUTCOME_FAILED, .cleanup = CLEANUP_PENDING, .fleet = fleet_busy};
}

static void test_tasks(void **state)
{
    UNUSED(state);
    struct why_view view = working();
    assert_why(&view, WHY_SETTLING, "by itself", "\"ready\":0");
    view.waiting_stage = "total";
    view.waited_stage = "count";
    assert_why(&view, WHY_WAITING_FOR_STAGE, "stage 'total' waits for stage 'count'", "\"waits_for\":\"count\"");
    view.delayed = 2;
    view.due_us = IN(90);
    assert_why(&view, WHY_RETRY_DELAYED, "2 failed tasks wait for the next attempt in 1m30s", "\"due_at\"");
    view.ready = 1;
    assert_why(&view, WHY_SLOTS_BUSY, "1 task waits for a free slot on 1 worker", "\"ready\":1");
    view.ready = 40;
    assert_why(&view, WHY_SLOTS_BUSY, "40 tasks wait for a free slot on 1 worker", "\"accepting\":1");
    view.fleet = fleet_draining;
    assert_why(&view, WHY_WORKERS_DRAINING, "all 2 workers", "\"with_labels\":2");
    view.fleet.with_labels = 1;
    assert_why(&view, WHY_WORKERS_DRAINING, "the only worker that could", "\"with_labels\":1");
    view.fleet = fleet_no_labels;
    assert_why(&view, WHY_NO_WORKER_WITH_LABELS, "no worker of queue 'gpu' has the labels {\"gpu\"",
               "\"labels\":{\"gpu\": \"yes\"}");
    view.fleet = fleet_no_runtime;
    assert_why(&view, WHY_NO_WORKER_WITH_RUNTIME, "has runtime 'docker'", "\"runtime\":\"docker\"");
    view.fleet.trouble = "worker 'w1': docker: no permission";
    assert_why(&view, WHY_NO_WORKER_WITH_RUNTIME, "has runtime 'docker'; worker 'w1': docker: no permission",
               "\"trouble\":\"worker 'w1': docker: no permission\"");
    view.fleet = fleet_none;
    assert_why(&view, WHY_NO_WORKER_FOR_QUEUE, "no worker serves queue 'gpu'", "\"queue\":\"gpu\"");
    view.leased = 1;
    assert_why(&view, WHY_RUNNING, "1 task is running", "\"running\":1");
    view.suspect_worker = "w7";
    assert_why(&view, WHY_WORKER_SUSPECT, "worker 'w7'", "\"worker\":\"w7\"");
    view.paused = true;
    assert_why(&view, WHY_PAUSED, "paused", "\"ready\":40");
}

static void assert_service(struct why_service one, enum why_code code, const char *message)
{
    struct why_view view = working();
    view.held = 10;
    view.services = &one;
    view.service_count = 1;
    assert_why(&view, code, message, "\"service\":\"cache\"");
}

static void test_services_on_their_way(void **state)
{
    UNUSED(state);
    struct why_service one = service(-1);
    one.depends_on = "model";
    assert_service(one, WHY_SERVICE_WAITS_DEPENDENCY, "service 'cache' waits for service 'model'");
    one = service(INSTANCE_PENDING);
    assert_service(one, WHY_SERVICE_NO_ROOM, "2 could, 1 accept");
    one.not_before_us = IN(5);
    assert_service(one, WHY_SERVICE_BACKOFF, "restarted in 5s");
    one.fleet = fleet_none;
    assert_service(one, WHY_SERVICE_NO_WORKER, "no worker can run service 'cache'");
    one.fleet.trouble = "worker 'w1': docker: too old";
    assert_service(one, WHY_SERVICE_NO_WORKER, "(runtime 'any'); worker 'w1': docker: too old");
    one = service(INSTANCE_STARTING);
    one.ready_by_us = IN(45);
    assert_service(one, WHY_SERVICE_STARTING, "become ready since 1m15s (starting; 45s left)");
    one.worker_lost = true;
    assert_service(one, WHY_WORKER_SUSPECT, "worker 'w1', which does not answer");
    one = service(INSTANCE_UNHEALTHY);
    assert_service(one, WHY_SERVICE_UNHEALTHY, "unhealthy since 1m15s");
    one.error = "connect: refused";
    assert_service(one, WHY_SERVICE_UNHEALTHY, "unhealthy since 1m15s: connect: refused");
}

static void test_the_service_that_others_wait_for(void **state)
{
    UNUSED(state);
    struct why_service two[] = {service(-1), service(INSTANCE_PLACING)};
    two[0].name = "front";
    two[0].depends_on = "cache";
    struct why_view view = working();
    view.services = two;
    view.service_count = 2;
    assert_why(&view, WHY_SERVICE_STARTING, "service 'cache'", "\"epoch\":2");
    two[1].state = INSTANCE_READY;
    assert_why(&view, WHY_SERVICE_WAITS_DEPENDENCY, "service 'front'", "\"state\":null");
}

static void assert_cleaning(struct why_service one, enum why_code code, const char *message)
{
    struct why_view view = ended();
    view.services = &one;
    view.service_count = 1;
    assert_why(&view, code, message, "\"worker\":\"w1\"");
}

static void test_ended(void **state)
{
    UNUSED(state);
    struct why_view view = ended();
    assert_why(&view, WHY_SETTLING, "by itself", "{");
    view.cleanup = CLEANUP_KEPT;
    assert_why(&view, WHY_KEPT_BY_POLICY, "autostop is off for outcome 'failed'", "\"keep_until\":null");
    view.keep_until_us = IN(3600);
    assert_why(&view, WHY_KEPT_FOR_A_WHILE, "kept for another 1h", "\"keep_until\":\"");
    view.leased = 3;
    assert_why(&view, WHY_STOPPING_TASKS, "3 running tasks to end", "\"running\":3");
    view.closed = true;
    assert_why(&view, WHY_CLOSED, "closed (failed)", "{}");
    view.reason = "1 task of stage 'a' failed";
    assert_why(&view, WHY_CLOSED, "closed (failed: 1 task of stage 'a' failed): nothing is left", "{}");

    assert_cleaning(service(INSTANCE_STOPPING), WHY_STOPPING_SERVICE, "service 'cache' to stop since 1m15s (stopping)");
    assert_cleaning(service(INSTANCE_KILLING), WHY_STOPPING_SERVICE, "(killing)");
    struct why_service waits = service(INSTANCE_KILLING);
    waits.error = "no engine";
    assert_cleaning(waits, WHY_STOPPING_SERVICE, "(killing): no engine");
    assert_cleaning(service(INSTANCE_STOPPED), WHY_VERIFYING, "a second look");
    assert_cleaning(service(INSTANCE_FAILED), WHY_VERIFYING, "a second look");
    assert_cleaning(service(INSTANCE_STUCK), WHY_SERVICE_STUCK, "could not be stopped on worker 'w1'");
    assert_cleaning(service(INSTANCE_LOST), WHY_WORKER_UNREACHABLE, "does not answer");
    struct why_service remains = service(INSTANCE_STUCK);
    remains.error = "process 7 is there still: `kill -9 7` as root";
    assert_cleaning(remains, WHY_SERVICE_STUCK, "'w1': process 7 is there still: `kill -9 7` as root");
    struct why_service lost = service(INSTANCE_STOPPING);
    lost.worker_lost = true;
    assert_cleaning(lost, WHY_WORKER_UNREACHABLE, "does not answer");
}

static void test_the_worst_of_several(void **state)
{
    UNUSED(state);
    struct why_service several[] = {service(INSTANCE_VERIFIED), service(INSTANCE_STOPPED), service(INSTANCE_STUCK),
                                    service(INSTANCE_STOPPING)};
    struct why_view view = ended();
    view.services = several;
    view.service_count = ARRAY_LEN(several);
    assert_why(&view, WHY_SERVICE_STUCK, "could not be stopped", "\"state\":\"stuck\"");
    several[2].state = INSTANCE_VERIFIED;
    assert_why(&view, WHY_STOPPING_SERVICE, "waiting for", "\"state\":\"stopping\"");
    several[1].state = INSTANCE_READY; // waits for the one that depends on it
    assert_why(&view, WHY_STOPPING_SERVICE, "waiting for", "\"state\":\"stopping\"");
}

static void test_names(void **state)
{
    UNUSED(state);
    for (int code = 0; code < WHY_COUNT; code++) {
        assert_true(strlen(why_code_name((enum why_code)code)) > 3);
        for (int other = 0; other < code; other++)
            assert_string_not_equal(why_code_name((enum why_code)code), why_code_name((enum why_code)other));
    }
    assert_string_equal(why_code_name(WHY_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_services_on_their_way),
        cmocka_unit_test(test_the_service_that_others_wait_for),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_the_worst_of_several),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
