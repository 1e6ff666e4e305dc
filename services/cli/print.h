// Output for people: tables with columns as wide as they need, and texts from elsewhere without control characters.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stddef.h>

// Adds a text that others wrote: line ends and tabs become blanks, other control characters '?', so that it can neither
// break a table nor talk to the terminal.
void print_clean(struct strbuf *out, const char *text);

struct table {
    size_t columns;
    char **cells; // row by row
    size_t count, capacity;
    int failed; // memory ran out: nothing is printed
};
// Without `titles` the first row is the caller's to add.
void table_init(struct table *table, size_t columns, const char *const *titles);
void table_add(struct table *table, const char *cell); // the next cell, cleaned; NULL and "" become "-"
void table_add_number(struct table *table, long long number);
void table_write(const struct table *table, struct strbuf *out);
void table_release(struct table *table);
// table_write() to stdout, table_release().
void table_print(struct table *table);

struct json_object;
// As people write it: texts and numbers as they are, lists as "a,b", objects as "name=value,...".
void table_add_json(struct table *table, struct json_object *value);
