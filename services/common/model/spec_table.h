// Tables of fields: reading, writing and documenting an object of a spec from one description of it.
//
// A row says where a value goes, what is allowed and what holds when it is absent. So a default is written down once:
// what the reference says is what the reader does.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spec_kind {
    SPEC_TEXT,     // char *; at most `max` bytes; `problem` checks the format
    SPEC_INTEGER,  // int64_t within [min, max]
    SPEC_DURATION, // int64_t, milliseconds within [min, max]
    SPEC_SIZE,     // int64_t, bytes within [min, max]
    SPEC_CHOICE,   // int (or an enum): the place in `choices`
    SPEC_OBJECT,   // an object with `table`, into the struct at `offset`; an absent one has its defaults
    SPEC_LIST,     // an array of objects with `table`; a pointer at `offset`, a size_t at `count_offset`
    SPEC_INCLUDE,  // no field: the rows of `table` belong to this object too, their struct is at `offset`
    SPEC_CUSTOM,   // `read` and `write` do it
};

struct spec_table;

// What reading needs besides the field and the target.
struct spec_reader {
    struct arena *arena; // owns what is read
    const void *extra;   // of the caller's, for custom rows
    bool no_memory;      // what was read is not complete
};

struct spec_row {
    const char *name;
    enum spec_kind kind;
    size_t offset;
    int64_t min, max;           // SPEC_LIST: max is the number of items
    const char *fallback;       // as it would be written in a spec; NULL: none (NULL, 0, an empty list)
    const char *const *choices; // ended by NULL
    const struct spec_table *table;
    size_t count_offset, item_size;
    bool required;
    const char *(*problem)(const char *text); // what is wrong with a text, or NULL
    // The member may be absent; `at` is the target at `offset`.
    void (*read)(struct spec_reader *reader, const struct field *member, void *at);
    void (*write)(const void *at, struct strbuf *out); // appends nothing when there is nothing to say
    const char *type;                                  // for the reference, where the kind does not say it
    const char *schema; // the same for the API's document: a type of common/json/schema.h
    const char *meaning;
};

struct spec_table {
    const char *title;  // of its section in the reference: "A service"
    const char *schema; // its name in the API's document: "ServiceSpec"
    const struct spec_row *rows;
    size_t count;
    // Looks at the fields together once they are read; may be NULL.
    void (*finish)(struct spec_reader *reader, const struct field *object, void *target);
    bool (*absent)(const void *target); // SPEC_OBJECT: writing leaves it out; may be NULL
};

// Reads an object (absent: all defaults) into `target`, which is zeroed; refuses unknown fields; then `finish`.
void spec_read(struct spec_reader *reader, const struct field *object, const struct spec_table *table, void *target);
// Reads the rows only: neither the type of the object nor unknown fields are looked at.
void spec_read_rows(struct spec_reader *reader, const struct field *object, const struct spec_table *table,
                    void *target);
// Appends the names of all fields, included ones too, to names[0..count); returns the new count. Capacity
// SPEC_NAMES_MAX.
#define SPEC_NAMES_MAX 64
size_t spec_names(const struct spec_table *table, const char *names[static SPEC_NAMES_MAX], size_t count);

void spec_write(const struct spec_table *table, const void *target, struct strbuf *out); // one object
// Writes the members without braces; a comma before each unless the buffer ends with an opening brace.
void spec_write_rows(const struct spec_table *table, const void *target, struct strbuf *out);
// Appends "key": (and a comma where one is needed).
void spec_write_key(const char *name, struct strbuf *out);
void spec_write_text(const char *text, struct strbuf *out); // a JSON string

char *spec_copy(struct spec_reader *reader, const char *text);              // NULL and no_memory when there is none
void *spec_allocate(struct spec_reader *reader, size_t count, size_t size); // zeroed; the same; NULL for a count of 0
