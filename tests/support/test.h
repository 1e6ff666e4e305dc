// What every cmocka test includes, in the order that cmocka.h wants.
#pragma once

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "services/common/base/err.h"

// Asserts that an int expression that fills in `err` did not fail, and shows the error's text when it did.
#define assert_ok(expression, err)                                                      \
    do {                                                                                \
        if ((expression) < 0)                                                           \
            fail_msg("%s: %s: %s", #expression, err_code_name((err).code), (err).text); \
    } while (0)

// Asserts that an int expression failed with this code and that the error's text contains `part`.
#define assert_error(expression, err, expected_code, part)                            \
    do {                                                                              \
        assert_int_equal((expression), -1);                                           \
        assert_string_equal(err_code_name((err).code), err_code_name(expected_code)); \
        if (!strstr((err).text, (part)))                                              \
            fail_msg("'%s' does not contain '%s'", (err).text, (part));               \
    } while (0)
