#include "services/worker/docker_engine.h"

#include "services/common/base/cleanup.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct heard {
    bool told, failed;
    struct err error;
};

static void on_hello(void *context, const struct err *error)
{
    struct heard *heard = context;
    heard->told = true;
    heard->failed = error != NULL;
    if (error)
        heard->error = *error;
}

static void an_engine_that_is_not_there(void **state)
{
    struct docker_engine *engine;
    struct heard heard = {0};
    struct loop *loop;
    struct err err;
    char url[200];
    snprintf(url, sizeof url, "unix:%.150s", temp_path(state, "none.sock"));
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(docker_engine_new(loop, url, &engine, &err), err);
    docker_engine_hello(engine, on_hello, &heard);
    assert_false(heard.told);
    assert_true(loop_until_set(loop, &heard.told, 60000));
    assert_true(heard.failed);
    assert_int_equal(heard.error.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(heard.error.text, "there is no"));
    assert_non_null(strstr(heard.error.text, "none.sock"));
    assert_null(docker_engine_id(engine));
    docker_engine_free(engine);
    assert_error(docker_engine_new(loop, "tcp://x", &engine, &err), err, ERR_INVALID, "engine");
    loop_free(loop);
}

static void filters_are_escaped(void **state)
{
    static const char *const labels[] = {"a=b/c", "d=\"", NULL};
    UNUSED(state);
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    docker_engine_add_filters(labels, &path);
    assert_string_equal(strbuf_text(&path), "filters=%7B%22label%22%3A%5B%22a%3Db%2Fc%22%2C%22d%3D%5C%22%22%5D%7D");
}

static void refusals_have_codes(void **state)
{
    static const struct {
        int status;
        enum err_code code;
    } cases[] = {{404, ERR_NOT_FOUND}, {409, ERR_CONFLICT}, {503, ERR_UNAVAILABLE}, {500, ERR_IO}, {400, ERR_IO}};
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_HTTP_RESPONSE struct http_response response = {.status = cases[i].status};
        struct err err;
        strbuf_add_text(&response.body, "{\"message\":\"because\"}");
        assert_error(docker_engine_refused(&response, "creating", &err), err, cases[i].code, ": because");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_engine_that_is_not_there, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(filters_are_escaped),
        cmocka_unit_test(refusals_have_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
