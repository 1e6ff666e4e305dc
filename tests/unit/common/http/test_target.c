#include "services/common/http/target.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "tests/support/test.h"

#include <string.h>

static int split(const char *target, const char **query, struct err *err)
{
    const char *path = NULL;
    size_t path_length = 0, query_length = 0;
    return http_target_split(target, strlen(target), &path, &path_length, query, &query_length, err);
}

static void accepts_sound_targets(void **state)
{
    UNUSED(state);
    static const char *const targets[] = {
        "/",
        "/v1/jobs",
        "/v1/jobs?limit=10&state=a,b",
        "/a/...",
        "/a/.b",
        "/caf%C3%A9",
        "/a%20b",
        "/~a-b_c.d!$&'()*+,;=:@",
        "/?",
        "/a?x=/../..",
        "/a?x=%2F",
        "/a?b?c",
        "/%41",
    };
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        const char *query = NULL;
        assert_ok(split(targets[i], &query, &err), err);
    }
}

static void refuses_nasty_targets(void **state)
{
    UNUSED(state);
    static const char *const targets[] = {
        "",       "*",      "a",       "http://x/a", "x:80",      "//",      "//a",   "/a//b",  "/a/",
        "/.",     "/..",    "/a/../b", "/a/./b",     "/%2e",      "/%2E%2e", "/.%2e", "/a%2fb", "/a%2Fb",
        "/a%5cb", "/a\\b",  "/%00",    "/a%0a",      "/a%1f",     "/a%7F",   "/%",    "/%4",    "/%g0",
        "/%0g",   "/%ff",   "/%c0%80", "/%ed%a0%80", "/a b",      "/a\tb",   "/\x01", "/\x7f",  "/\xc3\xa9",
        "/a#b",   "/a\"b",  "/<a>",    "/{a}",       "/a|b",      "/a^b",    "/a`b",  "/a?%00", "/a?%zz",
        "/a?%ff", "/a?b c", "/a?b#c",  "/a?\xff",    "/a?%0d%0a",
    };
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct err err = {0};
        const char *query = NULL;
        if (split(targets[i], &query, &err) == 0)
            fail_msg("'%s' was accepted", targets[i]);
        assert_string_equal(err_code_name(err.code), "invalid");
    }
}

static void refuses_long_targets(void **state)
{
    UNUSED(state);
    char target[HTTP_TARGET_LIMIT + 2];
    const char *query = NULL;
    struct err err = {0};
    memset(target, 'a', sizeof target);
    target[0] = '/';
    target[sizeof target - 1] = '\0';
    assert_error(split(target, &query, &err), err, ERR_TOO_LARGE, "more than");
    target[sizeof target - 2] = '\0';
    assert_ok(split(target, &query, &err), err);
}

static void cuts_at_the_first_question_mark(void **state)
{
    UNUSED(state);
    static const char target[] = "/a/b?c=d?e";
    const char *path = NULL, *query = NULL;
    size_t path_length = 0, query_length = 0;
    struct err err = {0};
    assert_ok(http_target_split(target, strlen(target), &path, &path_length, &query, &query_length, &err), err);
    assert_int_equal(path_length, 4);
    assert_string_equal(query, "c=d?e");
    assert_int_equal(query_length, 5);
    assert_ok(http_target_split("/", 1, &path, &path_length, &query, &query_length, &err), err);
    assert_null(query);
}

static void unescapes(void **state)
{
    UNUSED(state);
    char out[64];
    size_t length = 0;
    struct err err = {0};
    assert_ok(http_unescape("a%2Bb+c%25", 10, true, out, &length, &err), err);
    assert_string_equal(out, "a+b c%");
    assert_int_equal(length, 6);
    assert_ok(http_unescape("a+b", 3, false, out, &length, &err), err);
    assert_string_equal(out, "a+b");
    assert_error(http_unescape("%4", 2, false, out, &length, &err), err, ERR_INVALID, "escape");
    assert_error(http_unescape("%09", 3, false, out, &length, &err), err, ERR_INVALID, "control");
    assert_error(http_unescape("%e2%82", 6, false, out, &length, &err), err, ERR_INVALID, "UTF-8");
}

static void escapes_what_unescape_reads_back(void **state)
{
    UNUSED(state);
    static const char text[] = "a b/c?d=e&f+\xC3\xA9%~._-";
    AUTO_STRBUF struct strbuf escaped = STRBUF_INIT;
    char out[64];
    size_t length = 0;
    struct err err = {0};
    http_escape(&escaped, text);
    assert_string_equal(strbuf_text(&escaped), "a%20b%2Fc%3Fd%3De%26f%2B%C3%A9%25~._-");
    assert_ok(http_unescape(escaped.data, escaped.length, true, out, &length, &err), err);
    assert_string_equal(out, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_sound_targets),
        cmocka_unit_test(refuses_nasty_targets),
        cmocka_unit_test(refuses_long_targets),
        cmocka_unit_test(cuts_at_the_first_question_mark),
        cmocka_unit_test(unescapes),
        cmocka_unit_test(escapes_what_unescape_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
