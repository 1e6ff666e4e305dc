#include "services/common/db/params.h"

#include "services/common/db/type.h"

#include <limits.h>

// ndim, has null, element type; then per dimension: length, lower bound. All 32 bits.
#define ARRAY_HEADER_BYTES 12

void params_release(struct params *params)
{
    strbuf_release(&params->bytes);
    params_clear(params);
}

void params_clear(struct params *params)
{
    strbuf_clear(&params->bytes);
    params->count = 0;
    params->array_open = false;
    params->problem = NULL;
}

int params_ok(const struct params *params, struct err *err)
{
    if (params->problem)
        return err_set(err, ERR_INTERNAL, "parameter %d: %s", params->count, params->problem);
    if (params->array_open)
        return err_set(err, ERR_INTERNAL, "parameter %d: an array that was not ended", params->count);
    return strbuf_ok(&params->bytes, err);
}

static void complain(struct params *params, const char *problem)
{
    if (!params->problem)
        params->problem = problem;
}

static void add_u32(struct params *params, uint32_t value)
{
    value = __builtin_bswap32(value);
    strbuf_add(&params->bytes, &value, sizeof value);
}

static void add_u64(struct params *params, uint64_t value)
{
    value = __builtin_bswap64(value);
    strbuf_add(&params->bytes, &value, sizeof value);
}

static void add_u16(struct params *params, uint16_t value)
{
    value = __builtin_bswap16(value);
    strbuf_add(&params->bytes, &value, sizeof value);
}

static void add_f64(struct params *params, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_u64(params, bits);
}

// Begins the next value; NULL when there is no room for one more.
static struct param *begin(struct params *params, enum param_type type)
{
    if (params->array_open)
        complain(params, "inside an array that was not ended");
    if (params->count == PARAMS_MAX) {
        complain(params, "too many parameters");
        return NULL;
    }
    struct param *param = &params->values[params->count++];
    *param = (struct param){.type = type, .offset = params->bytes.length};
    return param;
}

static void end(struct params *params, struct param *param)
{
    size_t length = params->bytes.length - param->offset;
    if (length > INT_MAX)
        complain(params, "larger than 2 GiB");
    else
        param->length = (int)length;
}

void params_null(struct params *params)
{
    begin(params, PARAM_NULL);
}

void params_i64(struct params *params, int64_t value)
{
    struct param *param = begin(params, PARAM_I64);
    if (!param)
        return;
    add_u64(params, (uint64_t)value);
    end(params, param);
}

void params_i32(struct params *params, int32_t value)
{
    struct param *param = begin(params, PARAM_I32);
    if (!param)
        return;
    add_u32(params, (uint32_t)value);
    end(params, param);
}

void params_i16(struct params *params, int16_t value)
{
    struct param *param = begin(params, PARAM_I16);
    if (!param)
        return;
    add_u16(params, (uint16_t)value);
    end(params, param);
}

void params_bool(struct params *params, bool value)
{
    struct param *param = begin(params, PARAM_BOOLEAN);
    if (!param)
        return;
    strbuf_add_char(&params->bytes, value ? 1 : 0);
    end(params, param);
}

void params_double(struct params *params, double value)
{
    struct param *param = begin(params, PARAM_DOUBLE);
    if (!param)
        return;
    add_f64(params, value);
    end(params, param);
}

static void add_value(struct params *params, enum param_type type, const void *bytes, size_t length)
{
    struct param *param = begin(params, bytes ? type : PARAM_NULL);
    if (!param || !bytes)
        return;
    strbuf_add(&params->bytes, bytes, length);
    end(params, param);
}

void params_text(struct params *params, const char *text)
{
    add_value(params, PARAM_TEXT, text, text ? strlen(text) : 0);
}

void params_text_n(struct params *params, const char *text, size_t length)
{
    add_value(params, PARAM_TEXT, text, length);
}

void params_bytea(struct params *params, const void *bytes, size_t length)
{
    add_value(params, PARAM_BYTEA, bytes, length);
}

void params_json(struct params *params, const char *json, size_t length)
{
    if (json && memchr(json, 0, length))
        complain(params, "a NUL in a text"); // text format ends there
    add_value(params, PARAM_LITERAL, json, length);
    if (json)
        strbuf_add_char(&params->bytes, '\0');
}

void params_literal(struct params *params, const char *text)
{
    params_json(params, text, text ? strlen(text) : 0);
}

