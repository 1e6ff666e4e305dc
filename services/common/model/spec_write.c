// The writing half of services/common/model/spec_table.h.
#include "services/common/base/parse.h"
#include "services/common/model/spec_table.h"

#include <string.h>

void spec_write_key(const char *name, struct strbuf *out)
{
    if (out->length && out->data[out->length - 1] != '{')
        strbuf_add_char(out, ',');
    spec_write_text(name, out);
    strbuf_add_char(out, ':');
}

void spec_write_text(const char *text, struct strbuf *out)
{
    strbuf_add_json(out, text, strlen(text));
}

static void write_integer(const struct spec_row *row, int64_t value, struct strbuf *out)
{
    if (value || row->fallback)
        strbuf_add_i64(out, value);
}

static void write_duration(const struct spec_row *row, int64_t ms, struct strbuf *out)
{
    if (!ms && !row->fallback)
        return;
    char text[PARSE_DURATION_TEXT_SIZE];
    duration_format(ms, text);
    spec_write_text(text, out);
}

static void write_list(const struct spec_row *row, const char *target, struct strbuf *out)
{
    const char *items = *(const void *const *)(const void *)(target + row->offset);
    size_t count = *(const size_t *)(const void *)(target + row->count_offset);
    for (size_t i = 0; i < count; i++) {
        strbuf_add_char(out, i ? ',' : '[');
        spec_write(row->table, items + i * row->item_size, out);
    }
    if (count)
        strbuf_add_char(out, ']');
}

static void write_value(const struct spec_row *row, const char *target, struct strbuf *out)
{
    const void *at = target + row->offset;
    switch (row->kind) {
    case SPEC_TEXT:
        if (*(const char *const *)at)
            spec_write_text(*(const char *const *)at, out);
        break;
    case SPEC_INTEGER:
    case SPEC_SIZE:
        write_integer(row, *(const int64_t *)at, out);
        break;
    case SPEC_DURATION:
        write_duration(row, *(const int64_t *)at, out);
        break;
    case SPEC_CHOICE:
        spec_write_text(row->choices[*(const int *)at], out);
        break;
    case SPEC_OBJECT:
        if (!row->table->absent || !row->table->absent(at))
            spec_write(row->table, at, out);
        break;
    case SPEC_LIST:
        write_list(row, target, out);
        break;
    case SPEC_CUSTOM:
        row->write(at, out);
        break;
    case SPEC_INCLUDE:
        break;
    }
}

static void cut(struct strbuf *out, size_t length)
{
    if (out->failed)
        return;
    out->length = length;
    if (out->data)
        out->data[length] = '\0';
}

// Key and value, or neither when the value turns out to be nothing.
static void write_row(const struct spec_row *row, const char *target, struct strbuf *out)
{
    size_t before = out->length;
    spec_write_key(row->name, out);
    size_t behind_key = out->length;
    write_value(row, target, out);
    if (out->length == behind_key)
        cut(out, before);
}

void spec_write_rows(const struct spec_table *table, const void *target, struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_row *row = &table->rows[i];
        if (row->kind == SPEC_INCLUDE)
            spec_write_rows(row->table, (const char *)target + row->offset, out);
        else
            write_row(row, target, out);
    }
}

void spec_write(const struct spec_table *table, const void *target, struct strbuf *out)
{
    strbuf_add_char(out, '{');
    spec_write_rows(table, target, out);
    strbuf_add_char(out, '}');
}
