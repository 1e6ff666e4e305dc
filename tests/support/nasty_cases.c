#include "tests/support/nasty_cases.h"

#include "tests/support/flavour.h"
#include "tests/support/system_calls.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 240000 // from the start of all of them
#define SERVICE(arguments, more)                                                                 \
    "'services':[{'name':'nasty','command':['@nasty@'," arguments "],'ports':[{'name':'main'}]," \
    "'env':{'PORT':'${PORT}'}," more "}]"
#define TCP "'ready':{'tcp':'main'}"
#define HTTP(more) "'ready':{'http':'/','interval':'50ms'" more "}"
#define LOG "'ready':{'log':'^ready$'}"
#define EXEC "'ready':{'exec':['true']}"
#define GRACE(grace) ",'stop':{'grace':'" grace "'}"
#define QUICK ",'command':['true']"
#define LONG ",'command':['sleep','600']"
#define SECONDS ",'command':['sleep','4']"

enum { NO_CODE = -1, ANY_EXIT = -2 };

struct nasty_case {
    const char *name, *members;
    const char *outcome, *reason;
    int instances;      // 0: several
    bool failed;        // the last instance did; of several, the first
    int exit_code;      // of the last one
    int exit_signal;    // 0 when it ended by itself; of the last one
    bool asked, killed; // was sent SIGTERM, SIGKILL
};

static const struct nasty_case cases[] = {
    {"well behaved", SERVICE("'well-behaved'", TCP) QUICK, "succeeded", "", 1, false, 0, 0, true, false},
    {"well behaved, ready by http", SERVICE("'well-behaved'", HTTP("")) QUICK, "succeeded", "", 1, false, 0, 0, true,
     false},
    {"well behaved, ready by log", SERVICE("'well-behaved'", LOG) QUICK, "succeeded", "", 1, false, 0, 0, true, false},
    {"well behaved, ready by exec", SERVICE("'well-behaved'", EXEC) QUICK, "succeeded", "", 1, false, 0, 0, true,
     false},
    {"ignores TERM", SERVICE("'ignore-term'", TCP GRACE("300ms")) QUICK, "succeeded", "", 1, false, NO_CODE, 9, true,
     true},
    {"forks twice and calls setsid", SERVICE("'double-fork-setsid'", TCP GRACE("300ms")) QUICK, "succeeded", "", 1,
     false, 0, 0, true, true},
    {"a tree that ignores TERM", SERVICE("'tree'", TCP GRACE("300ms")) QUICK, "succeeded", "", 1, false, NO_CODE, 9,
     true, true},
    {"never ready", SERVICE("'never-ready'", "'ready':{'tcp':'main','timeout':'300ms','deadline':'5s'}") QUICK,
     "failed", "service_never_ready", 1, true, 0, 0, true, false},
    {"ready, then hangs", SERVICE("'ready-then-hangs','15'", HTTP(",'timeout':'2s','failures':2")) LONG, "failed",
     "service_unhealthy", 1, true, 0, 0, true, false},
    {"exits with 0 at once", SERVICE("'exits-0'", TCP) QUICK, "failed", "service_failed", 1, true, 0, 0, false, false},
    {"exits with 3 on TERM", SERVICE("'exit-nonzero-on-term'", TCP) QUICK, "succeeded", "", 1, false, 3, 0, true,
     false},
    {"dies in mid-job", SERVICE("'dies-midway','7'", TCP) LONG, "failed", "service_failed", 1, true, 9, 0, false,
     false},
    {"needs its grace minus a second", SERVICE("'needs-grace-minus-1s','1000'", TCP GRACE("2s")) QUICK, "succeeded", "",
     1, false, 0, 0, true, false},
    {"binds its port late", SERVICE("'binds-late','1500'", TCP) QUICK, "succeeded", "", 1, false, 0, 0, true, false},
    {"dies and is restarted",
     SERVICE("'dies-midway','4'", TCP ",'on_failure':{'restart':{'max':50,'window':'1m','backoff':'20ms'}}") SECONDS,
     "succeeded", "", 0, true, ANY_EXIT, 0, false, false},
    {"fails more often than it may be restarted",
     SERVICE("'exits-0'", TCP ",'on_failure':{'restart':{'max':2,'window':'1m','backoff':'20ms'}}") QUICK, "failed",
     "service_restarts_exhausted", 3, true, 0, 0, false, false},
    {"may fail", SERVICE("'exits-0'", TCP ",'on_failure':'ignore'") QUICK, "succeeded", "", 1, true, 0, 0, false,
     false},
};
#define CASES ARRAY_LEN(cases)

