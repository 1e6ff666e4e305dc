// PostgreSQL's built-in types, as far as parameters and results know them, and their binary form. Internal to
// common/db.
#pragma once

#include "services/common/db/params.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum type_oid {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_JSON = 114,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_UNKNOWN = 705,
    TYPE_BOOL_ARRAY = 1000,
    TYPE_BYTEA_ARRAY = 1001,
    TYPE_INT2_ARRAY = 1005,
    TYPE_INT4_ARRAY = 1007,
    TYPE_TEXT_ARRAY = 1009,
    TYPE_VARCHAR_ARRAY = 1015,
    TYPE_INT8_ARRAY = 1016,
    TYPE_FLOAT8_ARRAY = 1022,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_NUMERIC = 1700,
    TYPE_JSONB = 3802,
    TYPE_FIRST_OF_USERS = 16384, // enums and the like, which are text on the wire
};

#define TYPE_NAME_SIZE 24
// "bigint", "text[]", "type 600".
const char *type_name(unsigned oid, char buffer[static TYPE_NAME_SIZE]);
// The type that a parameter is sent with; 0: there is none, and the server decides.
unsigned type_of_param(enum param_type type, bool is_array);
// Types whose binary form is the text itself (jsonb has one byte before it).
bool type_is_text(unsigned oid);

static inline uint16_t wire_u16(const void *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap16(value);
}

static inline uint32_t wire_u32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t wire_u64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is big endian, machines are little endian");
