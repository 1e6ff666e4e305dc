#include "tests/support/json_schema.h"

#include "services/common/base/macros.h"
#include "tests/support/die.h"

#include <regex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct check {
    struct json_object *document;
    char *problem;
    char path[128];
};

PRINTF_LIKE(2, 3) static bool wrong(struct check *check, const char *format, ...)
{
    char what[80];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof(what), format, values);
    va_end(values);
    snprintf(check->problem, JSON_SCHEMA_PROBLEM_SIZE, "%.127s: %s", *check->path ? check->path : "/", what);
    return false;
}

static bool holds(struct check *check, struct json_object *schema, struct json_object *value);

static bool holds_below(struct check *check, const char *name, struct json_object *schema, struct json_object *value)
{
    size_t length = strlen(check->path);
    snprintf(check->path + length, sizeof(check->path) - length, "/%s", name);
    bool is_so = holds(check, schema, value);
    check->path[length] = '\0';
    return is_so;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *found = NULL;
    json_object_object_get_ex(object, name, &found);
    return found;
}

// The number of characters of UTF-8.
static int64_t text_length(const char *text)
{
    int64_t length = 0;
    for (; *text; text++)
        length += ((unsigned char)*text & 0xC0) != 0x80;
    return length;
}

// ---- keywords: each holds for values that it says nothing about

typedef bool (*keyword_fn)(struct check *check, struct json_object *schema, struct json_object *said,
                           struct json_object *value);

static bool is_ref(struct check *check, struct json_object *schema, struct json_object *said, struct json_object *value)
{
    const char *pointer = json_object_get_string(said);
    struct json_object *found = NULL;
    UNUSED(schema);
    if (pointer[0] != '#' || json_pointer_get(check->document, pointer + 1, &found) < 0)
        die("the document has no %s", pointer);
    return holds(check, found, value);
}

static bool is_type(struct check *check, struct json_object *schema, struct json_object *said,
                    struct json_object *value)
{
    static const char *const names[] = {
        [json_type_null] = "null",    [json_type_boolean] = "boolean", [json_type_double] = "number",
        [json_type_int] = "integer",  [json_type_object] = "object",   [json_type_array] = "array",
        [json_type_string] = "string"};
    const char *wanted = json_object_get_string(said), *actual = names[json_object_get_type(value)];
    UNUSED(schema);
    if (strcmp(wanted, actual) == 0 || (strcmp(wanted, "number") == 0 && strcmp(actual, "integer") == 0))
        return true;
    return wrong(check, "is %s, not %s", actual, wanted);
}

static bool is_const(struct check *check, struct json_object *schema, struct json_object *said,
                     struct json_object *value)
{
    UNUSED(schema);
    return json_object_equal(said, value) || wrong(check, "is not %s", json_object_to_json_string(said));
}

static bool is_enum(struct check *check, struct json_object *schema, struct json_object *said,
                    struct json_object *value)
{
    UNUSED(schema);
    for (size_t i = 0; i < json_object_array_length(said); i++)
        if (json_object_equal(json_object_array_get_idx(said, i), value))
            return true;
    return wrong(check, "is none of its words: %s", json_object_to_json_string(value));
}

static bool is_any_of(struct check *check, struct json_object *schema, struct json_object *said,
                      struct json_object *value)
{
    UNUSED(schema);
    for (size_t i = 0; i < json_object_array_length(said); i++)
        if (holds(check, json_object_array_get_idx(said, i), value))
            return true;
    return false; // the problem is that of the last one
}

static bool is_not_below(struct check *check, struct json_object *schema, struct json_object *said,
                         struct json_object *value)
{
    UNUSED(schema);
    return json_object_get_double(value) >= json_object_get_double(said) ||
           wrong(check, "is below %s", json_object_to_json_string(said));
}

static bool is_not_above(struct check *check, struct json_object *schema, struct json_object *said,
                         struct json_object *value)
{
    UNUSED(schema);
    return json_object_get_double(value) <= json_object_get_double(said) ||
           wrong(check, "is above %s", json_object_to_json_string(said));
}

static bool is_not_short(struct check *check, struct json_object *schema, struct json_object *said,
                         struct json_object *value)
{
    UNUSED(schema);
    return !json_object_is_type(value, json_type_string) ||
           text_length(json_object_get_string(value)) >= json_object_get_int64(said) || wrong(check, "is too short");
}

static bool is_not_long(struct check *check, struct json_object *schema, struct json_object *said,
                        struct json_object *value)
{
    UNUSED(schema);
    return !json_object_is_type(value, json_type_string) ||
           text_length(json_object_get_string(value)) <= json_object_get_int64(said) || wrong(check, "is too long");
}

