#include "services/common/db/result.h"

#include "services/common/base/parse.h"
#include "services/common/db/type.h"

#include <libpq-fe.h>

#define MICROSECONDS_1970_TO_2000 (INT64_C(946684800) * 1000000)

void result_release(struct result *result)
{
    PQclear(result->handle);
    *result = (struct result)RESULT_INIT;
}

int result_ok(const struct result *result, struct err *err)
{
    if (!result->problem)
        return 0;
    const char *statement = result->statement ? result->statement : "";
    if (result->row < 0)
        return err_set(err, ERR_INTERNAL, "statement '%s': %s", statement, result->problem);
    const char *name = PQfname(result->handle, result->column);
    char type[TYPE_NAME_SIZE];
    return err_set(err, ERR_INTERNAL, "statement '%s': row %d, column %d (%s, %s): %s", statement, result->row,
                   result->column, name ? name : "none", type_name(PQftype(result->handle, result->column), type),
                   result->problem);
}

int result_rows(const struct result *result)
{
    return PQntuples(result->handle);
}

int result_columns(const struct result *result)
{
    return PQnfields(result->handle);
}

int64_t result_affected(const struct result *result)
{
    int64_t rows = 0;
    const char *text = result->handle ? PQcmdTuples(result->handle) : "";
    if (!*text || parse_i64(text, 0, INT64_MAX, "rows", &rows, NULL) < 0)
        return 0;
    return rows;
}

static void complain_at(struct result *result, int row, int column, const char *problem)
{
    if (result->problem)
        return;
    result->problem = problem;
    result->row = row;
    result->column = column;
}

int result_column(struct result *result, const char *name)
{
    int columns = PQnfields(result->handle);
    for (int i = 0; i < columns; i++)
        if (strcmp(PQfname(result->handle, i), name) == 0)
            return i;
    complain_at(result, -1, -1, "a column is missing that is asked for by name");
    return -1;
}

static bool exists(struct result *result, int row, int column)
{
    if (row >= 0 && row < PQntuples(result->handle) && column >= 0 && column < PQnfields(result->handle))
        return true;
    complain_at(result, row, column, "there is no such row or column");
    return false;
}

bool result_is_null(struct result *result, int row, int column)
{
    return !exists(result, row, column) || PQgetisnull(result->handle, row, column);
}

struct cell {
    const char *bytes;
    size_t length;
    unsigned type;
    bool binary;
};

// False, and the result failed, when there is no such cell or it is null.
static bool get(struct result *result, int row, int column, struct cell *cell)
{
    if (!exists(result, row, column))
        return false;
    if (PQgetisnull(result->handle, row, column)) {
        complain_at(result, row, column, "it is null");
        return false;
    }
    cell->bytes = PQgetvalue(result->handle, row, column);
    cell->length = (size_t)PQgetlength(result->handle, row, column);
    cell->type = PQftype(result->handle, column);
    cell->binary = PQfformat(result->handle, column) == 1;
    return true;
}

// The integer of `length` bytes in wire order. False when that is no integer of `type`.
static bool wire_integer(const void *bytes, size_t length, unsigned type, int64_t *out)
{
    if (type == TYPE_INT8 && length == 8)
        *out = (int64_t)wire_u64(bytes);
    else if (type == TYPE_INT4 && length == 4)
        *out = (int32_t)wire_u32(bytes);
    else if (type == TYPE_INT2 && length == 2)
        *out = (int16_t)wire_u16(bytes);
    else
        return false;
    return true;
}

static int64_t integer(struct result *result, int row, int column, int64_t min, int64_t max, const char *wanted)
{
    struct cell cell;
    int64_t value = 0;
    if (!get(result, row, column, &cell))
        return 0;
    bool is_integer = cell.type == TYPE_INT8 || cell.type == TYPE_INT4 || cell.type == TYPE_INT2;
    if (is_integer && cell.binary)
        is_integer = wire_integer(cell.bytes, cell.length, cell.type, &value);
    else if (is_integer)
        is_integer = parse_i64(cell.bytes, INT64_MIN, INT64_MAX, "", &value, NULL) == 0;
    if (is_integer && value >= min && value <= max)
        return value;
    complain_at(result, row, column, wanted);
    return 0;
}

int64_t result_i64(struct result *result, int row, int column)
{
    return integer(result, row, column, INT64_MIN, INT64_MAX, "an integer is wanted");
}

int64_t result_i64_or(struct result *result, int row, int column, int64_t fallback)
{
    if (exists(result, row, column) && PQgetisnull(result->handle, row, column))
        return fallback;
    return result_i64(result, row, column);
}

int32_t result_i32(struct result *result, int row, int column)
{
    return (int32_t)integer(result, row, column, INT32_MIN, INT32_MAX, "an integer of 32 bits is wanted");
}

bool result_bool(struct result *result, int row, int column)
{
    struct cell cell;
    if (!get(result, row, column, &cell))
        return false;
    if (cell.type == TYPE_BOOL && cell.length == 1)
        return cell.bytes[0] == (cell.binary ? 1 : 't');
    complain_at(result, row, column, "a boolean is wanted");
    return false;
}

static bool parse_double(const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && *end == '\0';
}

