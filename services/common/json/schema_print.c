// Schemas for people: Markdown.
#include "services/common/json/schema.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static void print_name(const char *name, FILE *out)
{
    if (*name == '"') {
        fprintf(out, "`%s`", name);
    } else if (isupper((unsigned char)*name)) {
        fprintf(out, "[%s](#", name);
        for (const char *at = name; *at; at++)
            fputc(tolower((unsigned char)*at), out);
        fputc(')', out);
    } else {
        fputs(strcmp(name, "any") == 0 ? "any value" : name, out);
    }
}

void schema_type_print(const char *type, int64_t max, FILE *out)
{
    struct schema_alternative one;
    for (bool first = true; schema_next_alternative(&type, &one); first = false) {
        fputs(first ? "" : ", or ", out);
        fputs(one.is_list ? "list of " : one.is_map ? "object of " : "", out);
        if (max && (one.is_list || one.is_map))
            fprintf(out, "up to %" PRId64 " ", max);
        print_name(one.name, out);
        fputs(one.or_null ? ", or null" : "", out);
    }
}

static void print_fields(const struct schema *schema, FILE *out)
{
    fputs("\n\n| Field | Type | Meaning |\n| --- | --- | --- |\n", out);
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct schema_field *field = &schema->fields[i];
        fprintf(out, "| `%s`%s | ", field->name, field->optional ? " (may be absent)" : "");
        schema_type_print(field->type, field->max, out);
        fprintf(out, " | %s |\n", field->meaning);
    }
}

static void print_text(const struct schema *schema, FILE *out)
{
    fputs(" Text", out);
    if (schema->max)
        fprintf(out, ", %" PRId64 " to %" PRId64 " characters", schema->min, schema->max);
    if (schema->pattern)
        fprintf(out, ", `%s`", schema->pattern);
    fprintf(out, "; such as `%s`.\n", schema->example);
}

static void print_words(const struct schema *schema, FILE *out)
{
    const char *word;
    fputs(" One of", out);
    for (int i = 0; (word = schema_word(schema, i)); i++)
        fprintf(out, "%s `%s`", i ? "," : "", word);
    fputs(".\n", out);
}

void schema_print(const struct schema *schema, FILE *out)
{
    fprintf(out, "\n### %s\n\n%c%s.", schema->name, toupper((unsigned char)*schema->meaning), schema->meaning + 1);
    switch (schema->kind) {
    case SCHEMA_OBJECT:
        print_fields(schema, out);
        break;
    case SCHEMA_TEXT:
        print_text(schema, out);
        break;
    case SCHEMA_INTEGER:
        fprintf(out, " Integer, %" PRId64 " to %" PRId64 ".\n", schema->min, schema->max);
        break;
    case SCHEMA_NUMBER:
        fprintf(out, " Number, %g to %g.\n", (double)schema->min / 1000, (double)schema->max / 1000);
        break;
    case SCHEMA_WORDS:
        print_words(schema, out);
        break;
    case SCHEMA_TYPE:
        fputc(' ', out);
        schema_type_print(schema->type, schema->max, out);
        fputs(".\n", out);
        break;
    }
}
