// Clocks and the text of times.
#include "tests/support/test.h"

#include "services/common/base/clock.h"

#include <string.h>
#include <time.h>

static void check_text(int64_t wall_us, const char *expected)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(wall_us, text);
    assert_string_equal(text, expected);
}

static void formats_rfc_3339(void **state)
{
    UNUSED(state);
    check_text(0, "1970-01-01T00:00:00.000000Z");
    check_text(1, "1970-01-01T00:00:00.000001Z");
    check_text(-1, "1969-12-31T23:59:59.999999Z");
    check_text(INT64_C(951782400) * 1000000 + 120034, "2000-02-29T00:00:00.120034Z");
    check_text(INT64_C(253402300799) * 1000000 + 999999, "9999-12-31T23:59:59.999999Z");
}

static void extreme_times_stay_within_the_buffer(void **state)
{
    UNUSED(state);
    char text[CLOCK_TEXT_SIZE];
    clock_format(INT64_MAX, text);
    assert_true(strlen(text) < CLOCK_TEXT_SIZE);
    clock_format(INT64_MIN, text);
    assert_true(strlen(text) < CLOCK_TEXT_SIZE);
}

static void boot_clock_does_not_go_back(void **state)
{
    UNUSED(state);
    int64_t before = clock_boot_us();
    int64_t before_ms = clock_boot_ms();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_boot_us();
        assert_true(now >= before);
        before = now;
    }
    assert_true(before_ms > 0);
    assert_true(clock_boot_us() / 1000 >= before_ms);
}

static void wall_clock_is_the_systems(void **state)
{
    UNUSED(state);
    int64_t before = (int64_t)time(NULL);
    int64_t wall = clock_wall_us();
    int64_t after = (int64_t)time(NULL);
    assert_true(wall / 1000000 >= before - 1);
    assert_true(wall / 1000000 <= after + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_rfc_3339),
        cmocka_unit_test(extreme_times_stay_within_the_buffer),
        cmocka_unit_test(boot_clock_does_not_go_back),
        cmocka_unit_test(wall_clock_is_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
