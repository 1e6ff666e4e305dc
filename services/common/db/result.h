// Rows that a statement returned.
//
// Reading never fails visibly: a column of another type, a null where a value is wanted, a row or column that is not
// there yield 0 or "" and turn the result `failed`; whoever reads checks once with result_ok() before using what
// was read for anything that lasts. Works the same on text and binary results unless it says otherwise. Pointers into a
// result live as long as the result. Not thread-safe.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_result; // libpq's PGresult

enum result_format {
    RESULT_TEXT,
    RESULT_BINARY, // for hot statements: numbers and times are not printed and parsed
};

struct result {
    struct pg_result *handle; // NULL: nothing
    const char *statement;    // for errors; not owned
    const char *problem;      // the first one, NULL: none
    int row, column;          // where it was; row -1: nowhere in particular
};
#define RESULT_INIT {0}
#define AUTO_RESULT CLEANUP(result_release)

void result_release(struct result *result);
// Zero when everything that was read was there and had its type; otherwise ERR_INTERNAL that names statement, row and
// column.
int result_ok(const struct result *result, struct err *err) WARN_UNUSED;

int result_rows(const struct result *result);
int result_columns(const struct result *result);
int64_t result_affected(const struct result *result); // rows that INSERT, UPDATE, DELETE, MERGE or SELECT reported
int result_column(struct result *result, const char *name); // index, or -1 and failed

bool result_is_null(struct result *result, int row, int column);
int64_t result_i64(struct result *result, int row, int column); // bigint, integer, smallint
int32_t result_i32(struct result *result, int row, int column); // integer, smallint
bool result_bool(struct result *result, int row, int column);
double result_double(struct result *result, int row, int column); // double precision, real
// Microseconds since 1970 of a timestamptz. Binary results only.
int64_t result_time_us(struct result *result, int row, int column);
// text, varchar, name, enums, json, jsonb; every type in a text result. NUL-terminated.
const char *result_text(struct result *result, int row, int column);
const char *result_text_n(struct result *result, int row, int column, size_t *length);
const char *result_text_or_null(struct result *result, int row, int column); // NULL for null
// bytea. Binary results only.
const void *result_bytea(struct result *result, int row, int column, size_t *length);
// Nulls as `fallback`.
int64_t result_i64_or(struct result *result, int row, int column, int64_t fallback);

// Reads an array of one dimension from a binary result, element by element.
struct result_array {
    struct result *result;
    const unsigned char *at;
    const unsigned char *end;
    size_t left; // elements not read yet
    unsigned element_type;
    int row, column;
};
struct result_array result_array(struct result *result, int row, int column); // null reads as empty
// Each reads the next element; with none left, or another type, the result is failed.
bool result_array_next_is_null(struct result_array *array); // looks only
void result_array_skip(struct result_array *array);
int64_t result_array_i64(struct result_array *array); // bigint, integer, smallint
bool result_array_bool(struct result_array *array);
const char *result_array_bytes(struct result_array *array, size_t *length); // text, bytea; not NUL-terminated
