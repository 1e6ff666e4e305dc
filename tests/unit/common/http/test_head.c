#include "services/common/http/head.h"

#include "tests/support/test.h"

#include <string.h>

// Checks a head given as "Name: value" lines. The status, or 0 when it was accepted.
static int check(const char *version, const char *const *lines, size_t count, struct http_framing *framing)
{
    struct http_head_field fields[HTTP_HEAD_FIELDS + 1];
    struct http_head head = {.version = version, .fields = fields, .count = count};
    struct err err = {0};
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        const char *colon = strchr(lines[i], ':');
        const char *value = colon + 1 + strspn(colon + 1, " ");
        fields[i] = (struct http_head_field){lines[i], (size_t)(colon - lines[i]), value, strlen(value)};
    }
    int result = http_head_check(&head, framing, &status, &err);
    assert_int_equal(result, status == 0 ? 0 : -1);
    return status;
}

#define CHECK(version, framing, ...)                                                                                \
    check(version, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
          framing)

static void reads_the_framing(void **state)
{
    UNUSED(state);
    struct http_framing framing;
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a:80"), 0);
    assert_int_equal(framing.content_length, -1);
    assert_false(framing.chunked);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: [::1]:80", "content-LENGTH: 0012", "Expect: 100-Continue"), 0);
    assert_int_equal(framing.content_length, 12);
    assert_true(framing.expects_continue);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Transfer-Encoding: Chunked"), 0);
    assert_true(framing.chunked);
    assert_int_equal(CHECK("HTTP/1.0", &framing, "X: y"), 0);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Content-Length: 9223372036854775807"), 0);
    assert_int_equal(framing.content_length, INT64_MAX);
}

static void refuses_ambiguity(void **state)
{
    UNUSED(state);
    struct http_framing framing;
    assert_int_equal(CHECK("HTTP/1.1", &framing, "X: y"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Host: a"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Content-Length: 1", "Content-Length: 1"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Transfer-Encoding: gzip"), 400);
    assert_int_equal(CHECK("HTTP/1.0", &framing, "Host: a", "Transfer-Encoding: chunked"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Content-Length: 9223372036854775808"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Content-Length: 1x"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Idempotency-Key: 1", "idempotency-key: 2"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Authorization: 1", "Authorization: 1"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "Expect: x"), 417);
    assert_int_equal(CHECK("HTTP/1.2", &framing, "Host: a"), 505);
}

static void refuses_odd_bytes(void **state)
{
    UNUSED(state);
    struct http_framing framing;
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", ": b"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "A b: c"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "A\t: c"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "A: \x01"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "A: \x7f"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "A: \xff"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a", "A: \xC3\xA9\tb"), 0);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: a/b"), 400);
    assert_int_equal(CHECK("HTTP/1.1", &framing, "Host: "), 400);
}

static void counts_headers(void **state)
{
    UNUSED(state);
    struct http_framing framing;
    const char *lines[HTTP_HEAD_FIELDS + 1];
    lines[0] = "Host: a";
    for (size_t i = 1; i < ARRAY_LEN(lines); i++)
        lines[i] = "X: y";
    assert_int_equal(check("HTTP/1.1", lines, HTTP_HEAD_FIELDS, &framing), 0);
    assert_int_equal(check("HTTP/1.1", lines, HTTP_HEAD_FIELDS + 1, &framing), 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_framing),
        cmocka_unit_test(refuses_ambiguity),
        cmocka_unit_test(refuses_odd_bytes),
        cmocka_unit_test(counts_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
