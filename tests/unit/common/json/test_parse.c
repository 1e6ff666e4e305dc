#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/parse.h"
#include "tests/support/test.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>

static void makes_a_tree(void **state)
{
    UNUSED(state);
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    struct err err = {0};
    const char text[] = "{\"a\": [1, \"x\\u00e9\"]} ";
    assert_ok(json_parse(text, strlen(text), NULL, &document, NULL, &err), err);
    struct json_object *list = json_object_object_get(document.root, "a");
    assert_int_equal(json_object_get_int64(json_object_array_get_idx(list, 0)), 1);
    assert_string_equal(json_object_get_string(json_object_array_get_idx(list, 1)), "x\xc3\xa9");
    assert_true(json_budget_used() == document.heap_bytes && document.heap_bytes > 0);
}

static void reads_any_value_when_told_so(void **state)
{
    UNUSED(state);
    struct json_limits limits = {.any_top = true};
    struct err err = {0};
    static const char *const texts[] = {"12", "-1.5e3", "\"a\"", "true", "null", "[]", " 7 "};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
        assert_ok(json_parse(texts[i], strlen(texts[i]), &limits, &document, NULL, &err), err);
        assert_true((document.root == NULL) == (strcmp(texts[i], "null") == 0));
    }
    assert_int_equal(json_budget_used(), 0);
}

static void turns_a_refusal_into_a_fault(void **state)
{
    UNUSED(state);
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    const char text[] = "{\"a\": {\"b\": 1, \"b\": 2}}";
    assert_error(json_parse(text, strlen(text), NULL, &document, &faults, &err), err, ERR_INVALID, "twice");
    assert_int_equal(faults_total(&faults), 1);
    assert_string_equal(faults.list[0].pointer, "/a/b");
    assert_int_equal(faults.list[0].code, FAULT_SYNTAX);
    assert_null(document.root);
    assert_int_equal(json_budget_used(), 0);
}

static void keeps_all_trees_within_one_budget(void **state)
{
    UNUSED(state);
    const char text[] = "{\"a\": [1, 2, 3]}";
    struct json_document first = JSON_DOCUMENT_INIT, second = JSON_DOCUMENT_INIT;
    struct err err = {0};
    assert_ok(json_parse(text, strlen(text), NULL, &first, NULL, &err), err);
    json_budget_set(first.heap_bytes + first.heap_bytes / 2);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    assert_error(json_parse(text, strlen(text), NULL, &second, &faults, &err), err, ERR_UNAVAILABLE, "right now");
    assert_int_equal(faults_total(&faults), 0);
    json_document_release(&first);
    assert_ok(json_parse(text, strlen(text), NULL, &second, NULL, &err), err);
    json_document_release(&second);
    json_document_release(&second);
    assert_int_equal(json_budget_used(), 0);
    json_budget_set(JSON_BUDGET_DEFAULT_BYTES);
}

static void *parse_often(void *argument)
{
    UNUSED(argument);
    const char text[] = "{\"a\": [1, 2, {\"b\": \"c\"}]}";
    for (int i = 0; i < 2000; i++) {
        struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
        if (json_parse(text, strlen(text), NULL, &document, NULL, NULL) < 0)
            return "failed";
    }
    return NULL;
}

static void gives_everything_back_from_many_threads(void **state)
{
    UNUSED(state);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, parse_often, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(json_budget_used(), 0);
}

static size_t heap_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

// A sanitizer's allocator is not the one that was measured.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEAP_IS_MEASURABLE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEAP_IS_MEASURABLE false
#endif
#endif
#ifndef HEAP_IS_MEASURABLE
#define HEAP_IS_MEASURABLE true
#endif

static void estimates_the_heap_from_above(void **state)
{
    UNUSED(state);
    static const char *const units[] = {
        "{}",
        "[]",
        "[1]",
        "1",
        "null",
        "true",
        "1.5",
        "\"a\"",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "1.55555555555555555555555555555555555555",
        "{\"a\":1}",
        "[[[[]]]]",
        "{\"a\":{\"b\":{\"c\":[{}]}}}",
        "{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0}"};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        for (int count = 1; count < 50000; count *= 13) {
            struct strbuf text AUTO_STRBUF = STRBUF_INIT;
            struct json_limits limits = {.heap_bytes_max = (size_t)200 << 20};
            struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
            struct err err = {0};
            strbuf_add_text(&text, "{\"list\":[");
            for (int j = 0; j < count; j++)
                strbuf_add_format(&text, "%s%s", j ? "," : "", units[i]);
            strbuf_add_text(&text, "]}");
            size_t before = heap_in_use();
            assert_ok(json_parse(text.data, text.length, &limits, &document, NULL, &err), err);
            ptrdiff_t taken = (ptrdiff_t)(heap_in_use() - before);
            if (HEAP_IS_MEASURABLE && taken > (ptrdiff_t)document.heap_bytes)
                fail_msg("%d times %s: estimated %zu, took %td", count, units[i], document.heap_bytes, taken);
        }
    }
}

static void estimates_big_objects_from_above(void **state)
{
    UNUSED(state);
    for (int count = 1; count < 9000; count += count / 3 + 1) {
        struct strbuf text AUTO_STRBUF = STRBUF_INIT;
        struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
        struct err err = {0};
        strbuf_add_char(&text, '{');
        for (int i = 0; i < count; i++)
            strbuf_add_format(&text, "%s\"%d\":null", i ? "," : "", i);
        strbuf_add_char(&text, '}');
        size_t before = heap_in_use();
        assert_ok(json_parse(text.data, text.length, NULL, &document, NULL, &err), err);
        ptrdiff_t taken = (ptrdiff_t)(heap_in_use() - before);
        if (HEAP_IS_MEASURABLE && taken > (ptrdiff_t)document.heap_bytes)
            fail_msg("%d members: estimated %zu, took %td", count, document.heap_bytes, taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_tree),
        cmocka_unit_test(reads_any_value_when_told_so),
        cmocka_unit_test(turns_a_refusal_into_a_fault),
        cmocka_unit_test(keeps_all_trees_within_one_budget),
        cmocka_unit_test(gives_everything_back_from_many_threads),
        cmocka_unit_test(estimates_the_heap_from_above),
        cmocka_unit_test(estimates_big_objects_from_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
