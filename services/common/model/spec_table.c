#include "services/common/model/spec_table.h"
#include "services/common/base/parse.h"

#include <inttypes.h>
#include <string.h>

char *spec_copy(struct spec_reader *reader, const char *text)
{
    char *copy = arena_copy(reader->arena, text, strlen(text));
    reader->no_memory |= !copy;
    return copy;
}

void *spec_allocate(struct spec_reader *reader, size_t count, size_t size)
{
    if (!count)
        return NULL;
    void *items = arena_alloc_zero(reader->arena, count, size);
    reader->no_memory |= !items;
    return items;
}

// Fallbacks are written by us: one that cannot be read is caught by the test that reads an empty object of each table.
static int64_t fallback_number(const struct spec_row *row)
{
    int64_t value = 0;
    int outcome = 0;
    if (!row->fallback)
        return 0;
    if (row->kind == SPEC_DURATION)
        outcome = parse_duration_ms(row->fallback, row->name, &value, NULL);
    else if (row->kind == SPEC_SIZE)
        outcome = parse_size_bytes(row->fallback, row->name, &value, NULL);
    else
        outcome = parse_i64(row->fallback, INT64_MIN, INT64_MAX, row->name, &value, NULL);
    return outcome < 0 ? 0 : value;
}

static void read_text(struct spec_reader *reader, const struct field *member, const struct spec_row *row, char **at)
{
    const char *text = row->fallback;
    enum field_outcome outcome = field_as_text(member, (size_t)row->max, &text);
    if (outcome == FIELD_READ && row->problem) {
        const char *problem = row->problem(text);
        if (problem) {
            field_fault(member, FAULT_FORMAT, "%s", problem);
            return;
        }
    }
    if (outcome != FIELD_WRONG && text)
        *at = spec_copy(reader, text);
}

static int choice_number(const struct spec_row *row, const char *text)
{
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0)
            return i;
    }
    return -1;
}

static void choice_fault(const struct field *member, const struct spec_row *row)
{
    struct strbuf names AUTO_STRBUF = STRBUF_INIT;
    for (int i = 0; row->choices[i]; i++)
        strbuf_add_format(&names, "%s%s", !i ? "" : row->choices[i + 1] ? ", " : " or ", row->choices[i]);
    field_fault(member, FAULT_CHOICE, "has to be %s", strbuf_text(&names));
}

static void read_choice(const struct field *member, const struct spec_row *row, int *at)
{
    const char *text = row->fallback;
    if (field_as_text(member, SIZE_MAX, &text) == FIELD_WRONG)
        return;
    int number = choice_number(row, text);
    if (number < 0)
        choice_fault(member, row);
    else
        *at = number;
}

static void read_list(struct spec_reader *reader, const struct field *member, const struct spec_row *row, char *target)
{
    if (field_as_array(member, (size_t)row->max) != FIELD_READ)
        return;
    size_t count = field_count(member);
    char *items = spec_allocate(reader, count, row->item_size);
    if (!items)
        return;
    for (size_t i = 0; i < count; i++) {
        struct field item = field_item(member, i);
        if (!item.value)
            field_fault(&item, FAULT_TYPE, "has to be an object, not null");
        spec_read(reader, &item, row->table, items + i * row->item_size);
    }
    *(void **)(void *)(target + row->offset) = items;
    *(size_t *)(void *)(target + row->count_offset) = count;
}

static void read_row(struct spec_reader *reader, const struct field *object, const struct spec_row *row, char *target)
{
    struct field member = field_member(object, row->name ? row->name : "");
    void *at = target + row->offset;
    if (row->required && object->value && !member.value)
        field_fault(&member, FAULT_REQUIRED, "is required");
    switch (row->kind) {
    case SPEC_TEXT:
        read_text(reader, &member, row, at);
        break;
    case SPEC_INTEGER:
        *(int64_t *)at = fallback_number(row);
        field_as_i64(&member, row->min, row->max, at);
        break;
    case SPEC_DURATION:
        *(int64_t *)at = fallback_number(row);
        field_as_duration_ms(&member, row->min, row->max, at);
        break;
    case SPEC_SIZE:
        *(int64_t *)at = fallback_number(row);
        field_as_size_bytes(&member, row->min, row->max, at);
        break;
    case SPEC_CHOICE:
        read_choice(&member, row, at);
        break;
    case SPEC_OBJECT:
        spec_read(reader, &member, row->table, at);
        break;
    case SPEC_LIST:
        read_list(reader, &member, row, target);
        break;
    case SPEC_INCLUDE:
        spec_read_rows(reader, object, row->table, at);
        break;
    case SPEC_CUSTOM:
        row->read(reader, &member, at);
        break;
    }
}

void spec_read_rows(struct spec_reader *reader, const struct field *object, const struct spec_table *table,
                    void *target)
{
    for (size_t i = 0; i < table->count; i++)
        read_row(reader, object, &table->rows[i], target);
}

size_t spec_names(const struct spec_table *table, const char *names[static SPEC_NAMES_MAX], size_t count)
{
    for (size_t i = 0; i < table->count && count < SPEC_NAMES_MAX; i++) {
        const struct spec_row *row = &table->rows[i];
        if (row->kind == SPEC_INCLUDE)
            count = spec_names(row->table, names, count);
        else
            names[count++] = row->name;
    }
    return count;
}

void spec_read(struct spec_reader *reader, const struct field *object, const struct spec_table *table, void *target)
{
    struct field empty = *object;
    if (field_as_object(object) == FIELD_WRONG) // one fault is enough: go on as if it were absent
        empty.value = NULL;
    spec_read_rows(reader, &empty, table, target);
    const char *names[SPEC_NAMES_MAX];
    field_reject_unknown(&empty, names, spec_names(table, names, 0));
    if (table->finish && empty.value)
        table->finish(reader, &empty, target);
}
