#include "services/common/base/macros.h"
#include "services/common/model/signal_name.h"
#include "tests/support/test.h"

#include <signal.h>

static void names_and_numbers_agree(void **state)
{
    UNUSED(state);
    for (int number = 1; number < 32; number++) {
        if (number == SIGSTKFLT)
            continue;
        assert_int_equal(signal_number(signal_name(number)), number);
    }
    assert_int_equal(signal_number("SIGTERM"), SIGTERM);
    assert_int_equal(signal_number("TERM"), SIGTERM);
    assert_string_equal(signal_name(SIGKILL), "SIGKILL");
    assert_string_equal(signal_name(40), "SIG40");
    static const char *const none[] = {"", "SIG", "term", "SIGNOPE", "15", "SIGSIGTERM"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_int_equal(signal_number(none[i]), -1);
}

static void knows_what_may_stop_a_program(void **state)
{
    UNUSED(state);
    static const int may[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGKILL, SIGUSR1, SIGWINCH};
    static const int may_not[] = {SIGSTOP, SIGCONT, SIGCHLD, SIGSEGV, 0, -1, 40};
    for (size_t i = 0; i < ARRAY_LEN(may); i++)
        assert_true(signal_may_stop(may[i]));
    for (size_t i = 0; i < ARRAY_LEN(may_not); i++)
        assert_false(signal_may_stop(may_not[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_agree),
        cmocka_unit_test(knows_what_may_stop_a_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
