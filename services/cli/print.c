#include "services/cli/print.h"

#include "services/common/base/cleanup.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void print_clean(struct strbuf *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool is_c1 = at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0; // U+0080 to U+009F
        if (*at == '\n' || *at == '\t' || *at == '\r')
            strbuf_add_char(out, ' ');
        else if (*at < 0x20 || *at == 0x7F || is_c1)
            strbuf_add_char(out, '?');
        else
            strbuf_add_char(out, (char)*at);
        at += is_c1;
    }
}

void table_init(struct table *table, size_t columns, const char *const *titles)
{
    *table = (struct table){.columns = columns};
    for (size_t i = 0; titles && i < columns; i++)
        table_add(table, titles[i]);
}

static int make_room(struct table *table)
{
    if (table->count < table->capacity)
        return 0;
    size_t capacity = table->capacity ? table->capacity * 2 : 64;
    char **cells = reallocarray(table->cells, capacity, sizeof *cells);
    if (!cells)
        return -1;
    table->cells = cells;
    table->capacity = capacity;
    return 0;
}

void table_add(struct table *table, const char *cell)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
    print_clean(&clean, cell && *cell ? cell : "-");
    if (make_room(table) < 0 || strbuf_take(&clean, &table->cells[table->count], NULL) < 0)
        table->failed = 1;
    else
        table->count++;
}

void table_add_number(struct table *table, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", number);
    table_add(table, text);
}

// Columns on a terminal: bytes but for those that continue a character.
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

void table_write(const struct table *table, struct strbuf *out)
{
    AUTO_FREE size_t *widths = calloc(table->columns, sizeof *widths);
    if (!widths) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t width = width_of(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        strbuf_add_text(out, table->cells[i]);
        if (column + 1 == table->columns)
            strbuf_add_char(out, '\n');
        else
            strbuf_add_format(out, "%*s", (int)(widths[column] - width_of(table->cells[i])) + 2, "");
    }
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

void table_print(struct table *table)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    table_write(table, &text);
    if (table->failed || strbuf_ok(&text, NULL) < 0)
        fprintf(stderr, "curfew: no memory to print a table\n");
    else
        fputs(strbuf_text(&text), stdout);
    table_release(table);
}

static const char *plain(struct json_object *value)
{
    if (json_object_is_type(value, json_type_string))
        return json_object_get_string(value);
    return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void add_list(struct strbuf *out, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++)
        strbuf_add_format(out, "%s%s", i > 0 ? "," : "", plain(json_object_array_get_idx(list, i)));
}

static void add_object(struct strbuf *out, struct json_object *object)
{
    struct json_object_iterator member = json_object_iter_begin(object), end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&member, &end); json_object_iter_next(&member))
        strbuf_add_format(out, "%s%s=%s", out->length > 0 ? "," : "", json_object_iter_peek_name(&member),
                          plain(json_object_iter_peek_value(&member)));
}

void table_add_json(struct table *table, struct json_object *value)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    if (json_object_is_type(value, json_type_array))
        add_list(&text, value);
    else if (json_object_is_type(value, json_type_object))
        add_object(&text, value);
    else if (value)
        strbuf_add_text(&text, plain(value));
    if (strbuf_ok(&text, NULL) < 0)
        table->failed = 1;
    table_add(table, strbuf_text(&text));
}