static const struct flavour *flavour;
static struct system *curfew;
static char ids[CASES][SYSTEM_ID_SIZE];

static bool was_sent(struct json_object *certificate, const char *signal)
{
    for (size_t i = 0; i < json_length_at(certificate, "/signals"); i++) {
        struct json_object *sent = json_object_array_get_idx(json_at(certificate, "/signals"), i);
        if (strcmp(json_text_at(sent, "/signal"), signal) == 0)
            return true;
    }
    return false;
}

static void check_certificate(const struct nasty_case *expected, struct json_object *certificate)
{
    print_message("%s\n", json_object_to_json_string(certificate));
    assert_int_equal(json_object_get_boolean(json_at(certificate, "/failed")), expected->failed);
    if (expected->exit_code != ANY_EXIT) {
        struct json_object *code = json_at(certificate, "/exit/code");
        assert_int_equal(code ? json_object_get_int(code) : NO_CODE, expected->exit_code);
        assert_int_equal(json_number_at(certificate, "/exit/signal"), expected->exit_signal);
        assert_int_equal(was_sent(certificate, "SIGTERM"), expected->asked);
        // The daemons of a service that has ended were killed. Where they end with it, its own end may be seen so late
        // that a kill was sent as well.
        if (!flavour->daemons_end_with_service || expected->exit_signal == 9)
            assert_int_equal(was_sent(certificate, "SIGKILL"), expected->killed);
    }
}

static void test_case(void **state)
{
    size_t number = (size_t)(uintptr_t)*state;
    const struct nasty_case *expected = &cases[number];
    AUTO_JSON_OBJECT struct json_object *job = system_wait_closed_as(curfew, ids[number], expected->outcome, WAIT_MS);
    assert_int_equal(flavour->leftovers(curfew, ids[number]), 0);
    AUTO_JSON_OBJECT struct json_object *cleanup = system_get(curfew, "/v1/jobs/%s/cleanup", ids[number]);
    size_t count = json_length_at(cleanup, "/certificates");
    assert_string_equal(json_text_at(job, "/reason/code"), expected->reason);
    assert_string_equal(json_text_at(job, "/cleanup"), "clean");
    assert_true(expected->instances == 0 ? count >= 2 : count == (size_t)expected->instances);
    // Of those that are restarted the first has died. The last may die, too, just before the end of its job stops it.
    size_t judged = expected->instances == 0 ? 0 : count - 1;
    check_certificate(expected, json_object_array_get_idx(json_at(cleanup, "/certificates"), judged));
    assert_int_equal(system_violations(curfew), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    curfew = flavour->start_system(20);
    for (size_t i = 0; i < CASES; i++) {
        char *spec AUTO_FREE = flavour->adapt(quoted("{'name':'nasty-%zu',%s}", i, cases[i].members));
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

int nasty_cases_run(const struct flavour *how)
{
    flavour = how;
    struct CMUnitTest tests[CASES] = {0};
    for (size_t i = 0; i < CASES; i++)
        tests[i] = (struct CMUnitTest){cases[i].name, test_case, NULL, NULL, (void *)(uintptr_t)i};
    return _cmocka_run_group_tests("nasty", tests, CASES, set_up, tear_down);
}
