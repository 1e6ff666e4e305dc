#include "services/common/json/field.h"
#include "services/common/json/parse.h"
#include "tests/support/test.h"

#include <string.h>

// A document, its faults and its root, for one test.
struct fixture {
    struct json_document document;
    struct faults faults;
    struct field root;
};

static void fixture_release(struct fixture *fixture)
{
    json_document_release(&fixture->document);
    faults_release(&fixture->faults);
}

static void fixture_read(struct fixture *fixture, const char *text)
{
    struct err err = {0};
    assert_ok(json_parse(text, strlen(text), NULL, &fixture->document, NULL, &err), err);
    fixture->root = field_root(fixture->document.root, &fixture->faults);
}
#define AUTO_FIXTURE CLEANUP(fixture_release)

static void assert_fault(const struct fixture *fixture, size_t i, enum fault_code code, const char *pointer,
                         const char *part)
{
    assert_true(i < fixture->faults.count);
    const struct fault *fault = &fixture->faults.list[i];
    assert_string_equal(fault->pointer, pointer);
    assert_string_equal(fault_code_name(fault->code), fault_code_name(code));
    if (!strstr(fault->detail, part))
        fail_msg("'%s' does not contain '%s'", fault->detail, part);
}

static void reads_each_type(void **state)
{
    UNUSED(state);
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(
        &it, "{\"t\":\"x\",\"i\":-5,\"n\":1.5,\"b\":true,\"d\":\"1m30s\",\"s\":\"2Ki\",\"s2\":77,\"a\":[1,2],\"o\":{"
             "\"k\":1}}");
    const char *text = NULL;
    int64_t integer = 0, duration = 0, size = 0, plain_size = 0, inner = 0;
    double number = 0;
    bool boolean = false;
    struct field array, object;
    assert_int_equal(field_text(&it.root, "t", 1, &text), FIELD_READ);
    assert_string_equal(text, "x");
    assert_int_equal(field_i64(&it.root, "i", -5, 5, &integer), FIELD_READ);
    assert_int_equal(integer, -5);
    assert_int_equal(field_number(&it.root, "n", 0, 2, &number), FIELD_READ);
    assert_true(number > 1.49 && number < 1.51);
    assert_int_equal(field_boolean(&it.root, "b", &boolean), FIELD_READ);
    assert_true(boolean);
    assert_int_equal(field_duration_ms(&it.root, "d", 0, 90000, &duration), FIELD_READ);
    assert_int_equal(duration, 90000);
    assert_int_equal(field_size_bytes(&it.root, "s", 0, 2048, &size), FIELD_READ);
    assert_int_equal(size, 2048);
    assert_int_equal(field_size_bytes(&it.root, "s2", 0, 100, &plain_size), FIELD_READ);
    assert_int_equal(plain_size, 77);
    assert_int_equal(field_array(&it.root, "a", 2, &array), FIELD_READ);
    assert_int_equal(field_count(&array), 2);
    assert_int_equal(field_object(&it.root, "o", &object), FIELD_READ);
    assert_int_equal(field_i64(&object, "k", 0, 1, &inner), FIELD_READ);
    assert_int_equal(faults_total(&it.faults), 0);
}

static void leaves_the_default_when_absent_or_null(void **state)
{
    UNUSED(state);
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(&it, "{\"null\":null}");
    int64_t value = 7;
    const char *text = "before";
    assert_int_equal(field_i64(&it.root, "none", 0, 9, &value), FIELD_ABSENT);
    assert_int_equal(field_i64(&it.root, "null", 0, 9, &value), FIELD_ABSENT);
    assert_int_equal(field_text(&it.root, "null", 9, &text), FIELD_ABSENT);
    assert_int_equal(value, 7);
    assert_string_equal(text, "before");
    assert_false(field_has(&it.root, "null"));
    assert_false(field_require(&it.root, "null"));
    assert_fault(&it, 0, FAULT_REQUIRED, "/null", "required");
}

// What json-c would have converted without a word.
static void looks_at_the_type_first(void **state)
{
    UNUSED(state);
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(
        &it, "{\"a\":\"123abc\",\"b\":\"false\",\"c\":1,\"d\":1.0,\"e\":true,\"f\":5,\"g\":{},\"h\":[],\"i\":\"x\"}");
    int64_t value = 7;
    bool boolean = false;
    const char *text = "before";
    double number = 7;
    struct field other = it.root;
    assert_int_equal(field_i64(&it.root, "a", 0, 1000, &value), FIELD_WRONG);
    assert_int_equal(field_boolean(&it.root, "b", &boolean), FIELD_WRONG);
    assert_int_equal(field_text(&it.root, "c", 9, &text), FIELD_WRONG);
    assert_int_equal(field_i64(&it.root, "d", 0, 9, &value), FIELD_WRONG);
    assert_int_equal(field_number(&it.root, "e", 0, 9, &number), FIELD_WRONG);
    assert_int_equal(field_duration_ms(&it.root, "f", 0, 9, &value), FIELD_WRONG);
    assert_int_equal(field_array(&it.root, "g", 9, &other), FIELD_WRONG);
    assert_int_equal(field_object(&it.root, "h", &other), FIELD_WRONG);
    assert_int_equal(field_size_bytes(&it.root, "e", 0, 9, &value), FIELD_WRONG);
    assert_int_equal(field_number(&it.root, "i", 0, 9, &number), FIELD_WRONG);
    assert_int_equal(value, 7);
    assert_false(boolean);
    assert_string_equal(text, "before");
    assert_int_equal(faults_total(&it.faults), 10);
    assert_fault(&it, 0, FAULT_TYPE, "/a", "an integer, not a text");
    assert_fault(&it, 3, FAULT_TYPE, "/d", "not a number with a fraction");
    assert_fault(&it, 5, FAULT_TYPE, "/f", "in quotes");
}

