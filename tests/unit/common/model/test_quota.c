#include "services/common/model/quota.h"

#include "tests/support/test.h"

#include <string.h>

static const struct quota limits = {{[QUOTA_JOBS] = 3, [QUOTA_TASKS] = 100}};
static const struct quota_holder ci = {.token = 7, .name = "ci", .limits = &limits};

static enum err_code check(int64_t jobs, int64_t tasks, int64_t more_tasks, struct err *err)
{
    const struct quota used = {{[QUOTA_JOBS] = jobs, [QUOTA_TASKS] = tasks, [QUOTA_SERVICES] = 1000}};
    const struct quota wanted = {{[QUOTA_JOBS] = 1, [QUOTA_TASKS] = more_tasks, [QUOTA_SERVICES] = 5}};
    return quota_check(&ci, &used, &wanted, err) == 0 ? 0 : err->code;
}

static void up_to_the_limit_and_no_further(void **state)
{
    UNUSED(state);
    struct err err;
    assert_int_equal(check(2, 90, 10, &err), 0);
    assert_int_equal(check(3, 0, 1, &err), ERR_LIMIT);
    assert_string_equal(err.text, "token 'ci' may have 3 open jobs (max_jobs), and has 3");
    assert_int_equal(check(2, 91, 10, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "(max_tasks), and has 91"));
    assert_int_equal(check(7, 500, 0, &err), ERR_LIMIT); // the limit came later
}

static void what_is_too_large_alone_never_fits(void **state)
{
    UNUSED(state);
    struct err err;
    assert_int_equal(check(0, 0, 101, &err), ERR_TOO_LARGE);
    assert_string_equal(err.text, "token 'ci' may have 100 tasks in open jobs (max_tasks), and this job alone has 101");
    assert_int_equal(check(0, 0, INT64_MAX, &err), ERR_TOO_LARGE);
}

static void without_limits_everything_fits(void **state)
{
    UNUSED(state);
    struct err err;
    const struct quota_holder free_one = {.token = 8, .name = "free"};
    const struct quota much = {{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}}, none = {{0}};
    assert_int_equal(quota_check(&free_one, &much, &much, &err), 0);
    assert_false(quota_has_limits(NULL));
    assert_false(quota_has_limits(&none));
    assert_true(quota_has_limits(&limits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_the_limit_and_no_further),
        cmocka_unit_test(what_is_too_large_alone_never_fits),
        cmocka_unit_test(without_limits_everything_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
