#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/spec_text.h"
#include "tests/support/test.h"

#include <string.h>

typedef const char *(*problem_fn)(const char *);

static void check(problem_fn problem, const char *const *good, const char *const *bad)
{
    for (; *good; good++) {
        if (problem(*good))
            fail_msg("'%s': %s", *good, problem(*good));
    }
    for (; *bad; bad++) {
        if (!problem(*bad))
            fail_msg("'%s' was accepted", *bad);
    }
}
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void knows_names(void **state)
{
    UNUSED(state);
    check(spec_name_problem, LIST("a", "a1", "word-count", "a--", "z9-0"),
          LIST("", "A", "1a", "-a", "a_b", "a.b", "a b", "\xc3\xa9", "a\n"));
    check(spec_variable_problem, LIST("A", "_", "a1", "HOME", "CURFEW", "XCURFEW_A"),
          LIST("", "1A", "A-B", "A=B", "A B", "CURFEW_JOB", "CURFEW_", "A\n"));
    check(spec_label_problem, LIST("a", "A", "0", "a.b/c_d-e", "team"), LIST("", ".a", "/a", "a b", "a:b", "\xc3\xa9"));
    check(spec_label_value_problem, LIST("", "anything at all: \xc3\xa9 {}"), LIST("a\nb", "\x01", "\x7f", "\t"));
}

static void knows_images(void **state)
{
    UNUSED(state);
    check(spec_image_problem,
          LIST("redis", "redis:7", "localhost/a", "a/b/c", "a---b", "127.0.0.1:5000/x/y:z", "r:_1", "r:T.A-G", "0",
               "library/redis:7.2-alpine", "registry.example/team/image:tag", "localhost:5000/a",
               "ab.c/d-e__f/g.h:latest",
               "ghcr.io/owner/name@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
               "r:7@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
          LIST("", "Redis", "redis 7", "a_-b", "a___b", "a-", "-a/b", "a.b:x/c", "a.b:/c", "a.b./c", "@", "a@", ":",
               "a:b:c", "a:b/c:", "a/B", "a.B/", "redis:", ":7", "/redis", "redis/", "a//b", "-x", "a;b", "$(x)",
               "a\nb", "redis@sha256:00", "redis@md5:00", "redis:-x", "../x", "a..b", "http://a/b",
               "r@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
}

static void knows_bundles_and_paths(void **state)
{
    UNUSED(state);
    check(spec_bundle_problem, LIST("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
          LIST("", "sha256:", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
               "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
               "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"));
    check(spec_http_path_problem, LIST("/", "/healthz", "/a/b?c=d&e=%20", "/~x"),
          LIST("", "healthz", "/a b", "/a#b", "/\n", "/\xc3\xa9", "/a\\b", "http://x/"));
}

static void knows_patterns(void **state)
{
    UNUSED(state);
    check(spec_pattern_problem,
          LIST("ready", "^Listening on [0-9]+$", "a{2,5}(b|c)*", "[[:digit:]]{3}", "a\\.b", "(a{10}){10}",
               "\\{1000000\\}x"),
          LIST("", "(", "[", "a{2", "*{", "(a)\\1", "(a{100}){100}", "((a{1,255}){1,255}){1,255}", "a{5000}",
               "a{1,}{9999}"));
}

// Compiling a pattern that is accepted stays cheap, whatever it looks like.
static void compiles_in_bounded_memory(void **state)
{
    UNUSED(state);
    uint64_t seed = 88172645463325252u;
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        struct strbuf text AUTO_STRBUF = STRBUF_INIT;
        for (int i = 0; i < 24; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            static const char *const parts[] = {"a",     "(", ")",  "|", "*", "+", "?", "{9}", "{1,31}",
                                                "[a-z]", ".", "\\", "^", "$", "{", "}", "[",   "0,"};
            strbuf_add_text(&text, parts[(seed >> 20) % ARRAY_LEN(parts)]);
        }
        accepted += spec_pattern_problem(text.data) == NULL;
    }
    assert_true(accepted > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_names),
        cmocka_unit_test(knows_images),
        cmocka_unit_test(knows_bundles_and_paths),
        cmocka_unit_test(knows_patterns),
        cmocka_unit_test(compiles_in_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
