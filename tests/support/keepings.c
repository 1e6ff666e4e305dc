#include "tests/support/keepings.h"

#include "tests/support/flavour.h"
#include "tests/support/oracle.h"
#include "tests/support/system_calls.h"
#include "tests/support/test.h"

#include <stdio.h>

#define WAIT_MS 60000
#define SERVICES                                                                                                   \
    "'services':[{'name':'store','command':['@nasty@','tree'],'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'}," \
    "'ready':{'tcp':'main'},'stop':{'grace':'200ms'}}]"
#define GOOD SERVICES ",'command':['true']"
#define BAD SERVICES ",'command':['false'],'retries':{'max':0}"
#define LONG SERVICES ",'command':['sleep','600']"
// When an hour passes.
#define NEVER {NULL, NULL}
#define WHEN_RUNNING {"/state", "running"}
#define WHEN_KEPT {"/cleanup", "kept"}

struct keeping {
    const char *name, *members;
    const char *outcome;
    bool until_stop;    // kept until a stop
    int at_least_ms;    // between outcome and closed
    const char *reason; // of the stop, in the certificate
    struct {
        const char *pointer, *value;
    } hour;
};

static const struct keeping keepings[] = {
    {"autostop false, until stop", "'autostop':false," GOOD, "succeeded", true, 0, "stop_requested", NEVER},
    {"autostop false, failed, until stop", "'autostop':false," BAD, "failed", true, 0, "stop_requested", NEVER},
    {"autostop false, until max_lifetime", "'autostop':false,'max_lifetime':'1h'," GOOD, "succeeded", false, 0,
     "max_lifetime", WHEN_KEPT},
    {"autostop on another outcome", "'autostop':{'on':['succeeded']}," BAD, "failed", true, 0, "stop_requested", NEVER},
    {"autostop on this outcome", "'autostop':{'on':['failed']}," BAD, "failed", false, 0, "failed", NEVER},
    {"linger", "'autostop':{'linger':'1500ms'}," GOOD, "succeeded", false, 1500, "keep_over", NEVER},
    {"linger is not for failures", "'autostop':{'linger':'10m'}," BAD, "failed", false, 0, "failed", NEVER},
    {"keep_on_failure", "'autostop':{'keep_on_failure':'1500ms'}," BAD, "failed", false, 1500, "keep_over", NEVER},
    {"keep_on_failure after a timeout", "'timeout':'1h','autostop':{'keep_on_failure':'1500ms'}," LONG, "timed_out",
     false, 1500, "keep_over", WHEN_RUNNING},
    {"keep_on_failure is not for success", "'autostop':{'keep_on_failure':'10m'}," GOOD, "succeeded", false, 0,
     "succeeded", NEVER},
    {"lingering ends with a stop", "'autostop':{'linger':'10m'}," GOOD, "succeeded", true, 0, "stop_requested", NEVER},
};
#define KEEPINGS ARRAY_LEN(keepings)

static const struct flavour *flavour;
static struct system *curfew;
static char ids[KEEPINGS][SYSTEM_ID_SIZE];

static void expect_kept(const char *id)
{
    char marker[64];
    system_expect(curfew, id, "/cleanup", "kept", WAIT_MS);
    AUTO_JSON_OBJECT struct json_object *job = system_get(curfew, "/v1/jobs/%s", id);
    assert_string_equal(json_text_at(job, "/closed_at"), "");
    assert_string_equal(json_text_at(job, "/services/0/state"), "ready");
    snprintf(marker, sizeof(marker), "CURFEW_JOB=%s", id);
    assert_true(oracle_find(marker, NULL, 0) >= 3); // it and its daemons
}

static void test_keeping(void **state)
{
    size_t number = (size_t)(uintptr_t)*state;
    const struct keeping *keeping = &keepings[number];
    const char *id = ids[number];
    if (keeping->hour.pointer) {
        system_expect(curfew, id, keeping->hour.pointer, keeping->hour.value, WAIT_MS);
        system_let_an_hour_pass(curfew, id);
    }
    json_object_put(system_wait_outcome_as(curfew, id, keeping->outcome, WAIT_MS));
    if (keeping->until_stop) {
        expect_kept(id);
        system_stop(curfew, id);
    }
    AUTO_JSON_OBJECT struct json_object *job = system_wait_closed_as(curfew, id, keeping->outcome, WAIT_MS);
    assert_int_equal(flavour->leftovers(curfew, id), 0);
    assert_string_equal(json_text_at(job, "/cleanup"), "clean");
    AUTO_JSON_OBJECT struct json_object *cleanup = system_get(curfew, "/v1/jobs/%s/cleanup", id);
    assert_string_equal(json_text_at(cleanup, "/certificates/0/reason"), keeping->reason);
    int64_t kept_ms = system_sql(curfew,
                                 "SELECT (extract(epoch FROM closed_at - finished_at) * 1000)::bigint FROM job "
                                 "WHERE id = %lld",
                                 (long long)system_job_number(id));
    if (kept_ms < keeping->at_least_ms)
        fail_msg("kept for %lld ms, %d were asked for", (long long)kept_ms, keeping->at_least_ms);
    assert_int_equal(system_violations(curfew), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    curfew = flavour->start_system(20);
    for (size_t i = 0; i < KEEPINGS; i++) {
        char *spec AUTO_FREE = flavour->adapt(quoted("{'name':'keeping-%zu',%s}", i, keepings[i].members));
        system_submit_text(curfew, spec, ids[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    flavour->end_system(curfew);
    return 0;
}

int keepings_run(const struct flavour *how)
{
    flavour = how;
    struct CMUnitTest tests[KEEPINGS] = {0};
    for (size_t i = 0; i < KEEPINGS; i++)
        tests[i] = (struct CMUnitTest){keepings[i].name, test_keeping, NULL, NULL, (void *)(uintptr_t)i};
    return _cmocka_run_group_tests("keeping", tests, ARRAY_LEN(tests), set_up, tear_down);
}
