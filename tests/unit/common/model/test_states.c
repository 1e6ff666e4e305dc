// The tables of states: names, edges, and that every machine can come to its end from wherever it is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/common/base/cleanup.h"
#include "services/common/base/macros.h"
#include "services/common/model/states.h"

static void names_and_numbers_agree(void **state)
{
    UNUSED(state);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        assert_int_equal(outcome_from_name(outcome_name(i)), i);
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        assert_int_equal(job_state_from_name(job_state_name(i)), i);
    for (int i = 0; i < SLICE_STATE_COUNT; i++)
        assert_int_equal(slice_state_from_name(slice_state_name(i)), i);
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++)
        assert_int_equal(instance_state_from_name(instance_state_name(i)), i);
    assert_null(outcome_name(OUTCOME_NONE));
    assert_string_equal(outcome_name(OUTCOME_TIMED_OUT), "timed_out");
    assert_string_equal(cleanup_name(CLEANUP_STUCK), "stuck");
    assert_string_equal(grade_name(GRADE_PRESUMED), "presumed");
    assert_string_equal(worker_state_name(WORKER_QUARANTINED), "quarantined");
    assert_string_equal(instance_state_name(INSTANCE_STATE_COUNT), "?");
    assert_string_equal(slice_state_name(-1), "?");
    assert_int_equal(job_state_from_name("done"), -1);
}

typedef bool may_function(int from, int to);

// Every state that `may` leads to, from `from`, as bits.
static uint32_t reachable(may_function *may, int count, int from)
{
    uint32_t seen = 1u << from, before = 0;
    while (seen != before) {
        before = seen;
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++)
                if ((seen & (1u << i)) && may(i, j))
                    seen |= 1u << j;
    }
    return seen;
}

static void every_instance_can_be_verified(void **state)
{
    UNUSED(state);
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++)
        assert_true(reachable(instance_may, INSTANCE_STATE_COUNT, i) & (1u << INSTANCE_VERIFIED));
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++)
        assert_false(instance_may(INSTANCE_VERIFIED, i));
}

static void what_is_over_never_comes_back(void **state)
{
    UNUSED(state);
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++) {
        assert_false(instance_is_over(i) && instance_is_live(i));
        if (instance_is_up(i))
            assert_true(instance_is_live(i));
        for (int j = 0; j < INSTANCE_STATE_COUNT; j++)
            if (instance_is_over(i) && instance_may(i, j))
                assert_true(instance_is_over(j));
    }
    assert_false(instance_is_live(INSTANCE_PENDING));
    assert_true(instance_is_live(INSTANCE_LOST));
}

static void slices_end_in_three_ways(void **state)
{
    UNUSED(state);
    for (int i = 0; i < SLICE_STATE_COUNT; i++) {
        assert_false(slice_may(SLICE_SUCCEEDED, i));
        assert_false(slice_may(SLICE_CANCELLED, i));
    }
    assert_true(slice_may(SLICE_FAILED, SLICE_READY)); // retry
    assert_false(slice_may(SLICE_HELD, SLICE_LEASED)); // not before the services are ready
    assert_false(slice_may(SLICE_DELAYED, SLICE_LEASED));
}

static void an_outcome_never_changes(void **state)
{
    UNUSED(state);
    for (int i = JOB_SUCCEEDED; i < JOB_STATE_COUNT; i++)
        for (int j = 0; j < JOB_STATE_COUNT; j++)
            assert_false(job_state_may(i, j));
    for (int i = 0; i < JOB_SUCCEEDED; i++)
        assert_true(job_state_may(i, JOB_STOPPED));
}

static void lost_workers_come_back_anew(void **state)
{
    UNUSED(state);
    assert_true(worker_may(WORKER_LOST, WORKER_READY));
    assert_false(worker_may(WORKER_LOST, WORKER_DRAINING));
    assert_false(worker_may(WORKER_QUARANTINED, WORKER_DRAINING));
    assert_false(worker_may(WORKER_STATE_COUNT, WORKER_READY));
}

static void users_see_a_derived_state(void **state)
{
    UNUSED(state);
    assert_int_equal(job_state_of(OUTCOME_NONE, false, false, false, false), JOB_QUEUED);
    assert_int_equal(job_state_of(OUTCOME_NONE, false, false, true, false), JOB_STARTING);
    assert_int_equal(job_state_of(OUTCOME_NONE, false, false, false, true), JOB_RUNNING);
    assert_int_equal(job_state_of(OUTCOME_NONE, false, true, true, false), JOB_RUNNING);
    assert_int_equal(job_state_of(OUTCOME_NONE, true, true, true, true), JOB_PAUSED);
    assert_int_equal(job_state_of(OUTCOME_FAILED, true, true, true, true), JOB_FAILED);
    assert_int_equal(job_state_of(OUTCOME_TIMED_OUT, false, false, false, false), JOB_TIMED_OUT);
}

static void diagrams_are_printed(void **state)
{
    UNUSED(state);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    states_print_markdown(out);
    fclose(out);
    assert_non_null(strstr(text, "    stopping --> killing\n"));
    assert_non_null(strstr(text, "    ready --> leased\n"));
    assert_non_null(strstr(text, "    verified --> [*]\n"));
    assert_null(strstr(text, "?"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_agree),       cmocka_unit_test(every_instance_can_be_verified),
        cmocka_unit_test(what_is_over_never_comes_back), cmocka_unit_test(slices_end_in_three_ways),
        cmocka_unit_test(an_outcome_never_changes),      cmocka_unit_test(lost_workers_come_back_anew),
        cmocka_unit_test(users_see_a_derived_state),     cmocka_unit_test(diagrams_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
