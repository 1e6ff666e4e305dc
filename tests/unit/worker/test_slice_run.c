#include "services/worker/slice_run.h"

#include "tests/support/tasks_fixture.h"

static struct slice_run *make(int first, int count)
{
    struct slice_run *run;
    struct err err;
    assert_ok(slice_run_new(tasks_rig_order("j1", first, count, "\"command\":[\"x\"]", NULL, NULL), &run, &err), err);
    return run;
}

static void what_is_not_named_goes_back(void **state)
{
    UNUSED(state);
    struct err err;
    struct slice_outcome outcome;
    struct slice_run *run = make(100, 6);
    assert_int_equal(slice_run_waiting(run), 6);
    for (int i = 0; i < 5; i++)
        assert_int_equal(slice_run_take(run), 100 + i);
    assert_int_equal(run->active, 5);
    slice_run_succeed(run, 101, NULL, 0);
    slice_run_succeed(run, 100, NULL, 0);
    slice_run_drop(run, 102);
    slice_run_succeed(run, 104, NULL, 0);
    run->closed = true;
    assert_false(slice_run_has_more(run));
    assert_false(slice_run_is_done(run));
    slice_run_fail(run, 103, 7, SLICE_RETRY_NEVER, "no");
    assert_true(slice_run_is_done(run));
    assert_ok(slice_run_outcome(run, &outcome, &err), err);
    assert_string_equal(outcome.slice, "j1/0/100");
    assert_int_equal(outcome.token, 110);
    assert_int_equal(outcome.succeeded_count, 2);
    assert_int_equal(outcome.succeeded[0].from, 100);
    assert_int_equal(outcome.succeeded[0].to, 102);
    assert_int_equal(outcome.succeeded[1].from, 104);
    assert_int_equal(outcome.succeeded[1].to, 105);
    assert_int_equal(outcome.failed_count, 1);
    assert_int_equal(outcome.failed[0].task, 103);
    assert_int_equal(outcome.failed[0].exit, 7);
    assert_int_equal(outcome.failed[0].retry, SLICE_RETRY_NEVER);
    assert_string_equal(outcome.failed[0].error, "no");
    slice_run_free(run);
    slice_run_free(NULL);
}

static void outputs_rise_by_task_and_keep_their_order(void **state)
{
    UNUSED(state);
    struct err err;
    struct slice_outcome outcome;
    struct slice_run *run = make(0, 50);
    for (int i = 0; i < 50; i++)
        slice_run_take(run);
    for (int i = 49; i >= 0; i--) {
        char first[16], second[16];
        snprintf(first, sizeof first, "%d", i);
        snprintf(second, sizeof second, "%d", 1000 + i);
        slice_run_succeed(run, i, (const char *const[]){first, second}, 2);
    }
    assert_ok(slice_run_outcome(run, &outcome, &err), err);
    assert_int_equal(outcome.succeeded_count, 1);
    assert_int_equal(outcome.output_count, 100);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(outcome.outputs[2 * i].task, i);
        assert_int_equal(atoi(outcome.outputs[2 * i].json), i);
        assert_int_equal(atoi(outcome.outputs[2 * i + 1].json), 1000 + i);
    }
    slice_run_free(run);
}

static void many_outputs_close_the_slice(void **state)
{
    UNUSED(state);
    struct slice_run *run = make(0, 100);
    static char text[60001];
    const char *outputs[10];
    memset(text, '1', sizeof text - 1);
    for (size_t i = 0; i < ARRAY_LEN(outputs); i++)
        outputs[i] = text;
    int taken = 0;
    while (slice_run_has_more(run)) {
        slice_run_succeed(run, slice_run_take(run), outputs, ARRAY_LEN(outputs));
        taken++;
    }
    assert_int_equal(taken, SLICE_OUTPUT_BYTES_MAX / 600400 + 1);
    assert_true(slice_run_is_done(run));
    slice_run_free(run);
}

// The most that the manager takes: services/jobmanager/work_read.h.
#define REPORT_BYTES (8 << 20)
#define REPORT_OUTPUTS 200000

// All of its tasks end at once with as many outputs: what is named fits into a report, and something is.
static void assert_fits(int tasks, const char *const *outputs, size_t count)
{
    struct err err;
    struct slice_outcome outcome;
    struct slice_run *run = make(0, tasks);
    size_t bytes = 0;
    int64_t named = 0;
    while (slice_run_has_more(run))
        slice_run_take(run);
    for (int i = 0; i < tasks; i++)
        slice_run_succeed(run, i, outputs, count);
    assert_true(slice_run_is_done(run));
    assert_ok(slice_run_outcome(run, &outcome, &err), err);
    for (size_t i = 0; i < outcome.output_count; i++)
        bytes += strlen(outcome.outputs[i].json) + strlen("{'task':,'output':},") + 6;
    for (size_t i = 0; i < outcome.succeeded_count; i++)
        named += outcome.succeeded[i].to - outcome.succeeded[i].from;
    assert_true(bytes < REPORT_BYTES * 3 / 4 && outcome.output_count < REPORT_OUTPUTS);
    assert_in_range(named, 1, tasks - 1);
    assert_int_equal(outcome.output_count, named * (int64_t)count);
    slice_run_free(run);
}

static void a_report_fits_whatever_was_under_way(void **state)
{
    UNUSED(state);
    static char text[65001];
    static const char *large[16], *small[10000];
    memset(text, '1', sizeof text - 1);
    for (size_t i = 0; i < ARRAY_LEN(large); i++)
        large[i] = text;
    for (size_t i = 0; i < ARRAY_LEN(small); i++)
        small[i] = "1";
    assert_fits(32, large, ARRAY_LEN(large));
    assert_fits(100, small, ARRAY_LEN(small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_named_goes_back),
        cmocka_unit_test(outputs_rise_by_task_and_keep_their_order),
        cmocka_unit_test(many_outputs_close_the_slice),
        cmocka_unit_test(a_report_fits_whatever_was_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
