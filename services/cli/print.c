#include "services/cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, size_t columns, const char *const *titles)
{
    *table = (struct table){.columns = columns};
    for (size_t i = 0; i < columns; i++)
        table_add(table, titles[i]);
}

void table_add(struct table *table, const char *cell)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        char **cells = reallocarray(table->cells, capacity, sizeof *cells);
        if (!cells) {
            table->failed = 1;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char *copy = strdup(cell && *cell ? cell : "-");
    if (copy)
        table->cells[table->count++] = copy;
    else
        table->failed = 1;
}

void table_add_number(struct table *table, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    table_add(table, text);
}

void table_print(struct table *table)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->count; i++) {
        int width = (int)strlen(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->count && !table->failed; i++) {
        size_t column = i % table->columns;
        if (column + 1 < table->columns)
            printf("%-*s  ", widths[column], table->cells[i]);
        else
            printf("%s\n", table->cells[i]);
    }
    if (table->failed)
        fprintf(stderr, "curfew: no memory to print a table\n");
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}
