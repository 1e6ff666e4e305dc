#include "services/common/db/rerun.h"

#include "services/common/db/transaction.h"
#include "tests/support/test.h"

static int waits(const struct db_error *error)
{
    struct rerun rerun = RERUN_INIT;
    int count = 0;
    while (rerun_wait(&rerun, error))
        count++;
    return count;
}

static void runs_again_a_bounded_number_of_times(void **state)
{
    UNUSED(state);
    assert_int_equal(waits(&(struct db_error){.retryable = true}), TRANSACTION_ATTEMPTS - 1);
    assert_int_equal(waits(&(struct db_error){.connection_lost = true}), TRANSACTION_ATTEMPTS - 1);
}

static void what_is_final_or_unknown_is_not_repeated(void **state)
{
    UNUSED(state);
    assert_int_equal(waits(&(struct db_error){0}), 0);
    assert_int_equal(waits(&(struct db_error){.connection_lost = true, .outcome_unknown = true}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_again_a_bounded_number_of_times),
        cmocka_unit_test(what_is_final_or_unknown_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
