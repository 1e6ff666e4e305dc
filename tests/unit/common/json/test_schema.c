#include "services/common/json/schema.h"

#include "services/common/json/scan.h"
#include "tests/support/test.h"

#include <stdlib.h>

static void expect_type(const char *type, int64_t max, const char *json, const char *text)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char *printed = NULL;
    size_t length;
    schema_type_write(type, max, &out);
    assert_string_equal(strbuf_text(&out), json);
    FILE *file = open_memstream(&printed, &length);
    schema_type_print(type, max, file);
    fclose(file);
    assert_string_equal(printed, text);
    free(printed);
}

static void reads_types(void **state)
{
    UNUSED(state);
    expect_type("Job", 0, "\"$ref\":\"#/components/schemas/Job\"", "[Job](#job)");
    expect_type("boolean", 0, "\"type\":\"boolean\"", "boolean");
    expect_type("any", 0, "", "any value");
    expect_type("Job[]", 500, "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Job\"},\"maxItems\":500",
                "list of up to 500 [Job](#job)");
    expect_type("object{}", 0, "\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\"}",
                "object of object");
    expect_type("Job?", 0, "\"anyOf\":[{\"$ref\":\"#/components/schemas/Job\"},{\"type\":\"null\"}]",
                "[Job](#job), or null");
    expect_type("\"all\"|boolean[]?", 0,
                "\"anyOf\":[{\"const\":\"all\"},{\"type\":\"array\",\"items\":{\"type\":\"boolean\"}},{\"type\":"
                "\"null\"}]",
                "`\"all\"`, or list of boolean, or null");
}

static const char *const colours[] = {"red", "blue", NULL};
static const struct schema_field fields[] = {
    {.name = "colour", .type = "Colour", .meaning = "What it looks like."},
    {.name = "parts", .type = "Part[]", .meaning = "What it has.", .optional = true, .max = 3},
};
static const struct schema_field part_fields[] = {
    {.name = "width", .type = "Width?", .meaning = "In inches.", .example = "null"},
    {.name = "holes", .type = "Width{}", .meaning = "By name."},
};
static const struct schema schemas[] = {
    {.name = "Thing", .kind = SCHEMA_OBJECT, .fields = fields, .field_count = 2, .closed = true, .meaning = "a thing"},
    {.name = "Part", .kind = SCHEMA_OBJECT, .fields = part_fields, .field_count = 2, .meaning = "a part"},
    {.name = "Colour", .kind = SCHEMA_WORDS, .words = colours, .meaning = "a colour"},
    {.name = "Width", .kind = SCHEMA_NUMBER, .min = 1500, .max = 9000, .example = "2.5", .meaning = "a width"},
    {.name = "Id",
     .kind = SCHEMA_TEXT,
     .min = 1,
     .max = 9,
     .pattern = "^\"",
     .example = "\"\\\"\"",
     .meaning = "an id"},
};
static const struct schema_set set = {schemas, ARRAY_LEN(schemas)};
static const struct schema_set *const sets[] = {&set, NULL};

static void expect_schema(const char *name, const char *json)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    schema_write(schema_find(sets, name), &out);
    assert_string_equal(strbuf_text(&out), json);
}

static void writes_schemas(void **state)
{
    UNUSED(state);
    expect_schema("Thing",
                  "\"Thing\":{\"type\":\"object\",\"properties\":{\"colour\":{\"$ref\":\"#/components/schemas/Colour\","
                  "\"description\":\"What it looks like.\"},\"parts\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/"
                  "components/schemas/Part\"},\"maxItems\":3,\"description\":\"What it has.\"}},\"required\":"
                  "[\"colour\"],\"additionalProperties\":false,\"description\":\"a thing\"}");
    expect_schema("Colour",
                  "\"Colour\":{\"type\":\"string\",\"enum\":[\"red\",\"blue\"],\"description\":\"a colour\"}");
    expect_schema("Width", "\"Width\":{\"type\":\"number\",\"minimum\":1.500,\"maximum\":9,\"description\":\"a width\","
                           "\"examples\":[2.5]}");
    expect_schema("Id", "\"Id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":9,\"pattern\":\"^\\\"\","
                        "\"description\":\"an id\",\"examples\":[\"\\\"\"]}");
    assert_null(schema_find(sets, "Nothing"));
}

static void puts_examples_together(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    schema_example_write(sets, "Thing", &out);
    assert_string_equal(strbuf_text(&out),
                        "{\"colour\":\"red\",\"parts\":[{\"width\":null,\"holes\":{\"main\":2.5}}]}");
}

static void prints_sections(void **state)
{
    UNUSED(state);
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    schema_print(&schemas[0], out);
    schema_print(&schemas[2], out);
    fclose(out);
    assert_string_equal(text, "\n### Thing\n\nA thing.\n\n| Field | Type | Meaning |\n| --- | --- | --- |\n"
                              "| `colour` | [Colour](#colour) | What it looks like. |\n"
                              "| `parts` (may be absent) | list of up to 3 [Part](#part) | What it has. |\n"
                              "\n### Colour\n\nA colour. One of `red`, `blue`.\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_types),
        cmocka_unit_test(writes_schemas),
        cmocka_unit_test(puts_examples_together),
        cmocka_unit_test(prints_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
