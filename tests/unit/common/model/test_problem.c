#include "services/common/base/macros.h"
#include "services/common/json/problem_document.h"
#include "services/common/json/scan.h"
#include "services/common/model/problem.h"
#include "tests/support/test.h"

#include <string.h>

static void knows_the_status_of_every_code(void **state)
{
    UNUSED(state);
    static const int statuses[ERR_CODE_COUNT] = {
        [ERR_INVALID] = 400,     [ERR_UNAUTHORIZED] = 401, [ERR_FORBIDDEN] = 403, [ERR_NOT_FOUND] = 404,
        [ERR_CONFLICT] = 409,    [ERR_STALE] = 409,        [ERR_TOO_LARGE] = 413, [ERR_LIMIT] = 429,
        [ERR_UNAVAILABLE] = 503, [ERR_TIMEOUT] = 504,      [ERR_NO_MEMORY] = 503, [ERR_IO] = 500,
        [ERR_UNSUPPORTED] = 501, [ERR_INTERNAL] = 500};
    for (int code = 0; code < ERR_CODE_COUNT; code++)
        assert_int_equal(problem_status((enum err_code)code), statuses[code]);
    assert_string_equal(problem_title(299), "Unknown");
}

static void writes_a_document(void **state)
{
    UNUSED(state);
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err;
    err_set(&err, ERR_INVALID, "the job spec has %d faults", 2);
    faults_add(&faults, FAULT_REQUIRED, "/name", "is required");
    faults_add(&faults, FAULT_TYPE, "/a~1\"b", "has to be a \"text\"");
    problem_write(&err, &faults, "req-1", &out);
    assert_string_equal(
        strbuf_text(&out),
        "{\"type\":\"urn:curfew:problem:invalid\",\"title\":\"Bad Request\",\"status\":400,"
        "\"code\":\"invalid\",\"detail\":\"the job spec has 2 faults\",\"request_id\":\"req-1\",\"errors\":["
        "{\"pointer\":\"/name\",\"code\":\"required\",\"detail\":\"is required\"},"
        "{\"pointer\":\"/a~1\\\"b\",\"code\":\"type\",\"detail\":\"has to be a \\\"text\\\"\"}]}");
}

static void is_valid_json_whatever_the_text(void **state)
{
    UNUSED(state);
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    struct err err = {.code = ERR_NOT_FOUND, .text = "job 'a\"\\\n\x01\xff\xed\xa0\x80\xc3' does not exist"};
    struct err scan_err = {0};
    problem_write(&err, NULL, "\xfe", &out);
    assert_ok(json_scan(out.data, out.length, NULL, NULL, &scan_err), scan_err);
    assert_non_null(strstr(out.data, "does not exist"));
    assert_non_null(strstr(out.data, "\"errors\":[]"));
}

static void keeps_internal_details_to_itself(void **state)
{
    UNUSED(state);
    static const enum err_code codes[] = {ERR_INTERNAL, ERR_IO, ERR_NO_MEMORY};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct strbuf out AUTO_STRBUF = STRBUF_INIT;
        struct err err = {.code = codes[i], .text = "password of the database"};
        problem_write(&err, NULL, "req-1", &out);
        assert_null(strstr(out.data, "password"));
        assert_non_null(strstr(out.data, problem_title(problem_status(codes[i]))));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_status_of_every_code),
        cmocka_unit_test(writes_a_document),
        cmocka_unit_test(is_valid_json_whatever_the_text),
        cmocka_unit_test(keeps_internal_details_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