static bool is_like(struct check *check, struct json_object *schema, struct json_object *said,
                    struct json_object *value)
{
    regex_t compiled;
    UNUSED(schema);
    if (!json_object_is_type(value, json_type_string))
        return true;
    if (regcomp(&compiled, json_object_get_string(said), REG_EXTENDED | REG_NOSUB) != 0)
        die("'%s' is no pattern", json_object_get_string(said));
    bool is_so = regexec(&compiled, json_object_get_string(value), 0, NULL, 0) == 0;
    regfree(&compiled);
    return is_so || wrong(check, "does not look like %s", json_object_get_string(said));
}

static bool has_all(struct check *check, struct json_object *schema, struct json_object *said,
                    struct json_object *value)
{
    UNUSED(schema);
    for (size_t i = 0; i < json_object_array_length(said); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(said, i));
        if (json_object_is_type(value, json_type_object) && !json_object_object_get_ex(value, name, NULL))
            return wrong(check, "has no %s", name);
    }
    return true;
}

// Members that the schema does not name: as `additionalProperties` says, or none; unless there is a reference beside.
static bool holds_other(struct check *check, struct json_object *schema, const char *name, struct json_object *value)
{
    struct json_object *other = member(schema, "additionalProperties");
    if (json_object_is_type(other, json_type_object))
        return holds_below(check, name, other, value);
    return member(schema, "$ref") || wrong(check, "has a member %s that is not described", name);
}

static bool has_properties(struct check *check, struct json_object *schema, struct json_object *said,
                           struct json_object *value)
{
    if (!json_object_is_type(value, json_type_object))
        return true;
    json_object_object_foreach(value, name, content)
    {
        struct json_object *described = member(said, name);
        if (described ? !holds_below(check, name, described, content) : !holds_other(check, schema, name, content))
            return false;
    }
    return true;
}

static bool has_other(struct check *check, struct json_object *schema, struct json_object *said,
                      struct json_object *value)
{
    UNUSED(said);
    if (member(schema, "properties") || !json_object_is_type(value, json_type_object))
        return true;
    json_object_object_foreach(value, name, content)
    {
        if (!holds_other(check, schema, name, content))
            return false;
    }
    return true;
}

static bool has_items(struct check *check, struct json_object *schema, struct json_object *said,
                      struct json_object *value)
{
    UNUSED(schema);
    for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value); i++) {
        char number[24];
        snprintf(number, sizeof(number), "%zu", i);
        if (!holds_below(check, number, said, json_object_array_get_idx(value, i)))
            return false;
    }
    return true;
}

static bool has_not_more_items(struct check *check, struct json_object *schema, struct json_object *said,
                               struct json_object *value)
{
    UNUSED(schema);
    return !json_object_is_type(value, json_type_array) ||
           json_object_array_length(value) <= (size_t)json_object_get_int64(said) || wrong(check, "has too many items");
}

static bool has_not_more_members(struct check *check, struct json_object *schema, struct json_object *said,
                                 struct json_object *value)
{
    UNUSED(schema);
    return !json_object_is_type(value, json_type_object) ||
           json_object_object_length(value) <= json_object_get_int(said) || wrong(check, "has too many members");
}

static const struct {
    const char *name;
    keyword_fn holds; // NULL: says nothing about values
} keywords[] = {
    {"$ref", is_ref},
    {"type", is_type},
    {"const", is_const},
    {"enum", is_enum},
    {"anyOf", is_any_of},
    {"minimum", is_not_below},
    {"maximum", is_not_above},
    {"minLength", is_not_short},
    {"maxLength", is_not_long},
    {"pattern", is_like},
    {"required", has_all},
    {"properties", has_properties},
    {"additionalProperties", has_other},
    {"items", has_items},
    {"maxItems", has_not_more_items},
    {"maxProperties", has_not_more_members},
    {"description", NULL},
    {"examples", NULL},
    {"default", NULL},
};

static bool holds(struct check *check, struct json_object *schema, struct json_object *value)
{
    json_object_object_foreach(schema, name, said)
    {
        size_t i = 0;
        while (i < ARRAY_LEN(keywords) && strcmp(keywords[i].name, name) != 0)
            i++;
        if (i == ARRAY_LEN(keywords))
            die("tests/support/json_schema.c does not know the keyword %s", name);
        if (keywords[i].holds && !keywords[i].holds(check, schema, said, value))
            return false;
    }
    return true;
}

bool json_schema_holds(struct json_object *document, struct json_object *schema, struct json_object *value,
                       char problem[static JSON_SCHEMA_PROBLEM_SIZE])
{
    struct check check = {.document = document, .problem = problem};
    problem[0] = '\0';
    return holds(&check, schema, value);
}
