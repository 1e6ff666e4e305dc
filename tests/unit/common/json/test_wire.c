#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/json/wire.h"
#include "tests/support/test.h"

#include <string.h>

struct thing {
    int64_t number;
    int small;
    bool yes;
    const char *text, *cut;
    int64_t job;
    size_t parts;
    int64_t sum;
    const char *raw;
    size_t raw_length;
};

static void part_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct thing *thing = object;
    int64_t value = 0;
    if (wire_i64(wire, place, 0, 100, &value))
        thing->sum += value;
}

static void parts_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct thing *thing = object;
    wire_array(wire, place, 3, part_read, object, &thing->parts);
}

static void pairs_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_members(wire, place, 2, part_read, object);
}

static void raw_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct thing *thing = object;
    wire_raw(wire, place, 20, &thing->raw, &thing->raw_length);
}

#define AT(member) offsetof(struct thing, member)
static const struct wire_field fields[] = {
    {"number", WIRE_I64, false, AT(number), INT64_MIN, INT64_MAX, NULL},
    {"small", WIRE_INT, false, AT(small), -5, 5, NULL},
    {"yes", WIRE_BOOLEAN, false, AT(yes), 0, 0, NULL},
    {"text", WIRE_TEXT, true, AT(text), 0, 8, NULL},
    {"cut", WIRE_CUT, false, AT(cut), 0, 4, NULL},
    {"job", WIRE_JOB, false, AT(job), 0, 0, NULL},
    {"parts", WIRE_CUSTOM, false, 0, 0, 0, parts_read},
    {"pairs", WIRE_CUSTOM, false, 0, 0, 0, pairs_read},
    {"raw", WIRE_CUSTOM, false, 0, 0, 0, raw_read},
};

static int read_thing(const char *text, struct thing *out, struct arena *arena, struct faults *faults, struct err *err)
{
    *out = (struct thing){0};
    return wire_read(text, strlen(text), NULL, fields, ARRAY_LEN(fields), out, arena, faults, err);
}

static void values_are_read(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct thing thing;
    struct err err;
    char id[ID_TEXT_SIZE], text[512];
    id_format('j', 77, id);
    snprintf(text, sizeof(text),
             " { \"number\" : -9223372036854775808 , \"small\":-5, \"yes\":true, \"te\\u0078t\":\"a\\n\\u00e9\", "
             "\"cut\":\"abcéf\","
             "\"job\":\"%s\", \"parts\":[ 1 , 2 ], \"pairs\":{\"a\":3}, \"raw\":{ \"a b\" : [ ] } } ",
             id);
    assert_ok(read_thing(text, &thing, arena, &faults, &err), err);
    assert_true(thing.number == INT64_MIN);
    assert_int_equal(thing.small, -5);
    assert_true(thing.yes);
    assert_string_equal(thing.text, "a\n\xc3\xa9");
    assert_string_equal(thing.cut, "abc");
    assert_int_equal(thing.job, 77);
    assert_int_equal(thing.parts, 2);
    assert_int_equal(thing.sum, 6);
    assert_int_equal(thing.raw_length, strlen("{\"a b\":[]}"));
    assert_memory_equal(thing.raw, "{\"a b\":[]}", thing.raw_length);
}

static const struct {
    const char *text, *pointer;
    enum fault_code code;
} wrong[] = {
    {"{}", "/text", FAULT_REQUIRED},
    {"{\"text\":null}", "/text", FAULT_REQUIRED},
    {"{\"text\":\"123456789\"}", "/text", FAULT_RANGE},
    {"{\"text\":1}", "/text", FAULT_TYPE},
    {"{\"text\":\"\",\"small\":6}", "/small", FAULT_RANGE},
    {"{\"text\":\"\",\"small\":1.0}", "/small", FAULT_TYPE},
    {"{\"text\":\"\",\"small\":[{}]}", "/small", FAULT_TYPE},
    {"{\"text\":\"\",\"yes\":\"true\"}", "/yes", FAULT_TYPE},
    {"{\"text\":\"\",\"job\":\"j\"}", "/job", FAULT_FORMAT},
    {"{\"text\":\"\",\"parts\":[1,2,3,4]}", "/parts", FAULT_RANGE},
    {"{\"text\":\"\",\"parts\":[1,\"x\"]}", "/parts/1", FAULT_TYPE},
    {"{\"text\":\"\",\"pairs\":{\"a\":1,\"b\":2,\"c\":3}}", "/pairs", FAULT_RANGE},
    {"{\"text\":\"\",\"pairs\":{\"a~/\":101}}", "/pairs/a~0~1", FAULT_RANGE},
    {"{\"text\":\"\",\"raw\":\"012345678901234567890\"}", "/raw", FAULT_RANGE},
    {"{\"text\":\"\",\"what\":{\"deep\":[1]}}", "/what", FAULT_UNKNOWN},
    {"{\"text\":\"\"", "", FAULT_SYNTAX},
    {"[]", "", FAULT_SYNTAX},
    {"{\"text\":\"\",\"text\":\"\"}", "/text", FAULT_SYNTAX},
};

static void faults_have_their_place(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena *arena = arena_new(0);
        AUTO_FAULTS struct faults faults = FAULTS_INIT;
        struct thing thing;
        struct err err;
        if (read_thing(wrong[i].text, &thing, arena, &faults, &err) != -1 || faults_total(&faults) != 1)
            fail_msg("%s: %zu faults", wrong[i].text, faults_total(&faults));
        assert_int_equal(faults.list[0].code, wrong[i].code);
        if (wrong[i].code != FAULT_SYNTAX)
            assert_string_equal(faults.list[0].pointer, wrong[i].pointer);
    }
}

static void an_answer_may_say_more(void **state)
{
    UNUSED(state);
    static const char text[] = "{\"new\":{\"a\":[]},\"text\":\"x\"}";
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct thing thing = {0};
    struct err err;
    assert_ok(wire_read_answer(text, strlen(text), NULL, fields, ARRAY_LEN(fields), &thing, arena, &faults, &err), err);
    assert_string_equal(thing.text, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(faults_have_their_place),
        cmocka_unit_test(an_answer_may_say_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
