// Tables for people: columns as wide as they need, nothing cut.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>

#define TABLE_COLUMNS_MAX 10

struct table {
    size_t columns;
    char **cells; // row by row
    size_t count, capacity;
    int failed; // memory ran out: nothing is printed
};
void table_init(struct table *table, size_t columns, const char *const *titles);
void table_add(struct table *table, const char *cell); // the next cell; NULL and "" become "-"
void table_add_number(struct table *table, long long number);
void table_print(struct table *table); // to stdout; frees the cells
