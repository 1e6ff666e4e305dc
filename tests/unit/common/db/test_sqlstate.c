#include "services/common/db/sqlstate.h"

#include "tests/support/test.h"

static void states_have_codes(void **state)
{
    UNUSED(state);
    static const struct {
        const char *sqlstate;
        enum err_code code;
    } cases[] = {
        {"23505", ERR_CONFLICT},    {"23503", ERR_INTERNAL},    {"40001", ERR_UNAVAILABLE}, {"40P01", ERR_UNAVAILABLE},
        {"08006", ERR_UNAVAILABLE}, {"57P01", ERR_UNAVAILABLE}, {"57014", ERR_TIMEOUT},     {"22021", ERR_INVALID},
        {"42601", ERR_INTERNAL},    {"53100", ERR_UNAVAILABLE}, {"28P01", ERR_UNAVAILABLE}, {"55P03", ERR_UNAVAILABLE},
        {"54000", ERR_TOO_LARGE},   {"99999", ERR_INTERNAL},    {"", ERR_INTERNAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(sqlstate_code(cases[i].sqlstate), cases[i].code);
}

static void only_two_are_worth_another_run(void **state)
{
    UNUSED(state);
    assert_true(sqlstate_is_retryable("40001"));
    assert_true(sqlstate_is_retryable("40P01"));
    assert_false(sqlstate_is_retryable("40002"));
    assert_false(sqlstate_is_retryable("23505"));
    assert_false(sqlstate_is_retryable(""));
}

static void knows_when_the_connection_is_of_no_use(void **state)
{
    UNUSED(state);
    static const char *const lost[] = {"08000", "08006", "57P01", "57P02", "57P03", "57P05", "25006", "25P03"};
    static const char *const kept[] = {"57014", "40001", "23505", "25P02", "0A000", ""};
    for (size_t i = 0; i < ARRAY_LEN(lost); i++)
        assert_true(sqlstate_is_connection_lost(lost[i]));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        assert_false(sqlstate_is_connection_lost(kept[i]));
}

static void knows_stale_sessions_and_unique_violations(void **state)
{
    UNUSED(state);
    assert_true(sqlstate_is_stale_session("0A000"));
    assert_true(sqlstate_is_stale_session("26000"));
    assert_false(sqlstate_is_stale_session("42P01"));
    assert_true(sqlstate_is_unique_violation("23505"));
    assert_false(sqlstate_is_unique_violation("23P01"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_have_codes),
        cmocka_unit_test(only_two_are_worth_another_run),
        cmocka_unit_test(knows_when_the_connection_is_of_no_use),
        cmocka_unit_test(knows_stale_sessions_and_unique_violations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
