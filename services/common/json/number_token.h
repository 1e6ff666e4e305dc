// JSON numbers as they stand in a text: grammar, and whether int64 or double can hold them.
#pragma once

#include <stdbool.h>

struct json_number {
    const char *end; // behind it
    bool is_integer; // written without fraction and exponent
};

// NULL: the number at `at` is fine. Otherwise what is wrong with it; out->end is the place.
const char *json_number_check(const char *at, const char *limit, struct json_number *out);
