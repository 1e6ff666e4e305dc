#include "tests/support/endings.h"

#include "tests/support/flavour.h"
#include "tests/support/system_calls.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 90000

// `store` and two daemons of its own ignore SIGTERM; `front` has left a daemon of another session, and stops first.
#define SERVICE(name, mode, more)                                                                           \
    "{'name':'" name "','command':['@nasty@'," mode "],'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'}," \
    "'ready':{'tcp':'main'},'stop':{'grace':'300ms'}" more "}"
#define STORE SERVICE("store", "'tree'", "")
#define FRONT SERVICE("front", "'double-fork-setsid'", ",'depends_on':['store']")
#define SERVICES "'services':[" STORE "," FRONT "]"
// Tasks that leave daemons behind as well.
#define QUICK "'command':['sh','-c','@nasty@ fork-daemons 1'],'tasks':{'count':4}"
#define LONG "'command':['sh','-c','@nasty@ fork-daemons 2; exec sleep 600'],'tasks':{'count':2}"

enum act { NOTHING, STOP, STOP_TWICE, PAUSE_AND_STOP, LET_AN_HOUR_PASS };

struct ending {
    const char *name;
    const char *members; // of the spec
    const char *state;   // the act comes in this state
    enum act act;
    const char *outcome, *reason, *cleanup;
    bool was_ready; // both services were up and had to be stopped
};

static const struct ending endings[] = {
    {"succeeded", SERVICES "," QUICK, NULL, NOTHING, "succeeded", "", "clean", true},
    {"succeeded without services", QUICK, NULL, NOTHING, "succeeded", "", "none", false},
    {"task out of attempts", SERVICES ",'command':['false'],'retries':{'max':1,'backoff':'10ms'}", NULL, NOTHING,
     "failed", "task_failed", "clean", true},
    {"service never ready",
     "'services':[" STORE ",{'name':'front','depends_on':['store'],'command':['@nasty@','never-ready'],"
     "'ports':[{'name':'main'}],'ready':{'tcp':'main','timeout':'300ms','deadline':'700ms'}}]," QUICK,
     NULL, NOTHING, "failed", "service_never_ready", "clean", false},
    {"service died while tasks ran",
     "'services':[" STORE "," SERVICE("front", "'dies-midway','7'", ",'depends_on':['store']") "]," LONG, NULL, NOTHING,
     "failed", "service_failed", "clean", false},
    {"service ended with 0 before it was ready",
     "'services':[" STORE "," SERVICE("front", "'exits-0'", ",'depends_on':['store']") "]," QUICK, NULL, NOTHING,
     "failed", "service_failed", "clean", false},
    {"service left daemons and ended",
     "'services':[" STORE "," SERVICE("front", "'fork-daemons'", ",'depends_on':['store']") "]," QUICK, NULL, NOTHING,
     "failed", "service_failed", "clean", false},
    {"service cannot be started",
     "'services':[" STORE ",{'name':'front','command':['/no/such/program'],'depends_on':['store']}]," QUICK, NULL,
     NOTHING, "failed", "service_failed", "clean", false},
    {"stopped while queued", "'services':[{'name':'store','command':['@nasty@','tree'],'where':{'no':'where'}}]," QUICK,
     "queued", STOP, "stopped", "stop_requested", "clean", false},
    {"stopped while queued without services", QUICK ",'queue':'nobody'", "queued", STOP, "stopped", "stop_requested",
     "none", false},
    {"stopped while starting", "'services':[" STORE "," SERVICE("front", "'binds-late','600000'", "") "]," QUICK,
     "starting", STOP, "stopped", "stop_requested", "clean", false},
    {"stopped while running", SERVICES "," LONG, "running", STOP, "stopped", "stop_requested", "clean", true},
    {"stopped while running without services", LONG, "running", STOP, "stopped", "stop_requested", "none", false},
    {"stopped while stopping", SERVICES "," LONG, "running", STOP_TWICE, "stopped", "stop_requested", "clean", true},
    {"stopped while paused", SERVICES "," LONG, "running", PAUSE_AND_STOP, "stopped", "stop_requested", "clean", true},
    {"timeout while queued",
     "'timeout':'1s','services':[{'name':'store','command':['@nasty@','tree'],'where':{'no':'where'}}]," QUICK, NULL,
     NOTHING, "timed_out", "timeout", "clean", false},
    {"timeout while starting",
     "'timeout':'2s','services':[" STORE "," SERVICE("front", "'binds-late','600000'", "") "]," QUICK, NULL, NOTHING,
     "timed_out", "timeout", "clean", false},
    {"timeout while running", "'timeout':'1h'," SERVICES "," LONG, "running", LET_AN_HOUR_PASS, "timed_out", "timeout",
     "clean", true},
    {"max_lifetime while running", "'max_lifetime':'1h'," SERVICES "," LONG, "running", LET_AN_HOUR_PASS, "timed_out",
     "max_lifetime", "clean", true},
};
#define ENDINGS ARRAY_LEN(endings)

