// Strict parsers of small texts: integers, durations, sizes. The whole text must match.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

// Decimal, optional '-', no spaces, no plus, within [min, max]. `what` names the value in the error.
int parse_i64(const char *text, int64_t min, int64_t max, const char *what, int64_t *out, struct err *err) WARN_UNUSED;
// "250ms" "10s" "5m" "2h" "7d", also compound in falling order: "1h30m"; "0" needs no unit. Never negative, at most 10
// years.
int parse_duration_ms(const char *text, const char *what, int64_t *out, struct err *err) WARN_UNUSED;
// "512" "64Ki" "512Mi" "2Gi" "1Ti"; bytes, at most INT64_MAX.
int parse_size_bytes(const char *text, const char *what, int64_t *out, struct err *err) WARN_UNUSED;

int parse_hex_digit(char c); // -1: it is none

#define PARSE_DURATION_TEXT_SIZE 48
// The shortest text that parse_duration_ms reads back as the same value: "1h30m", "250ms", "0s".
void duration_format(int64_t ms, char out[static PARSE_DURATION_TEXT_SIZE]);