double result_double(struct result *result, int row, int column)
{
    struct cell cell;
    if (!get(result, row, column, &cell))
        return 0;
    if (cell.type == TYPE_FLOAT8 && cell.binary && cell.length == 8) {
        uint64_t bits = wire_u64(cell.bytes);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (cell.type == TYPE_FLOAT4 && cell.binary && cell.length == 4) {
        uint32_t bits = wire_u32(cell.bytes);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    double value = 0;
    if ((cell.type == TYPE_FLOAT8 || cell.type == TYPE_FLOAT4) && !cell.binary && parse_double(cell.bytes, &value))
        return value;
    complain_at(result, row, column, "a floating-point number is wanted");
    return 0;
}

int64_t result_time_us(struct result *result, int row, int column)
{
    struct cell cell;
    if (!get(result, row, column, &cell))
        return 0;
    if (cell.type == TYPE_TIMESTAMPTZ && cell.binary && cell.length == 8) {
        int64_t value = (int64_t)wire_u64(cell.bytes);
        if (value != INT64_MAX && value != INT64_MIN) // infinities
            return value + MICROSECONDS_1970_TO_2000;
    }
    complain_at(result, row, column, "a finite timestamptz in a binary result is wanted");
    return 0;
}

const char *result_text_n(struct result *result, int row, int column, size_t *length)
{
    struct cell cell;
    *length = 0;
    if (!get(result, row, column, &cell))
        return "";
    if (cell.binary && !type_is_text(cell.type)) {
        complain_at(result, row, column, "a text is wanted");
        return "";
    }
    size_t skip = cell.binary && cell.type == TYPE_JSONB && cell.length > 0 ? 1 : 0; // jsonb's version
    *length = cell.length - skip;
    return cell.bytes + skip;
}

const char *result_text(struct result *result, int row, int column)
{
    size_t length;
    return result_text_n(result, row, column, &length);
}

const char *result_text_or_null(struct result *result, int row, int column)
{
    return result_is_null(result, row, column) ? NULL : result_text(result, row, column);
}

const void *result_bytea(struct result *result, int row, int column, size_t *length)
{
    struct cell cell;
    *length = 0;
    if (!get(result, row, column, &cell))
        return "";
    if (cell.type == TYPE_BYTEA && cell.binary) {
        *length = cell.length;
        return cell.bytes;
    }
    complain_at(result, row, column, "a bytea in a binary result is wanted");
    return "";
}

struct result_array result_array(struct result *result, int row, int column)
{
    struct result_array array = {.result = result, .row = row, .column = column};
    struct cell cell;
    if (exists(result, row, column) && PQgetisnull(result->handle, row, column))
        return array;
    if (!get(result, row, column, &cell))
        return array;
    const unsigned char *header = (const unsigned char *)cell.bytes;
    bool sound = cell.binary && cell.length >= 12 && wire_u32(header) <= 1;
    if (sound && wire_u32(header) == 0)
        return array;
    if (!sound || cell.length < 20) {
        complain_at(result, row, column, "an array of one dimension in a binary result is wanted");
        return array;
    }
    array.element_type = wire_u32(header + 8);
    array.left = wire_u32(header + 12);
    array.at = header + 20;
    array.end = header + cell.length;
    return array;
}

bool result_array_next_is_null(struct result_array *array)
{
    return array->left > 0 && array->end - array->at >= 4 && wire_u32(array->at) == UINT32_MAX;
}

// Takes the next element: its bytes, or NULL for a null and for none.
static const unsigned char *take(struct result_array *array, size_t *length)
{
    *length = 0;
    if (array->left == 0 || array->end - array->at < 4) {
        complain_at(array->result, array->row, array->column, "read past the end of an array");
        return NULL;
    }
    uint32_t bytes = wire_u32(array->at);
    array->at += 4;
    array->left--;
    if (bytes == UINT32_MAX)
        return NULL;
    if ((size_t)(array->end - array->at) < bytes) {
        complain_at(array->result, array->row, array->column, "an array that is cut off");
        array->left = 0;
        return NULL;
    }
    const unsigned char *element = array->at;
    array->at += bytes;
    *length = bytes;
    return element;
}

void result_array_skip(struct result_array *array)
{
    size_t length;
    take(array, &length);
}

int64_t result_array_i64(struct result_array *array)
{
    size_t length;
    int64_t value = 0;
    const unsigned char *element = take(array, &length);
    if (!element || !wire_integer(element, length, array->element_type, &value))
        complain_at(array->result, array->row, array->column, "an array element that is not an integer");
    return value;
}

bool result_array_bool(struct result_array *array)
{
    size_t length;
    const unsigned char *element = take(array, &length);
    if (element && array->element_type == TYPE_BOOL && length == 1)
        return *element == 1;
    complain_at(array->result, array->row, array->column, "an array element that is not a boolean");
    return false;
}

const char *result_array_bytes(struct result_array *array, size_t *length)
{
    const unsigned char *element = take(array, length);
    if (element && (array->element_type == TYPE_BYTEA || type_is_text(array->element_type)))
        return (const char *)element;
    complain_at(array->result, array->row, array->column, "an array element that is not a text or bytea");
    *length = 0;
    return "";
}
