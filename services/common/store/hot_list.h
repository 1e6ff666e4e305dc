// Lists that grow in the arena of a batch, and parameters that are one field of each of their elements. Private to
// store/hot*.c.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/db/params.h"

#include <stddef.h>
#include <string.h>

#define LIST(type)              \
    struct {                    \
        type *items;            \
        size_t count, capacity; \
    }
// A zeroed new element at the end, or NULL when memory runs out. Elements move when the list grows.
#define LIST_ADD(arena, list)                                                                            \
    ({                                                                                                   \
        __typeof__((list)->items) added_ =                                                               \
            arena_grow((arena), (list)->items, (list)->count, &(list)->capacity, sizeof *(list)->items); \
        if (added_) {                                                                                    \
            (list)->items = added_;                                                                      \
            added_ += (list)->count++;                                                                   \
            memset(added_, 0, sizeof *added_);                                                           \
        }                                                                                                \
        added_;                                                                                          \
    })

// A parameter that is an array of one field of each element.
#define PARAM_FIELD(params, kind, type, list, field)                    \
    do {                                                                \
        params_array_begin((params), (type));                           \
        for (size_t field_i_ = 0; field_i_ < (list)->count; field_i_++) \
            params_add_##kind((params), (list)->items[field_i_].field); \
        params_array_end(params);                                       \
    } while (0)
#define PARAM_I64_FIELD(params, list, field) PARAM_FIELD(params, i64, PARAM_I64, list, field)
#define PARAM_I32_FIELD(params, list, field) PARAM_FIELD(params, i32, PARAM_I32, list, field)
#define PARAM_I16_FIELD(params, list, field) PARAM_FIELD(params, i16, PARAM_I16, list, field)
#define PARAM_BOOL_FIELD(params, list, field) PARAM_FIELD(params, bool, PARAM_BOOLEAN, list, field)
#define PARAM_TEXT_FIELD(params, list, field) PARAM_FIELD(params, text_or_null, PARAM_TEXT, list, field)

void params_add_text_or_null(struct params *params, const char *text);
