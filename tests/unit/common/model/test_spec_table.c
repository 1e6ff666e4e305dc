#include "services/common/json/parse.h"
#include "services/common/model/spec_table.h"
#include "tests/support/test.h"

#include <string.h>

// A small table with a row of each kind.
struct inner {
    int64_t size_bytes;
};
struct item {
    char *name;
};
struct thing {
    char *text;
    int64_t number, duration_ms;
    int choice;
    struct inner inner;
    struct item *items;
    size_t item_count;
    bool custom;
};

static void read_custom(struct spec_reader *reader, const struct field *member, void *at)
{
    UNUSED(reader);
    field_as_boolean(member, at);
}

static void write_custom(const void *at, struct strbuf *out)
{
    if (*(const bool *)at)
        strbuf_add_text(out, "true");
}

static const char *no_x(const char *text)
{
    return strchr(text, 'x') ? "must not have an x" : NULL;
}

static bool inner_is_absent(const void *at)
{
    return ((const struct inner *)at)->size_bytes == 0;
}

static void finish(struct spec_reader *reader, const struct field *object, void *target)
{
    UNUSED(reader);
    if (((struct thing *)target)->number == 13)
        field_fault_at(object, "number", FAULT_CONFLICT, "is unlucky");
}

static const char *const choices[] = {"red", "green", NULL};
static const struct spec_row inner_rows[] = {
    {.name = "size", .kind = SPEC_SIZE, .offset = offsetof(struct inner, size_bytes), .max = 1 << 20}};
static const struct spec_table inner_table = {.rows = inner_rows, .count = 1, .absent = inner_is_absent};
static const struct spec_row item_rows[] = {
    {.name = "name", .kind = SPEC_TEXT, .offset = offsetof(struct item, name), .max = 4, .required = true}};
static const struct spec_table item_table = {.rows = item_rows, .count = 1};
static const struct spec_row included_rows[] = {{.name = "duration",
                                                 .kind = SPEC_DURATION,
                                                 .offset = offsetof(struct thing, duration_ms),
                                                 .max = 5000,
                                                 .fallback = "2s"},
                                                {.name = "choice",
                                                 .kind = SPEC_CHOICE,
                                                 .offset = offsetof(struct thing, choice),
                                                 .choices = choices,
                                                 .fallback = "green"}};
static const struct spec_table included_table = {.rows = included_rows, .count = ARRAY_LEN(included_rows)};
static const struct spec_row rows[] = {
    {.name = "text",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct thing, text),
     .max = 5,
     .problem = no_x,
     .fallback = "dflt"},
    {.name = "number",
     .kind = SPEC_INTEGER,
     .offset = offsetof(struct thing, number),
     .min = -5,
     .max = 50,
     .fallback = "7"},
    {.kind = SPEC_INCLUDE, .table = &included_table},
    {.name = "inner", .kind = SPEC_OBJECT, .offset = offsetof(struct thing, inner), .table = &inner_table},
    {.name = "items",
     .kind = SPEC_LIST,
     .offset = offsetof(struct thing, items),
     .count_offset = offsetof(struct thing, item_count),
     .item_size = sizeof(struct item),
     .table = &item_table,
     .max = 2},
    {.name = "custom",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct thing, custom),
     .read = read_custom,
     .write = write_custom}};
static const struct spec_table table = {.rows = rows, .count = ARRAY_LEN(rows), .finish = finish};

static void read(const char *text, struct arena *arena, struct thing *out, struct faults *faults)
{
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    struct spec_reader reader = {.arena = arena};
    struct err err = {0};
    assert_ok(json_parse(text, strlen(text), NULL, &document, NULL, &err), err);
    struct field root = field_root(document.root, faults);
    spec_read(&reader, &root, &table, out);
    assert_false(reader.no_memory);
}

static void fills_in_defaults(void **state)
{
    UNUSED(state);
    struct arena *arena AUTO_ARENA = arena_new(64);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct thing thing = {0};
    read("{}", arena, &thing, &faults);
    assert_int_equal(faults_total(&faults), 0);
    assert_string_equal(thing.text, "dflt");
    assert_int_equal(thing.number, 7);
    assert_int_equal(thing.duration_ms, 2000);
    assert_int_equal(thing.choice, 1);
    assert_int_equal(thing.item_count, 0);
    assert_null(thing.items);
}

static void reads_every_kind(void **state)
{
    UNUSED(state);
    struct arena *arena AUTO_ARENA = arena_new(64);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct thing thing = {0};
    read(
        "{\"text\":\"abc\",\"number\":-5,\"duration\":\"0s\",\"choice\":\"red\",\"inner\":{\"size\":\"1Ki\"},\"items\":"
        "[{\"name\":\"a\"},{\"name\":\"b\"}],\"custom\":true}",
        arena, &thing, &faults);
    assert_int_equal(faults_total(&faults), 0);
    assert_string_equal(thing.text, "abc");
    assert_int_equal(thing.number, -5);
    assert_int_equal(thing.duration_ms, 0);
    assert_int_equal(thing.choice, 0);
    assert_int_equal(thing.inner.size_bytes, 1024);
    assert_int_equal(thing.item_count, 2);
    assert_string_equal(thing.items[1].name, "b");
    assert_true(thing.custom);
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    spec_write(&table, &thing, &out);
    assert_string_equal(out.data,
                        "{\"text\":\"abc\",\"number\":-5,\"duration\":\"0s\",\"choice\":\"red\",\"inner\":{\"size\":"
                        "1024},\"items\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"custom\":true}");
}

static void collects_faults(void **state)
{
    UNUSED(state);
    struct arena *arena AUTO_ARENA = arena_new(64);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct thing thing = {0};
    read("{\"text\":\"x\",\"number\":13,\"choice\":\"blue\",\"inner\":5,\"items\":[{},null,{}],\"other\":1}", arena,
         &thing, &faults);
    static const char *const pointers[] = {"/text", "/choice", "/inner", "/items", "/other", "/number"};
    assert_int_equal(faults.count, ARRAY_LEN(pointers));
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
        assert_string_equal(faults.list[i].pointer, pointers[i]);
    assert_non_null(strstr(faults.list[1].detail, "red or green"));
    struct faults more AUTO_FAULTS = FAULTS_INIT;
    read("{\"items\":[{},null]}", arena, &thing, &more);
    assert_int_equal(more.count, 2);
    assert_string_equal(more.list[0].pointer, "/items/0/name");
    assert_string_equal(more.list[1].pointer, "/items/1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_defaults),
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(collects_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
