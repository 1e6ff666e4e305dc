// Reads the bodies of the hot calls straight from a scanned text: typed, strict, without a tree.
//
// A body passes json_scan() first, so that grammar, UTF-8, duplicate keys and depth are settled. What is read is
// described by tables of fields; a wrong value adds a fault with its pointer and reading goes on. A member that is null
// is the same as one that is absent. Texts and arrays live in the arena or, unescaped, in the body itself.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/json/faults.h"
#include "services/common/json/scan.h"
#include "services/common/json/walk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where a value stands: pointers are only written out for faults.
struct wire_place {
    const struct wire_place *parent; // NULL: the document
    const char *key;                 // the literal of a member's key, in the text; NULL: an item
    size_t index;                    // of an item
};

struct wire {
    struct json_walk walk; // at the value to be read next
    struct arena *arena;   // borrowed
    struct faults *faults; // borrowed
    bool lenient;          // unknown members are skipped instead of refused
    bool no_memory;
};

// Reads one value into (or for) `object`; it must consume it.
typedef void (*wire_fn)(struct wire *wire, const struct wire_place *place, void *object);

enum wire_kind {
    WIRE_I64,     // int64_t within [min, max]
    WIRE_INT,     // int within [min, max]
    WIRE_BOOLEAN, // bool
    WIRE_TEXT,    // const char *, NUL-terminated, at most max bytes
    WIRE_CUT,     // the same, but a longer text is cut between characters
    WIRE_JOB,     // int64_t, from "j..."
    WIRE_CUSTOM,  // function
};

struct wire_field {
    const char *name;
    enum wire_kind kind;
    bool required;
    size_t offset; // in the object
    int64_t min, max;
    wire_fn function;
};

// Scans `length` bytes and reads the object in them with the table. Outcomes: 0 everything is right; ERR_INVALID or
// ERR_TOO_LARGE with faults added; ERR_NO_MEMORY.
int wire_read(const char *text, size_t length, const struct json_limits *limits, const struct wire_field *fields,
              size_t count, void *object, struct arena *arena, struct faults *faults, struct err *err) WARN_UNUSED;

// The same for what a server answers: members that this program does not know are skipped, because a newer one may say
// more.
int wire_read_answer(const char *text, size_t length, const struct json_limits *limits, const struct wire_field *fields,
                     size_t count, void *object, struct arena *arena, struct faults *faults,
                     struct err *err) WARN_UNUSED;

// For wire_fn: the value at hand as an object of these fields, or as an array of at most `items_max` items that `each`
// reads. A value of another type adds a fault.
void wire_object(struct wire *wire, const struct wire_place *place, const struct wire_field *fields, size_t count,
                 void *object);
// *count is the number of items that `each` was called for.
void wire_array(struct wire *wire, const struct wire_place *place, size_t items_max, wire_fn each, void *object,
                size_t *count);
// An object whose keys are data: `each` is called with the place of each member.
void wire_members(struct wire *wire, const struct wire_place *place, size_t members_max, wire_fn each, void *object);

// Single values. False: a fault was added. The value is consumed either way.
bool wire_i64(struct wire *wire, const struct wire_place *place, int64_t min, int64_t max, int64_t *out);
bool wire_boolean(struct wire *wire, const struct wire_place *place, bool *out);
bool wire_text(struct wire *wire, const struct wire_place *place, size_t bytes_max, const char **out);
bool wire_text_cut(struct wire *wire, const struct wire_place *place, size_t bytes_max, const char **out,
                   size_t *length);
// Any value as one compact line, borrowed from the body when it stands there so.
bool wire_raw(struct wire *wire, const struct wire_place *place, size_t bytes_max, const char **out, size_t *length);
bool wire_is_null(const struct wire *wire); // looks only
bool wire_is_text(const struct wire *wire);

void wire_fault(struct wire *wire, const struct wire_place *place, enum fault_code code, const char *format, ...)
    PRINTF_LIKE(4, 5);
void wire_skip(struct wire *wire);
