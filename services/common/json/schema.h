// Tables of schemas: what JSON looks like, written down once, for the API's document (JSON Schema 2020-12 as
// OpenAPI 3.1 has it), for its reference page and for the examples in both.
//
// A type is a short text. It names a schema of the document ("Job") or one of `boolean`, `object` and `any`; or is a
// word in quotes; behind it stands what is made of it:
//
//     Job[]        a list of jobs                  Text{}     an object whose members are texts, whatever their names
//     Time?        a time, or null                 Name|Name[]     a name, or a list of names
//
// Examples are put together from those of the types within. Pure; thread-safe. Memory that runs out shows in `out`.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum schema_kind {
    SCHEMA_OBJECT,  // with `fields`
    SCHEMA_TEXT,    // [min, max] characters (max 0: not said), `pattern`
    SCHEMA_INTEGER, // within [min, max]
    SCHEMA_NUMBER,  // the same, in thousandths
    SCHEMA_WORDS,   // one of `words`, or of word(0) .. word(word_count - 1)
    SCHEMA_TYPE,    // another name for `type`
};

struct schema_field {
    const char *name, *type, *meaning; // the meaning is Markdown
    bool optional;
    int64_t max;         // of a list or an object of any names: how many at most; 0: not said
    const char *example; // JSON; NULL: that of the type
};

struct schema {
    const char *name;
    enum schema_kind kind;
    const char *meaning;
    const struct schema_field *fields;
    size_t field_count;
    bool closed; // other fields than these are refused; else more may come
    int64_t min, max;
    const char *pattern;      // what both POSIX extended and ECMA regular expressions say
    const char *const *words; // ended by NULL
    const char *(*word)(int number);
    int word_count;
    const char *type;
    const char *example; // JSON; needed but for objects, words and types
};

struct schema_set {
    const struct schema *schemas;
    size_t count;
};

// The schemas of a document are in several sets, ended by NULL.
const struct schema *schema_find(const struct schema_set *const *sets, const char *name); // NULL: there is none

// The members of a JSON Schema, without braces: `"$ref":"#/components/schemas/Job"`.
void schema_type_write(const char *type, int64_t max, struct strbuf *out);
void schema_write(const struct schema *schema, struct strbuf *out);                                    // `"Job":{...}`
void schema_example_write(const struct schema_set *const *sets, const char *type, struct strbuf *out); // a JSON value

// What the functions above read types and words with.
struct schema_alternative {
    char name[64];
    bool is_list, is_map, or_null;
};
// Takes the first alternative off *type; false when none is left.
bool schema_next_alternative(const char **type, struct schema_alternative *out);
const char *schema_word(const struct schema *schema, int number); // NULL: no more

// For people, as Markdown: "list of up to 500 [Job](#job)".
void schema_type_print(const char *type, int64_t max, FILE *out);
void schema_print(const struct schema *schema, FILE *out); // a section of Markdown