void params_array_begin(struct params *params, enum param_type element)
{
    struct param *param = begin(params, element);
    if (!param)
        return;
    param->array = true;
    params->array_open = true;
    params->array_has_null = false;
    params->array_elements = 0;
    unsigned element_type = type_of_param(element, false);
    if (!element_type)
        complain(params, "an array of a type that has no arrays");
    add_u32(params, 1);
    add_u32(params, 0);
    add_u32(params, element_type);
    add_u32(params, 0);
    add_u32(params, 1);
}

void params_array_end(struct params *params)
{
    if (!params->array_open) {
        complain(params, "the end of an array that was not begun");
        return;
    }
    params->array_open = false;
    struct param *param = &params->values[params->count - 1];
    if (params->bytes.failed)
        return;
    if (params->array_elements > INT32_MAX)
        complain(params, "an array of more than 2^31 elements");
    char *header = params->bytes.data + param->offset;
    if (params->array_elements == 0) {
        memset(header, 0, 4); // no dimensions
        params->bytes.length = param->offset + ARRAY_HEADER_BYTES;
    } else {
        uint32_t has_null = __builtin_bswap32(params->array_has_null);
        uint32_t elements = __builtin_bswap32((uint32_t)params->array_elements);
        memcpy(header + 4, &has_null, sizeof has_null);
        memcpy(header + ARRAY_HEADER_BYTES, &elements, sizeof elements);
    }
    end(params, param);
}

// Begins an element of `length` bytes; false when that does not fit what was begun.
static bool element(struct params *params, enum param_type type, size_t length)
{
    if (!params->array_open) {
        complain(params, "an element outside of an array");
        return false;
    }
    if (params->values[params->count - 1].type != type) {
        complain(params, "an element of another type than the array");
        return false;
    }
    if (length > INT32_MAX) {
        complain(params, "larger than 2 GiB");
        return false;
    }
    params->array_elements++;
    add_u32(params, (uint32_t)length);
    return true;
}

void params_add_null(struct params *params)
{
    if (!params->array_open) {
        complain(params, "an element outside of an array");
        return;
    }
    params->array_elements++;
    params->array_has_null = true;
    add_u32(params, UINT32_MAX);
}

void params_add_i64(struct params *params, int64_t value)
{
    if (element(params, PARAM_I64, 8))
        add_u64(params, (uint64_t)value);
}

void params_add_i32(struct params *params, int32_t value)
{
    if (element(params, PARAM_I32, 4))
        add_u32(params, (uint32_t)value);
}

void params_add_i16(struct params *params, int16_t value)
{
    if (element(params, PARAM_I16, 2))
        add_u16(params, (uint16_t)value);
}

void params_add_bool(struct params *params, bool value)
{
    if (element(params, PARAM_BOOLEAN, 1))
        strbuf_add_char(&params->bytes, value ? 1 : 0);
}

void params_add_double(struct params *params, double value)
{
    if (element(params, PARAM_DOUBLE, 8))
        add_f64(params, value);
}

void params_add_text(struct params *params, const char *text, size_t length)
{
    if (!text)
        params_add_null(params);
    else if (element(params, PARAM_TEXT, length))
        strbuf_add(&params->bytes, text, length);
}

void params_add_bytea(struct params *params, const void *bytes, size_t length)
{
    if (!bytes)
        params_add_null(params);
    else if (element(params, PARAM_BYTEA, length))
        strbuf_add(&params->bytes, bytes, length);
}

void params_i64_array(struct params *params, const int64_t *values, size_t count)
{
    params_array_begin(params, PARAM_I64);
    strbuf_reserve(&params->bytes, count * 12);
    for (size_t i = 0; i < count; i++)
        params_add_i64(params, values[i]);
    params_array_end(params);
}

void params_i32_array(struct params *params, const int32_t *values, size_t count)
{
    params_array_begin(params, PARAM_I32);
    strbuf_reserve(&params->bytes, count * 8);
    for (size_t i = 0; i < count; i++)
        params_add_i32(params, values[i]);
    params_array_end(params);
}

void params_i16_array(struct params *params, const int16_t *values, size_t count)
{
    params_array_begin(params, PARAM_I16);
    for (size_t i = 0; i < count; i++)
        params_add_i16(params, values[i]);
    params_array_end(params);
}

void params_bool_array(struct params *params, const bool *values, size_t count)
{
    params_array_begin(params, PARAM_BOOLEAN);
    for (size_t i = 0; i < count; i++)
        params_add_bool(params, values[i]);
    params_array_end(params);
}

void params_text_array(struct params *params, const char *const *texts, size_t count)
{
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < count; i++)
        params_add_text(params, texts[i], texts[i] ? strlen(texts[i]) : 0);
    params_array_end(params);
}
