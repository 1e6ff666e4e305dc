#include "services/common/base/id.h"
#include "services/common/json/scan.h"
#include "services/jobmanager/work_write.h"
#include "tests/support/test.h"

#include <string.h>

#define JOB INT64_C(123456789)

static void assert_json(const struct strbuf *text)
{
    struct err err;
    assert_ok(json_scan(strbuf_text(text), text->length, NULL, NULL, &err), err);
}

static void an_empty_reply(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct work_operation operation = {.lease_ms = 30000, .polls = true};
    poll_reply_write(&out, &operation, "abc");
    assert_string_equal(strbuf_text(&out), "{\"lease_ms\":30000,\"slices\":[],\"start\":[],\"stop\":[],\"verify\":[],"
                                           "\"cancel\":[],\"drain\":false}");
}

static void everything_at_once(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char id[ID_TEXT_SIZE], expected[1024];
    id_format('j', JOB, id);
    struct grant grants[] = {{.job = JOB,
                              .token = 7,
                              .stage = 1,
                              .stage_name = "count",
                              .first = 10,
                              .count = 2,
                              .attempt = 3,
                              .items = "[1,2]",
                              .run = "{}",
                              .services = "[]",
                              .bundle = "ff"},
                             {.job = JOB,
                              .token = 8,
                              .stage = 0,
                              .stage_name = "pull",
                              .first = 0,
                              .count = 1,
                              .attempt = 1,
                              .traceparent = "00-1-2-01"}};
    struct instance_order order = {.job = JOB, .service = "cache", .epoch = 2, .reason = "stopped"};
    struct instance_order start = {.job = JOB, .service = "cache", .epoch = 3, .run = "{\"a\":1}", .services = "[]"};
    struct cancel_order cancel = {.job = JOB, .token = 9, .first = 4, .stage = 2};
    struct work_operation operation = {.lease_ms = 1,
                                       .drain = true,
                                       .polls = true,
                                       .grants = grants,
                                       .grant_count = 2,
                                       .starts = &start,
                                       .start_count = 1,
                                       .stops = &order,
                                       .stop_count = 1,
                                       .cancels = &cancel,
                                       .cancel_count = 1};
    poll_reply_write(&out, &operation, "abc");
    assert_json(&out);
    snprintf(
        expected, sizeof(expected),
        "{\"slice\":\"%s/1/10\",\"token\":7,\"job\":\"%s\",\"stage\":\"count\",\"first\":10,\"count\":2,\"attempt\":3,"
        "\"items\":[1,2],\"run\":{},\"services\":[],\"bundle\":\"ff\"}",
        id, id);
    assert_non_null(strstr(out.data, expected));
    assert_non_null(strstr(out.data, "\"items\":null,\"run\":null,\"services\":[],\"bundle\":null,"
                                     "\"traceparent\":\"00-1-2-01\"}"));
    snprintf(expected, sizeof(expected), "\"object\":\"curfew-abc-%s.cache.3\"", id);
    assert_non_null(strstr(out.data, expected));
    snprintf(expected, sizeof(expected), "\"cancel\":[{\"slice\":\"%s/2/4\",\"token\":9}],\"drain\":true}", id);
    assert_non_null(strstr(out.data, expected));
    assert_non_null(strstr(out.data, "\"epoch\":2,\"reason\":\"stopped\"}"));
    assert_null(strstr(out.data, "drill"));
    strbuf_clear(&out);
    operation.drill = true;
    poll_reply_write(&out, &operation, "abc");
    assert_non_null(strstr(out.data, "\"drain\":true,\"drill\":true}"));
}

static void stale_slices_are_named(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct slice_result results[] = {
        {.slice = "a/0/0", .stale = true}, {.slice = "b/0/0"}, {.slice = "c/\"/0", .stale = true}};
    struct work_operation operation = {.results = results, .result_count = 3};
    report_reply_write(&out, &operation, "abc");
    assert_string_equal(strbuf_text(&out), "{\"stale\":[\"a/0/0\",\"c/\\\"/0\"]}");
    assert_int_equal(work_stale_count(&operation), 2);
    strbuf_clear(&out);
    report_stale_write(&out, &operation, "r1");
    assert_json(&out);
    assert_non_null(strstr(out.data, "\"code\":\"stale\""));
    assert_non_null(strstr(out.data, "\"stale\":[\"a/0/0\""));
    strbuf_clear(&out);
    operation.polls = true;
    report_reply_write(&out, &operation, "abc");
    assert_json(&out);
    assert_non_null(strstr(out.data, "\"lease_ms\":0"));
}

static void tasks_that_go_on_are_told_by_slice(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT, expected = STRBUF_INIT, none = STRBUF_INIT;
    char id[ID_TEXT_SIZE];
    id_format('j', JOB, id);
    struct worker_adopted one = {.job = JOB,
                                 .token = 7,
                                 .stage = 1,
                                 .stage_name = "count",
                                 .first = 10,
                                 .count = 2,
                                 .attempt = 3,
                                 .run = "{}",
                                 .task = 10,
                                 .logged = 5};
    struct worker_adopted two = one, other = one;
    two.task = 11;
    two.logged = 0;
    other.token = 8;
    const struct worker_adopted adopted[] = {one, two, other};
    registered_adopted_write(&out, adopted, ARRAY_LEN(adopted));
    for (int token = 7; token <= 8; token++)
        strbuf_add_format(&expected,
                          "%s{\"slice\":\"%s/1/10\",\"token\":%d,\"job\":\"%s\",\"stage\":\"count\",\"first\":10,"
                          "\"count\":2,\"attempt\":3,\"run\":{},\"adopted\":[{\"task\":10,\"logged\":5}%s]}",
                          token == 7 ? ",\"adopted\":[" : ",", id, token, id,
                          token == 7 ? ",{\"task\":11,\"logged\":0}" : "");
    strbuf_add_char(&expected, ']');
    assert_string_equal(strbuf_text(&out), strbuf_text(&expected));
    registered_adopted_write(&none, NULL, 0);
    assert_string_equal(strbuf_text(&none), ",\"adopted\":[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_empty_reply), cmocka_unit_test(everything_at_once),
                                       cmocka_unit_test(stale_slices_are_named),
                                       cmocka_unit_test(tasks_that_go_on_are_told_by_slice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