static void holds_values_to_their_range(void **state)
{
    UNUSED(state);
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(&it,
                 "{\"i\":10,\"t\":\"12345\",\"d\":\"2h\",\"s\":\"1Gi\",\"a\":[1,2,3],\"n\":0.5,\"bad\":\"2x\",\"bad2\":"
                 "\"2KB\"}");
    int64_t value = 0;
    double number = 0;
    const char *text = NULL;
    struct field array;
    assert_int_equal(field_i64(&it.root, "i", 0, 9, &value), FIELD_WRONG);
    assert_int_equal(field_text(&it.root, "t", 4, &text), FIELD_WRONG);
    assert_int_equal(field_duration_ms(&it.root, "d", 1000, 3600000, &value), FIELD_WRONG);
    assert_int_equal(field_size_bytes(&it.root, "s", 0, 1 << 20, &value), FIELD_WRONG);
    assert_int_equal(field_array(&it.root, "a", 2, &array), FIELD_WRONG);
    assert_int_equal(field_number(&it.root, "n", 1, 2, &number), FIELD_WRONG);
    assert_int_equal(field_duration_ms(&it.root, "bad", 0, 9, &value), FIELD_WRONG);
    assert_int_equal(field_size_bytes(&it.root, "bad2", 0, 9, &value), FIELD_WRONG);
    assert_fault(&it, 0, FAULT_RANGE, "/i", "from 0 to 9");
    assert_fault(&it, 1, FAULT_RANGE, "/t", "at most 4 bytes, not 5");
    assert_fault(&it, 2, FAULT_RANGE, "/d", "from 1s to 1h");
    assert_fault(&it, 4, FAULT_RANGE, "/a", "at most 2 items, not 3");
    assert_fault(&it, 6, FAULT_FORMAT, "/bad", "2x");
    assert_fault(&it, 7, FAULT_FORMAT, "/bad2", "2KB");
}

static void builds_pointers_while_descending(void **state)
{
    UNUSED(state);
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(&it, "{\"a/b\":[{\"~\":[[0,\"x\"]]}]}");
    struct field list = field_member(&it.root, "a/b"), first = field_item(&list, 0);
    struct field tilde = field_member(&first, "~"), inner = field_item(&tilde, 0), item = field_item(&inner, 1);
    struct json_pointer pointer;
    field_pointer(&item, &pointer);
    assert_string_equal(pointer.text, "/a~1b/0/~0/0/1");
    field_fault_at(&first, "n\xc3\xa9w", FAULT_REQUIRED, "is %s", "required");
    assert_fault(&it, 0, FAULT_REQUIRED, "/a~1b/0/n\xc3\xa9w", "is required");
}

static void never_follows_what_is_not_there(void **state)
{
    UNUSED(state);
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(&it, "{\"t\":\"x\"}");
    struct field text = field_member(&it.root, "t"), inside = field_member(&text, "k"), item = field_item(&text, 3);
    assert_null(inside.value);
    assert_null(item.value);
    assert_int_equal(field_count(&text), 0);
    field_reject_unknown(&text, NULL, 0);
    assert_int_equal(faults_total(&it.faults), 0);
}

static void refuses_unknown_names_and_guesses_what_was_meant(void **state)
{
    UNUSED(state);
    static const char *const names[] = {"command", "tasks", "name"};
    struct fixture it AUTO_FIXTURE = {0};
    fixture_read(&it, "{\"tasks\":1,\"comand\":2,\"zebra\":3,\"name\":4}");
    field_reject_unknown(&it.root, names, ARRAY_LEN(names));
    assert_int_equal(faults_total(&it.faults), 2);
    assert_fault(&it, 0, FAULT_UNKNOWN, "/comand", "did you mean 'command'?");
    assert_fault(&it, 1, FAULT_UNKNOWN, "/zebra", "no such field");
    assert_null(strstr(it.faults.list[1].detail, "mean"));
}

// A tree that was not parsed by us may have NULs in its texts.
static void refuses_a_text_with_a_nul(void **state)
{
    UNUSED(state);
    struct json_object *object AUTO_JSON = json_object_new_object();
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    json_object_object_add(object, "t", json_object_new_string_len("a\0b", 3));
    struct field root = field_root(object, &faults);
    const char *text = "before";
    assert_int_equal(field_text(&root, "t", 9, &text), FIELD_WRONG);
    assert_string_equal(text, "before");
    assert_int_equal(faults.list[0].code, FAULT_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_type),
        cmocka_unit_test(leaves_the_default_when_absent_or_null),
        cmocka_unit_test(looks_at_the_type_first),
        cmocka_unit_test(holds_values_to_their_range),
        cmocka_unit_test(builds_pointers_while_descending),
        cmocka_unit_test(never_follows_what_is_not_there),
        cmocka_unit_test(refuses_unknown_names_and_guesses_what_was_meant),
        cmocka_unit_test(refuses_a_text_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
