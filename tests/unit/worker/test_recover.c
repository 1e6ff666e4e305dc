// Before a worker registers again: everything of its former life is taken over, ended, and seen to be gone.
#include "tests/support/test.h"

#include "services/common/base/macros.h"
#include "services/worker/recover.h"
#include "tests/support/runtime_scripted.h"

#define JOB "j0cnv6bv2mqe4m"

struct seen {
    int calls;
    struct survivors *survivors;
    size_t ended;
    bool failed;
};

static void on_done(void *context, size_t ended, const struct err *err)
{
    struct seen *seen = context;
    seen->calls++;
    seen->ended = ended;
    seen->failed = err != NULL;
}

static void on_changed(void *context)
{
    UNUSED(context);
}

static const struct runtime_found leftovers[] = {
    {.identity = "j1/cache/1", .live = false, .remaining = 3, .directory = ""},
    {.identity = "j1/now/1", .live = true, .remaining = 1, .directory = ""},
    {.identity = "j1/main/4/9", .live = false, .remaining = 0, .directory = ""},
};

static struct recovery *start(struct runtime *runtime, struct seen *seen)
{
    struct recovery *recovery = NULL;
    struct err err = {0};
    *seen = (struct seen){0};
    assert_ok(survivors_new(runtime, on_changed, NULL, &seen->survivors, &err), err);
    assert_ok(recovery_start(runtime, seen->survivors, on_done, seen, &recovery, &err), err);
    assert_int_equal(seen->calls, 0);
    return recovery;
}

static void nothing_left_is_told_at_once(void **state)
{
    UNUSED(state);
    struct runtime *runtime = runtime_scripted_new();
    struct seen seen;
    start(runtime, &seen);
    runtime_scripted_listed(runtime, NULL, 0);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.ended, 0);
    assert_false(seen.failed);
    survivors_free(seen.survivors);
    runtime_free(runtime);
}

static void everything_has_to_be_gone_first(void **state)
{
    UNUSED(state);
    struct runtime *runtime = runtime_scripted_new();
    struct seen seen;
    start(runtime, &seen);
    runtime_scripted_listed(runtime, leftovers, ARRAY_LEN(leftovers));
    assert_true(runtime_scripted_saw(runtime, "adopt j1/cache/1"));
    assert_true(runtime_scripted_saw(runtime, "adopt j1/main/4/9"));
    assert_false(runtime_scripted_saw(runtime, "adopt j1/now/1")); // of this life
    runtime_scripted_gone(runtime_scripted_find(runtime, "j1/main/4/9"), RUNTIME_LOST);
    assert_int_equal(seen.calls, 0);
    runtime_scripted_gone(runtime_scripted_find(runtime, "j1/cache/1"), RUNTIME_FENCED);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.ended, 2);
    assert_int_equal(runtime_scripted_count(runtime), 0);
    assert_int_equal(survivors_count(seen.survivors), 0);
    survivors_free(seen.survivors);
    runtime_free(runtime);
}

static void an_end_in_the_middle_calls_nothing_back(void **state)
{
    UNUSED(state);
    struct runtime *runtime = runtime_scripted_new();
    struct seen seen;
    struct recovery *recovery = start(runtime, &seen);
    runtime_scripted_listed(runtime, leftovers, ARRAY_LEN(leftovers));
    recovery_free(recovery);
    assert_int_equal(seen.calls, 0);
    survivors_free(seen.survivors);
    recovery = start(runtime, &seen);
    recovery_free(recovery); // before the list has come
    runtime_scripted_listed(runtime, leftovers, ARRAY_LEN(leftovers));
    assert_int_equal(seen.calls, 0);
    recovery_free(NULL);
    survivors_free(seen.survivors);
    runtime_free(runtime);
}

// Whether it is wanted is not the worker's to say.
static void what_survives_is_left_alone(void **state)
{
    UNUSED(state);
    static const struct runtime_found found[] = {
        {.identity = JOB "/cache/1", .remaining = 1, .directory = "", .survives = true},
        {.identity = JOB "/main/4/9", .live = true, .remaining = 1, .directory = "", .survives = true},
    };
    struct runtime *runtime = runtime_scripted_new();
    struct seen seen;
    start(runtime, &seen);
    runtime_scripted_listed(runtime, found, ARRAY_LEN(found));
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.ended, 0);
    assert_int_equal(survivors_count(seen.survivors), 1);
    assert_false(runtime_scripted_saw(runtime, "adopt " JOB "/cache/1"));
    survivors_free(seen.survivors);
    runtime_free(runtime);
}

// The manager has no name for it, so it cannot say that it is held.
static void what_nobody_can_ask_for_is_ended_first(void **state)
{
    UNUSED(state);
    static const struct runtime_found found[] = {
        {.identity = JOB "/main/stream/9-1", .remaining = 1, .directory = "", .survives = true},
    };
    struct runtime *runtime = runtime_scripted_new();
    struct seen seen;
    start(runtime, &seen);
    runtime_scripted_listed(runtime, found, ARRAY_LEN(found));
    assert_int_equal(seen.calls, 0);
    assert_true(runtime_scripted_saw(runtime, "kill " JOB "/main/stream/9-1"));
    runtime_scripted_gone(runtime_scripted_find(runtime, JOB "/main/stream/9-1"), RUNTIME_STOPPED);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(survivors_count(seen.survivors), 0);
    survivors_free(seen.survivors);
    runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_left_is_told_at_once),
        cmocka_unit_test(everything_has_to_be_gone_first),
        cmocka_unit_test(what_survives_is_left_alone),
        cmocka_unit_test(what_nobody_can_ask_for_is_ended_first),
        cmocka_unit_test(an_end_in_the_middle_calls_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
