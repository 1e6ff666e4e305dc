#include "services/common/json/schema.h"

#include <inttypes.h>
#include <string.h>

const struct schema *schema_find(const struct schema_set *const *sets, const char *name)
{
    for (; *sets; sets++)
        for (size_t i = 0; i < (*sets)->count; i++)
            if (strcmp((*sets)->schemas[i].name, name) == 0)
                return &(*sets)->schemas[i];
    return NULL;
}

// ---- types

bool schema_next_alternative(const char **type, struct schema_alternative *out)
{
    size_t length = strcspn(*type, "|"), name = length;
    if (!length)
        return false;
    *out = (struct schema_alternative){0};
    for (;; name -= out->or_null && (*type)[name - 1] == '?' ? 1 : 2) {
        if ((*type)[name - 1] == '?')
            out->or_null = true;
        else if (strncmp(*type + name - 2, "[]", 2) == 0)
            out->is_list = true;
        else if (strncmp(*type + name - 2, "{}", 2) == 0)
            out->is_map = true;
        else
            break;
    }
    snprintf(out->name, sizeof(out->name), "%.*s", (int)name, *type);
    *type += length + ((*type)[length] == '|');
    return true;
}

static void add_text(struct strbuf *out, const char *member, const char *text)
{
    strbuf_add_text(out, member);
    strbuf_add_json(out, text, strlen(text));
}

static void write_name(const char *name, struct strbuf *out)
{
    if (*name == '"')
        strbuf_add_format(out, "\"const\":%s", name);
    else if (strcmp(name, "boolean") == 0 || strcmp(name, "object") == 0)
        strbuf_add_format(out, "\"type\":\"%s\"", name);
    else if (strcmp(name, "any") != 0)
        strbuf_add_format(out, "\"$ref\":\"#/components/schemas/%s\"", name);
}

static void write_alternative(const struct schema_alternative *one, int64_t max, struct strbuf *out)
{
    if (one->is_list || one->is_map)
        strbuf_add_text(out, one->is_list ? "\"type\":\"array\",\"items\":{"
                                          : "\"type\":\"object\",\"additionalProperties\":{");
    write_name(one->name, out);
    if (!one->is_list && !one->is_map)
        return;
    strbuf_add_char(out, '}');
    if (max)
        strbuf_add_format(out, ",\"%s\":%" PRId64, one->is_list ? "maxItems" : "maxProperties", max);
}

void schema_type_write(const char *type, int64_t max, struct strbuf *out)
{
    struct schema_alternative one;
    bool has_more = schema_next_alternative(&type, &one) && (*type || one.or_null), or_null = one.or_null;
    if (!has_more) {
        write_alternative(&one, max, out);
        return;
    }
    strbuf_add_text(out, "\"anyOf\":[{");
    write_alternative(&one, max, out);
    while (schema_next_alternative(&type, &one)) {
        strbuf_add_text(out, "},{");
        write_alternative(&one, max, out);
        or_null |= one.or_null;
    }
    strbuf_add_text(out, or_null ? "},{\"type\":\"null\"}]" : "}]");
}

// ---- schemas

const char *schema_word(const struct schema *schema, int number)
{
    if (schema->words)
        return schema->words[number];
    return number < schema->word_count ? schema->word(number) : NULL;
}

static void write_words(const struct schema *schema, struct strbuf *out)
{
    const char *word;
    strbuf_add_text(out, "\"type\":\"string\",\"enum\":[");
    for (int i = 0; (word = schema_word(schema, i)); i++)
        add_text(out, i ? "," : "", word);
    strbuf_add_char(out, ']');
}

static void write_text(const struct schema *schema, struct strbuf *out)
{
    strbuf_add_text(out, "\"type\":\"string\"");
    if (schema->min)
        strbuf_add_format(out, ",\"minLength\":%" PRId64, schema->min);
    if (schema->max)
        strbuf_add_format(out, ",\"maxLength\":%" PRId64, schema->max);
    if (schema->pattern)
        add_text(out, ",\"pattern\":", schema->pattern);
}

static void write_fields(const struct schema *schema, struct strbuf *out)
{
    bool any = false;
    strbuf_add_text(out, "\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct schema_field *field = &schema->fields[i];
        add_text(out, i ? "," : "", field->name);
        strbuf_add_text(out, ":{");
        schema_type_write(field->type, field->max, out);
        add_text(out, strcmp(field->type, "any") == 0 ? "\"description\":" : ",\"description\":", field->meaning);
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, '}');
    for (size_t i = 0; i < schema->field_count; i++) {
        if (schema->fields[i].optional)
            continue;
        add_text(out, any ? "," : ",\"required\":[", schema->fields[i].name);
        any = true;
    }
    strbuf_add_text(out, any ? "]" : "");
    strbuf_add_text(out, schema->closed ? ",\"additionalProperties\":false" : "");
}

void schema_write(const struct schema *schema, struct strbuf *out)
{
    add_text(out, "", schema->name);
    strbuf_add_text(out, ":{");
    switch (schema->kind) {
    case SCHEMA_OBJECT:
        write_fields(schema, out);
        break;
    case SCHEMA_TEXT:
        write_text(schema, out);
        break;
    case SCHEMA_INTEGER:
        strbuf_add_format(out, "\"type\":\"integer\",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, schema->min,
                          schema->max);
        break;
    case SCHEMA_NUMBER:
        strbuf_add_format(out, "\"type\":\"number\",\"minimum\":%" PRId64 ".%03d,\"maximum\":%" PRId64,
                          schema->min / 1000, (int)(schema->min % 1000), schema->max / 1000);
        break;
    case SCHEMA_WORDS:
        write_words(schema, out);
        break;
    case SCHEMA_TYPE:
        schema_type_write(schema->type, schema->max, out);
        break;
    }
    add_text(out, ",\"description\":", schema->meaning);
    if (schema->example)
        strbuf_add_format(out, ",\"examples\":[%s]", schema->example);
    strbuf_add_char(out, '}');
}

// ---- examples

static void example_of_schema(const struct schema_set *const *sets, const struct schema *schema, struct strbuf *out)
{
    if (schema->example) {
        strbuf_add_text(out, schema->example);
    } else if (schema->kind == SCHEMA_WORDS) {
        add_text(out, "", schema_word(schema, 0));
    } else if (schema->kind == SCHEMA_TYPE) {
        schema_example_write(sets, schema->type, out);
    } else {
        strbuf_add_char(out, '{');
        for (size_t i = 0; i < schema->field_count; i++) {
            const struct schema_field *field = &schema->fields[i];
            add_text(out, i ? "," : "", field->name);
            strbuf_add_char(out, ':');
            if (field->example)
                strbuf_add_text(out, field->example);
            else
                schema_example_write(sets, field->type, out);
        }
        strbuf_add_char(out, '}');
    }
}

void schema_example_write(const struct schema_set *const *sets, const char *type, struct strbuf *out)
{
    struct schema_alternative one;
    if (!schema_next_alternative(&type, &one))
        return;
    const struct schema *schema = schema_find(sets, one.name);
    strbuf_add_text(out, one.is_list ? "[" : one.is_map ? "{\"main\":" : "");
    if (*one.name == '"')
        strbuf_add_text(out, one.name);
    else if (schema)
        example_of_schema(sets, schema, out);
    else
        strbuf_add_text(out, strcmp(one.name, "boolean") == 0 ? "true" : "{\"file\":\"a.txt\"}");
    strbuf_add_text(out, one.is_list ? "]" : one.is_map ? "}" : "");
}
