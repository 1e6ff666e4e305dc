// Typed reads from a json-c tree that collect what is wrong instead of stopping at the first fault.
//
// A `struct field` is a value and where it stands; pointers are built while descending. Every reader looks at the type
// first: json-c's own conversions read 123 from "123abc". A member that is null is the same as one that is absent.
//
//     struct field root = field_root(document.root, &faults);
//     int64_t wait_ms = 0;
//     field_require(&root, "worker");
//     field_text(&root, "worker", 64, &worker);
//     field_i64(&root, "wait_ms", 0, 60000, &wait_ms);
//     field_reject_unknown(&root, names, ARRAY_LEN(names));
//     if (faults_total(&faults)) ...
#pragma once

#include "services/common/base/macros.h"
#include "services/common/json/faults.h"
#include "services/common/json/pointer.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field {
    const struct field *parent; // NULL at the root; has to live as long as this one
    const char *name;           // of a member; NULL for the root and for items of arrays
    size_t index;               // of an item
    struct json_object *value;  // borrowed; NULL: absent or null
    struct faults *faults;      // borrowed
};

struct field field_root(struct json_object *value, struct faults *faults);
struct field field_member(const struct field *object, const char *name); // `name` is borrowed
struct field field_item(const struct field *array, size_t index);
size_t field_count(const struct field *array); // items; 0 when it is no array
bool field_has(const struct field *object, const char *name);
bool field_is_object(const struct field *field);
bool field_is_array(const struct field *field);
bool field_is_text(const struct field *field);

// The pointer of a field; a fault at a field.
void field_pointer(const struct field *field, struct json_pointer *out);
void field_fault(const struct field *field, enum fault_code code, const char *format, ...) PRINTF_LIKE(3, 4);
// A fault at a member of `object`, which need not exist.
void field_fault_at(const struct field *object, const char *name, enum fault_code code, const char *format, ...)
    PRINTF_LIKE(4, 5);

// Outcome of all readers below: FIELD_READ; FIELD_ABSENT (absent or null) and FIELD_WRONG (a fault was added) leave
// *out as it is, so set the default first. Texts are borrowed from the tree.
enum field_outcome { FIELD_WRONG = -1, FIELD_ABSENT = 0, FIELD_READ = 1 };

enum field_outcome field_text(const struct field *object, const char *name, size_t bytes_max, const char **out);
enum field_outcome field_i64(const struct field *object, const char *name, int64_t min, int64_t max, int64_t *out);
enum field_outcome field_number(const struct field *object, const char *name, double min, double max, double *out);
enum field_outcome field_boolean(const struct field *object, const char *name, bool *out);
// A duration text such as "250ms", in milliseconds, within [min_ms, max_ms].
enum field_outcome field_duration_ms(const struct field *object, const char *name, int64_t min_ms, int64_t max_ms,
                                     int64_t *out);
// A size text such as "512Mi", or a number of bytes, within [min_bytes, max_bytes].
enum field_outcome field_size_bytes(const struct field *object, const char *name, int64_t min_bytes, int64_t max_bytes,
                                    int64_t *out);
enum field_outcome field_array(const struct field *object, const char *name, size_t items_max, struct field *out);
enum field_outcome field_object(const struct field *object, const char *name, struct field *out);

// The same for a value at hand: an item, or a field_member().
enum field_outcome field_as_text(const struct field *field, size_t bytes_max, const char **out);
enum field_outcome field_as_i64(const struct field *field, int64_t min, int64_t max, int64_t *out);
enum field_outcome field_as_number(const struct field *field, double min, double max, double *out);
enum field_outcome field_as_boolean(const struct field *field, bool *out);
enum field_outcome field_as_duration_ms(const struct field *field, int64_t min_ms, int64_t max_ms, int64_t *out);
enum field_outcome field_as_size_bytes(const struct field *field, int64_t min_bytes, int64_t max_bytes, int64_t *out);
enum field_outcome field_as_array(const struct field *field, size_t items_max);
enum field_outcome field_as_object(const struct field *field);

// Adds FAULT_REQUIRED when the member is absent or null. True when it is there.
bool field_require(const struct field *object, const char *name);
// A fault for each member whose name is not among `names`, with the name that may have been meant.
void field_reject_unknown(const struct field *object, const char *const *names, size_t count);
