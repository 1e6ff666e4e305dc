#include "services/worker/state.h"

#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <string.h>

static struct state open_state(void **state)
{
    struct state out;
    struct err err;
    assert_ok(state_open(temp_path(state, "state"), &out, &err), err);
    return out;
}

static void a_new_directory_knows_nothing(void **state)
{
    struct state now = open_state(state);
    assert_null(now.deployment);
    assert_int_equal(now.former_worker, 0);
    assert_int_equal(strlen(now.owner), STATE_OWNER_SIZE - 1);
    state_release(&now);
}

static void what_is_kept_is_there_again(void **state)
{
    struct err err;
    struct state first = open_state(state);
    assert_ok(state_keep_deployment(&first, "d1", &err), err);
    assert_false(first.had_engine);
    assert_ok(state_keep_registration(&first, 7, 3, "ABCD:EF", &err), err);
    struct state next = open_state(state);
    assert_true(next.had_engine);
    assert_string_equal(next.deployment, "d1");
    assert_int_equal(next.former_worker, 7);
    assert_int_equal(next.former_incarnation, 3);
    assert_string_equal(next.owner, first.owner);
    assert_ok(state_keep_registration(&next, 7, 4, NULL, &err), err);
    struct state last = open_state(state);
    assert_int_equal(last.former_incarnation, 4);
    assert_false(last.had_engine);
    state_release(&last);
    state_release(&first);
    state_release(&next);
}

// Also of those that were never answered.
static void registrations_are_counted(void **state)
{
    struct err err;
    int64_t count = 0;
    struct state first = open_state(state);
    assert_int_equal(first.registrations, 0);
    for (int64_t i = 1; i <= 3; i++) {
        assert_ok(state_count_registration(&first, &count, &err), err);
        assert_int_equal(count, i);
    }
    state_release(&first);
    struct state next = open_state(state);
    assert_int_equal(next.former_worker, 0);
    assert_ok(state_count_registration(&next, &count, &err), err);
    assert_int_equal(count, 4);
    state_release(&next);
    assert_ok(file_replace(temp_path(state, "state/registrations"), "x", 1, 0600, &err), err);
    struct state last = open_state(state);
    assert_int_equal(last.registrations, 0);
    state_release(&last);
}

static void what_makes_no_sense_proves_nothing(void **state)
{
    struct err err;
    struct state first = open_state(state);
    char owner[STATE_OWNER_SIZE];
    memcpy(owner, first.owner, sizeof owner);
    assert_ok(state_keep_deployment(&first, "d1", &err), err);
    state_release(&first);
    assert_ok(file_replace(temp_path(state, "state/registration"), "x y", 3, 0600, &err), err);
    assert_ok(file_replace(temp_path(state, "state/owner"), "short", 5, 0600, &err), err);
    struct state next = open_state(state);
    assert_int_equal(next.former_worker, 0);
    assert_string_not_equal(next.owner, owner);
    state_release(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_directory_knows_nothing, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_kept_is_there_again, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(registrations_are_counted, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_proves_nothing, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
