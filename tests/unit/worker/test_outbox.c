#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/common/base/macros.h"
#include "services/worker/outbox.h"

static struct outbox *new_outbox(void)
{
    struct outbox *outbox = NULL;
    assert_int_equal(outbox_new(&outbox, NULL), 0);
    return outbox;
}

static void add_outcome(struct outbox *outbox, int64_t token)
{
    const struct slice_range range = {0, 5};
    const struct slice_failed_task failed = {
        .task = 5, .error = "exit 3: \"no\"", .exit = 3, .retry = SLICE_RETRY_NEVER};
    const struct slice_output output = {.task = 1, .json = "{\"a\":1}"};
    const struct slice_outcome outcome = {.slice = "j1/0/0",
                                          .token = token,
                                          .succeeded = &range,
                                          .succeeded_count = 1,
                                          .failed = &failed,
                                          .failed_count = 1,
                                          .outputs = &output,
                                          .output_count = 1};
    assert_int_equal(outbox_add_outcome(outbox, &outcome, NULL), 0);
}

static void put_observation(struct outbox *outbox, int state)
{
    const struct observation observation = {.job = "j1",
                                            .service = "cache",
                                            .epoch = 1,
                                            .state = state,
                                            .exit_code = -1,
                                            .exit_signal = 9,
                                            .grade = GRADE_ABSENT,
                                            .ports = "{\"main\":4}"};
    assert_int_equal(outbox_put_observation(outbox, &observation, NULL), 0);
}

static void assert_collects(struct outbox *outbox, size_t max_bytes, const char *expected)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    outbox_collect(outbox, max_bytes, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

#define OUTCOME(token)                                                                 \
    "{\"slice\":\"j1/0/0\",\"token\":" #token                                          \
    ",\"succeeded\":[[0,5]],\"failed\":[{\"task\":5,\"error\":\"exit 3: \\\"no\\\"\"," \
    "\"exit\":3,\"retry\":\"never\"}],\"outputs\":[{\"task\":1,\"output\":{\"a\":1}}]}"
#define OBSERVATION(state)                                                                                    \
    "{\"job\":\"j1\",\"service\":\"cache\",\"epoch\":1,\"state\":\"" state                                    \
    "\",\"object\":null,\"host\":null,\"boundary\":null,"                                                     \
    "\"error\":null,\"ports\":{\"main\":4},\"signals\":null,\"exit\":{\"code\":null,\"signal\":9},\"grade\":" \
    "\"absent\"}"

static void outcomes_stay_until_they_arrived(void **state)
{
    UNUSED(state);
    struct outbox *outbox = new_outbox();
    assert_false(outbox_pending(outbox));
    add_outcome(outbox, 7);
    assert_true(outbox_pending(outbox));
    assert_collects(outbox, 10000, "\"slices\":[" OUTCOME(7) "],\"instances\":[]");
    assert_false(outbox_pending(outbox));
    outbox_not_delivered(outbox);
    assert_collects(outbox, 10000, "\"slices\":[" OUTCOME(7) "],\"instances\":[]");
    int64_t tokens[4];
    assert_int_equal(outbox_held(outbox, tokens, 4), 1);
    assert_int_equal(tokens[0], 7);
    outbox_delivered(outbox);
    assert_int_equal(outbox_held(outbox, tokens, 4), 0);
    assert_collects(outbox, 10000, "\"slices\":[],\"instances\":[]");
    outbox_free(outbox);
}

// The manager would refuse the whole report, and with it what others have to say.
static void errors_are_utf8_whatever_they_quote(void **state)
{
    UNUSED(state);
    struct outbox *outbox = new_outbox();
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    const struct slice_failed_task failed = {.error = "copy '\xE9t\xE9'", .exit = -1};
    const struct slice_outcome outcome = {.slice = "j1/0/0", .failed = &failed, .failed_count = 1};
    const struct observation observation = {
        .job = "j1", .service = "cache", .epoch = 1, .state = INSTANCE_FAILED, .error = "no such command: caf\xC3"};
    assert_int_equal(outbox_add_outcome(outbox, &outcome, NULL), 0);
    assert_int_equal(outbox_put_observation(outbox, &observation, NULL), 0);
    outbox_collect(outbox, 10000, &text);
    assert_non_null(strstr(strbuf_text(&text), "\"copy '?t?'\""));
    assert_non_null(strstr(strbuf_text(&text), "\"no such command: caf?\""));
    outbox_free(outbox);
}

static void the_latest_observation_counts(void **state)
{
    UNUSED(state);
    struct outbox *outbox = new_outbox();
    put_observation(outbox, INSTANCE_STARTING);
    put_observation(outbox, INSTANCE_READY);
    assert_collects(outbox, 10000, "\"slices\":[],\"instances\":[" OBSERVATION("ready") "]");
    put_observation(outbox, INSTANCE_STOPPED); // while the other is under way
    assert_true(outbox_pending(outbox));
    outbox_not_delivered(outbox);
    assert_collects(outbox, 10000, "\"slices\":[],\"instances\":[" OBSERVATION("stopped") "]");
    put_observation(outbox, INSTANCE_VERIFIED);
    outbox_delivered(outbox);
    assert_collects(outbox, 10000, "\"slices\":[],\"instances\":[" OBSERVATION("verified") "]");
    outbox_free(outbox);
}

static void a_report_is_bounded_but_never_empty(void **state)
{
    UNUSED(state);
    struct outbox *outbox = new_outbox();
    add_outcome(outbox, 1);
    add_outcome(outbox, 2);
    put_observation(outbox, INSTANCE_READY);
    assert_collects(outbox, 10, "\"slices\":[" OUTCOME(1) "],\"instances\":[]");
    outbox_delivered(outbox);
    assert_collects(outbox, 10, "\"slices\":[" OUTCOME(2) "],\"instances\":[]");
    outbox_delivered(outbox);
    assert_collects(outbox, 10, "\"slices\":[],\"instances\":[" OBSERVATION("ready") "]");
    outbox_free(outbox);
}

static void what_is_refused_stops_nothing_else(void **state)
{
    UNUSED(state);
    struct outbox *outbox = new_outbox();
    add_outcome(outbox, 1);
    assert_collects(outbox, 10000, "\"slices\":[" OUTCOME(1) "],\"instances\":[]");
    add_outcome(outbox, 2);
    assert_int_equal(outbox_refused(outbox), 1);
    assert_collects(outbox, 10000, "\"slices\":[" OUTCOME(2) "],\"instances\":[]");
    outbox_clear(outbox);
    assert_false(outbox_pending(outbox));
    add_outcome(outbox, 3);
    assert_true(outbox_pending(outbox));
    outbox_free(outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_stay_until_they_arrived),    cmocka_unit_test(the_latest_observation_counts),
        cmocka_unit_test(errors_are_utf8_whatever_they_quote), cmocka_unit_test(a_report_is_bounded_but_never_empty),
        cmocka_unit_test(what_is_refused_stops_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
