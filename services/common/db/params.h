// Parameters of one execution, in order $1, $2, ..., in binary format, in one buffer that is used again.
//
// Adding never fails visibly: what is wrong (memory, too many, a NUL in JSON) is reported by params_ok() and by whoever
// executes with them. Types are compared with what the prepared statement expects; nothing is converted silently.
// Not thread-safe.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARAMS_MAX 64

enum param_type {
    PARAM_NULL, // fits every parameter
    PARAM_I64,
    PARAM_I32,
    PARAM_I16,
    PARAM_BOOLEAN,
    PARAM_DOUBLE,
    PARAM_TEXT,
    PARAM_BYTEA,
    PARAM_LITERAL, // text that the server parses as whatever the statement wants: json, jsonb, interval, numeric
};

struct param {
    size_t offset; // in bytes.data
    int length;
    enum param_type type;
    bool array; // an array of `type`
};

struct params {
    struct strbuf bytes;
    struct param values[PARAMS_MAX];
    int count;
    // of the array that is being built
    bool array_open;
    bool array_has_null;
    size_t array_elements;
    const char *problem; // NULL: none
};
#define PARAMS_INIT {0}
#define AUTO_PARAMS CLEANUP(params_release)

void params_release(struct params *params);
void params_clear(struct params *params); // forgets values and problems, keeps the buffer
int params_ok(const struct params *params, struct err *err) WARN_UNUSED;

void params_null(struct params *params);
void params_i64(struct params *params, int64_t value);     // bigint
void params_i32(struct params *params, int32_t value);     // integer
void params_i16(struct params *params, int16_t value);     // smallint
void params_bool(struct params *params, bool value);       // boolean
void params_double(struct params *params, double value);   // double precision
void params_text(struct params *params, const char *text); // text, varchar, name, an enum, json; NULL becomes null
void params_text_n(struct params *params, const char *text, size_t length);
void params_bytea(struct params *params, const void *bytes, size_t length); // NULL becomes null
void params_json(struct params *params, const char *json, size_t length);   // json or jsonb; NULL becomes null
// The text form of any type (interval, numeric, timestamptz); the server parses it.
void params_literal(struct params *params, const char *text);

// Whole arrays. A NULL text is a null element.
void params_i64_array(struct params *params, const int64_t *values, size_t count);
void params_i32_array(struct params *params, const int32_t *values, size_t count);
void params_i16_array(struct params *params, const int16_t *values, size_t count);
void params_bool_array(struct params *params, const bool *values, size_t count);
void params_text_array(struct params *params, const char *const *texts, size_t count);

// Arrays element by element, straight into the buffer: begin, one params_add_* per element, end.
// Elements must have the type that was begun; I64 to BYTEA can be elements.
void params_array_begin(struct params *params, enum param_type element);
void params_add_null(struct params *params);
void params_add_i64(struct params *params, int64_t value);
void params_add_i32(struct params *params, int32_t value);
void params_add_i16(struct params *params, int16_t value);
void params_add_bool(struct params *params, bool value);
void params_add_double(struct params *params, double value);
void params_add_text(struct params *params, const char *text, size_t length);
void params_add_bytea(struct params *params, const void *bytes, size_t length);
void params_array_end(struct params *params);
