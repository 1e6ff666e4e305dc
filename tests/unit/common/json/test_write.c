#include "services/common/json/write.h"

#include "tests/support/test.h"

#include <string.h>

static void test_commas(void **state)
{
    (void)state;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    json_open(&out, NULL, '{');
    json_text(&out, "a", "x\"{");
    json_open(&out, "b", '[');
    json_i64(&out, NULL, -1);
    json_text(&out, NULL, NULL);
    json_open(&out, NULL, '{');
    json_close(&out, '}');
    json_bool(&out, NULL, true);
    json_close(&out, ']');
    json_raw(&out, "c", "{\"d\":[1]}");
    json_open(&out, "e", '[');
    json_close(&out, ']');
    json_text(&out, "f", "");
    json_null(&out, "g");
    json_close(&out, '}');
    assert_string_equal(strbuf_text(&out),
                        "{\"a\":\"x\\\"{\",\"b\":[-1,null,{},true],\"c\":{\"d\":[1]},\"e\":[],\"f\":\"\",\"g\":null}");
}

static void test_texts_that_end_like_an_opening(void **state)
{
    (void)state;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    json_open(&out, NULL, '[');
    json_text(&out, NULL, "[");
    json_text(&out, NULL, ":");
    json_text(&out, NULL, "\n");
    json_close(&out, ']');
    assert_string_equal(strbuf_text(&out), "[\"[\",\":\",\"\\n\"]");
}

static void test_times(void **state)
{
    (void)state;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    json_open(&out, NULL, '{');
    json_time(&out, "at", 1767225600000001);
    json_time(&out, "never", 0);
    json_close(&out, '}');
    assert_string_equal(strbuf_text(&out), "{\"at\":\"2026-01-01T00:00:00.000001Z\",\"never\":null}");
}

static void test_documents_in_lines(void **state)
{
    (void)state;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    for (int i = 0; i < 2; i++) {
        json_open(&out, NULL, '{');
        json_i64(&out, "n", i);
        json_close(&out, '}');
        strbuf_add_char(&out, '\n');
    }
    assert_string_equal(strbuf_text(&out), "{\"n\":0}\n{\"n\":1}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas),
        cmocka_unit_test(test_texts_that_end_like_an_opening),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_documents_in_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