static const struct flavour *flavour;
static struct system *curfew;
static char ids[ENDINGS][SYSTEM_ID_SIZE];

static void act(const struct ending *ending, const char *id)
{
    if (ending->state)
        system_expect(curfew, id, "/state", ending->state, WAIT_MS);
    if (ending->act == PAUSE_AND_STOP) {
        assert_int_equal(system_post(curfew, "/v1/jobs/%s/pause", id), 200);
        system_expect(curfew, id, "/state", "paused", WAIT_MS);
    }
    if (ending->act == LET_AN_HOUR_PASS)
        system_let_an_hour_pass(curfew, id);
    else if (ending->act != NOTHING)
        system_stop(curfew, id);
    if (ending->act == STOP_TWICE) {
        system_expect(curfew, id, "/cleanup", "pending", WAIT_MS);
        system_stop(curfew, id);
    }
}

static bool was_sent(struct json_object *cleanup, const char *service, const char *signal)
{
    for (size_t i = 0; i < json_length_at(cleanup, "/certificates"); i++) {
        struct json_object *certificate = json_object_array_get_idx(json_at(cleanup, "/certificates"), i);
        if (strcmp(json_text_at(certificate, "/service"), service) != 0)
            continue;
        for (size_t k = 0; k < json_length_at(certificate, "/signals"); k++) {
            struct json_object *sent = json_object_array_get_idx(json_at(certificate, "/signals"), k);
            if (strcmp(json_text_at(sent, "/signal"), signal) == 0 && *json_text_at(sent, "/at"))
                return true;
        }
    }
    return false;
}

// Both were asked; `store`, which ignores that, was killed, and not asked before `front` was gone.
static void check_stop(const char *id)
{
    AUTO_JSON_OBJECT struct json_object *cleanup = system_get(curfew, "/v1/jobs/%s/cleanup", id);
    AUTO_JSON_OBJECT struct json_object *services = system_get(curfew, "/v1/jobs/%s/services", id);
    assert_true(was_sent(cleanup, "front", "SIGTERM"));
    assert_true(was_sent(cleanup, "store", "SIGTERM"));
    assert_true(was_sent(cleanup, "store", "SIGKILL"));
    const char *front_stopped = json_text_at(services, "/services/1/stopped_at");
    const char *store_asked = json_text_at(services, "/services/0/stop_requested_at");
    assert_string_equal(json_text_at(services, "/services/0/name"), "store");
    if (strcmp(front_stopped, store_asked) > 0)
        fail_msg("store was stopped at %s, front was there until %s", store_asked, front_stopped);
}

static void test_ending(void **state)
{
    size_t number = (size_t)(uintptr_t)*state;
    const struct ending *ending = &endings[number];
    const char *id = ids[number];
    act(ending, id);
    AUTO_JSON_OBJECT struct json_object *job = system_wait_closed_as(curfew, id, ending->outcome, WAIT_MS);
    assert_int_equal(flavour->leftovers(curfew, id), 0);
    assert_string_equal(json_text_at(job, "/reason/code"), ending->reason);
    assert_string_equal(json_text_at(job, "/cleanup"), ending->cleanup);
    if (ending->was_ready)
        check_stop(id);
    assert_int_equal(system_violations(curfew), 0);
}

// Stops and waits that come afterwards change nothing.
static void test_ended_is_ended(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ENDINGS; i++) {
        AUTO_JSON_OBJECT struct json_object *before = system_get(curfew, "/v1/jobs/%s", ids[i]);
        system_stop(curfew, ids[i]);
        AUTO_JSON_OBJECT struct json_object *after = system_get(curfew, "/v1/jobs/%s", ids[i]);
        assert_string_equal(json_text_at(after, "/outcome"), endings[i].outcome);
        assert_string_equal(json_text_at(after, "/closed_at"), json_text_at(before, "/closed_at"));
    }
}

static int set_up(void **state)
{
    UNUSED(state);
    curfew = flavour->start_system(40);
    for (size_t i = 0; i < ENDINGS; i++) {
        char *spec AUTO_FREE = flavour->adapt(quoted("{'name':'ending-%zu',%s}", i, endings[i].members));
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

int endings_run(const struct flavour *how)
{
    flavour = how;
    struct CMUnitTest tests[ENDINGS + 1] = {0};
    for (size_t i = 0; i < ENDINGS; i++)
        tests[i] = (struct CMUnitTest){endings[i].name, test_ending, NULL, NULL, (void *)(uintptr_t)i};
    tests[ENDINGS] = (struct CMUnitTest)cmocka_unit_test(test_ended_is_ended);
    return _cmocka_run_group_tests("autostop", tests, ARRAY_LEN(tests), set_up, tear_down);
}
