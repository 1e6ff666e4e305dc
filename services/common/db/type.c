#include "services/common/db/type.h"

#include "services/common/base/macros.h"

#include <stdio.h>

static const struct {
    unsigned oid;
    const char *name;
} names[] = {
    {TYPE_BOOL, "boolean"},
    {TYPE_BYTEA, "bytea"},
    {TYPE_NAME, "name"},
    {TYPE_INT8, "bigint"},
    {TYPE_INT2, "smallint"},
    {TYPE_INT4, "integer"},
    {TYPE_TEXT, "text"},
    {TYPE_JSON, "json"},
    {TYPE_FLOAT4, "real"},
    {TYPE_FLOAT8, "double precision"},
    {TYPE_UNKNOWN, "unknown"},
    {TYPE_BOOL_ARRAY, "boolean[]"},
    {TYPE_BYTEA_ARRAY, "bytea[]"},
    {TYPE_INT2_ARRAY, "smallint[]"},
    {TYPE_INT4_ARRAY, "integer[]"},
    {TYPE_TEXT_ARRAY, "text[]"},
    {TYPE_VARCHAR_ARRAY, "varchar[]"},
    {TYPE_INT8_ARRAY, "bigint[]"},
    {TYPE_FLOAT8_ARRAY, "double precision[]"},
    {TYPE_BPCHAR, "char"},
    {TYPE_VARCHAR, "varchar"},
    {TYPE_TIMESTAMPTZ, "timestamptz"},
    {TYPE_NUMERIC, "numeric"},
    {TYPE_JSONB, "jsonb"},
};

const char *type_name(unsigned oid, char buffer[static TYPE_NAME_SIZE])
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].oid == oid)
            return names[i].name;
    snprintf(buffer, TYPE_NAME_SIZE, "type %u", oid);
    return buffer;
}

bool type_is_text(unsigned oid)
{
    switch (oid) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_NAME:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_UNKNOWN:
        return true;
    default:
        return oid >= TYPE_FIRST_OF_USERS;
    }
}

static unsigned array_type(enum param_type element)
{
    switch (element) {
    case PARAM_I64:
        return TYPE_INT8_ARRAY;
    case PARAM_I32:
        return TYPE_INT4_ARRAY;
    case PARAM_I16:
        return TYPE_INT2_ARRAY;
    case PARAM_BOOLEAN:
        return TYPE_BOOL_ARRAY;
    case PARAM_DOUBLE:
        return TYPE_FLOAT8_ARRAY;
    case PARAM_TEXT:
        return TYPE_TEXT_ARRAY;
    case PARAM_BYTEA:
        return TYPE_BYTEA_ARRAY;
    case PARAM_NULL:
    case PARAM_LITERAL:
        break;
    }
    return 0;
}

static unsigned scalar_type(enum param_type type)
{
    switch (type) {
    case PARAM_I64:
        return TYPE_INT8;
    case PARAM_I32:
        return TYPE_INT4;
    case PARAM_I16:
        return TYPE_INT2;
    case PARAM_BOOLEAN:
        return TYPE_BOOL;
    case PARAM_DOUBLE:
        return TYPE_FLOAT8;
    case PARAM_TEXT:
        return TYPE_TEXT;
    case PARAM_BYTEA:
        return TYPE_BYTEA;
    case PARAM_NULL:
    case PARAM_LITERAL:
        break;
    }
    return 0;
}

unsigned type_of_param(enum param_type type, bool is_array)
{
    return is_array ? array_type(type) : scalar_type(type);
}
