// The strict check that every JSON text passes before json-c or anything else looks at it.
//
// Accepts exactly RFC 8259 in valid UTF-8, minus what has bitten somebody: duplicate keys (compared as they decode),
// \u0000, lone surrogates, integers outside int64, numbers that overflow a double, a byte order mark. Bounded: it
// recurses at most depth_max deep and allocates nothing but 16 bytes for each member of the objects that are open at
// one place. Pure and thread-safe.
#pragma once

#include "services/common/base/err.h"
#include "services/common/json/pointer.h"

#include <stdbool.h>
#include <stddef.h>

#define JSON_DEPTH_CAP 64 // no limit may be set higher

// A zero means the default.
struct json_limits {
    size_t bytes_max;        // of the text; 16 MiB; never above 2 GiB
    unsigned depth_max;      // of nested arrays and objects; 32
    size_t values_max;       // values of all kinds in all; 1,000,000
    size_t members_max;      // of all objects that are open at one place; 10,000
    size_t string_bytes_max; // of one string or key as it is written; 1 MiB
    size_t heap_bytes_max;   // what json-c would allocate, estimated from above; 64 MiB
    bool any_top;            // false: the top must be an object
};
#define JSON_NUMBER_BYTES_MAX 256 // of one number as it is written

// What was found out about a text. After a failure: where it stopped.
struct json_scanned {
    size_t values;
    size_t heap_bytes; // what json-c needs for it at most; never below the truth
    // the fault's place, valid when json_scan failed
    size_t offset; // in bytes, from 0
    size_t line;   // from 1
    size_t column; // in characters, from 1
    struct json_pointer pointer;
    const char *problem; // what is wrong there, without the place; a literal
};

// Checks `length` bytes (no NUL behind them needed). `limits` may be NULL, `out` may be NULL.
// Errors: ERR_INVALID, ERR_TOO_LARGE (over a limit), ERR_NO_MEMORY; the text names line, column and pointer.
int json_scan(const char *text, size_t length, const struct json_limits *limits, struct json_scanned *out,
              struct err *err) WARN_UNUSED;

// Line and column (both from 1, columns in characters) of a byte offset.
void json_line_column(const char *text, size_t length, size_t offset, size_t *line, size_t *column);
