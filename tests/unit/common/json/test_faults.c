#include "services/common/base/utf8.h"
#include "services/common/json/faults.h"
#include "tests/support/test.h"

#include <string.h>

static void keeps_them_in_order(void **state)
{
    UNUSED(state);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    faults_add(&faults, FAULT_RANGE, "/a", "has %d", 1);
    faults_add(&faults, FAULT_TYPE, "/b", "has %s", "two");
    assert_int_equal(faults_total(&faults), 2);
    assert_string_equal(faults.list[0].detail, "has 1");
    assert_string_equal(faults.list[1].pointer, "/b");
    assert_string_equal(faults.list[1].detail, "has two");
}

static void counts_what_is_too_much(void **state)
{
    UNUSED(state);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    for (int i = 0; i < FAULTS_MAX + 17; i++)
        faults_add(&faults, FAULT_RANGE, "/x", "%d", i);
    assert_int_equal(faults.count, FAULTS_MAX);
    assert_int_equal(faults.dropped, 17);
    assert_int_equal(faults_total(&faults), FAULTS_MAX + 17);
    faults_release(&faults);
    assert_int_equal(faults_total(&faults), 0);
}

static void cuts_between_characters(void **state)
{
    UNUSED(state);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    char text[601] = "x";
    for (size_t i = 1; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 2] = '\0';
    faults_add(&faults, FAULT_RANGE, text, "%s", text);
    assert_true(utf8_valid(faults.list[0].pointer, strlen(faults.list[0].pointer)));
    assert_true(utf8_valid(faults.list[0].detail, strlen(faults.list[0].detail)));
    assert_true(strlen(faults.list[0].detail) >= FAULT_DETAIL_SIZE - 2);
}

static void names_every_code(void **state)
{
    UNUSED(state);
    for (int code = FAULT_SYNTAX; code <= FAULT_CONFLICT; code++) {
        for (int other = FAULT_SYNTAX; other < code; other++)
            assert_string_not_equal(fault_code_name((enum fault_code)code), fault_code_name((enum fault_code)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_them_in_order),
        cmocka_unit_test(counts_what_is_too_much),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(names_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
