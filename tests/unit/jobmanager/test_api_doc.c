#include "services/common/json/scan.h"
#include "services/common/model/problem.h"
#include "services/common/model/role.h"
#include "services/jobmanager/api_doc.h"
#include "services/jobmanager/routes.h"
#include "tests/support/test.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static void every_route_is_described(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        const struct api_doc *doc = api_doc_find(route);
        if (!doc)
            fail_msg("%s %s is not described", route->method, route->pattern);
        assert_true(doc->replies[0].status >= 200 && doc->replies[0].status < 300);
        assert_int_equal(doc->body.media != NULL, route->body_limit_bytes > 0);
    }
}

static void lower(const char *text, char *out)
{
    for (; *text; text++)
        *out++ = (char)(*text - 'A' + 'a');
    *out = '\0';
}

static void the_openapi_document_has_every_route_and_no_other(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct err err;
    api_write_openapi(&text);
    assert_ok(json_scan(strbuf_text(&text), text.length, NULL, NULL, &err), err);
    struct json_object *document = json_tokener_parse(text.data), *paths = NULL, *version = NULL;
    assert_true(json_object_object_get_ex(document, "openapi", &version));
    assert_string_equal(json_object_get_string(version), "3.1.0");
    assert_true(json_object_object_get_ex(document, "paths", &paths));
    size_t operations = 0;
    json_object_object_foreach(paths, pattern, operations_of_path)
    {
        assert_int_equal(pattern[0], '/');
        operations += (size_t)json_object_object_length(operations_of_path);
    }
    assert_int_equal(operations, routes_table.count);
    for (size_t i = 0; i < routes_table.count; i++) {
        struct json_object *path = NULL, *operation = NULL, *responses = NULL;
        char method[16];
        lower(routes_table.routes[i].method, method);
        assert_true(json_object_object_get_ex(paths, routes_table.routes[i].pattern, &path));
        assert_true(json_object_object_get_ex(path, method, &operation));
        assert_true(json_object_object_get_ex(operation, "responses", &responses));
    }
    json_object_put(document);
}

// What the document says of an operation's security: the list, as JSON text.
static const char *expected_security(int role)
{
    static char text[64];
    if (role == ROLE_NONE)
        return "[]";
    const char *name = role == ROLE_ANY ? "" : role_name(role), *quote = role == ROLE_ANY ? "" : "\"";
    snprintf(text, sizeof(text), "[{\"token\":[%s%s%s]},{}]", quote, name, quote);
    return text;
}

static void the_openapi_document_names_the_role_of_every_operation(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    api_write_openapi(&text);
    struct json_object *document = json_tokener_parse(strbuf_text(&text)), *paths = NULL;
    assert_true(json_object_object_get_ex(document, "paths", &paths));
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        struct json_object *path = NULL, *operation = NULL, *security = NULL, *responses = NULL;
        char method[16];
        lower(route->method, method);
        assert_true(json_object_object_get_ex(paths, route->pattern, &path));
        assert_true(json_object_object_get_ex(path, method, &operation));
        assert_true(json_object_object_get_ex(operation, "security", &security));
        assert_true(json_object_object_get_ex(operation, "responses", &responses));
        assert_string_equal(json_object_to_json_string_ext(security, JSON_C_TO_STRING_PLAIN),
                            expected_security(route->role));
        assert_int_equal(json_object_object_get_ex(responses, "401", NULL), route->role != ROLE_NONE);
        assert_int_equal(json_object_object_get_ex(responses, "403", NULL), route->role != ROLE_NONE);
    }
    json_object_put(document);
}

// The text of a member, or "".
static const char *text_of(struct json_object *object, const char *member)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, member, &value) ? json_object_get_string(value) : "";
}

static void operations_have_names_of_their_own(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    api_write_openapi(&text);
    struct json_object *document = json_tokener_parse(strbuf_text(&text)), *paths = NULL;
    struct json_object *names = json_object_new_object();
    assert_true(json_object_object_get_ex(document, "paths", &paths));
    json_object_object_foreach(paths, pattern, methods)
    {
        UNUSED(pattern);
        json_object_object_foreach(methods, method, operation)
        {
            UNUSED(method);
            json_object_object_add(names, text_of(operation, "operationId"), NULL);
        }
    }
    assert_int_equal(json_object_object_length(names), routes_table.count);
    assert_false(json_object_object_get_ex(names, "", NULL));
    assert_true(json_object_object_get_ex(names, "post_v1_jobs_id_stop", NULL));
    assert_true(json_object_object_get_ex(names, "get_root", NULL));
    json_object_put(names);
    json_object_put(document);
}

// Who has the document alone has no pages beside it, and is told what its commands are given.
static void the_openapi_document_stands_alone(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    api_write_openapi(&text);
    assert_null(strstr(strbuf_text(&text), "]("));
    assert_non_null(strstr(strbuf_text(&text), "\"the job spec\""));
    assert_non_null(strstr(strbuf_text(&text), "CURFEW_OUTPUT"));
    assert_non_null(strstr(strbuf_text(&text), "event `end` with a StreamEnd. `Last-Event-ID`"));
}

static void every_reference_leads_somewhere(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    api_write_openapi(&text);
    struct json_object *document = json_tokener_parse(strbuf_text(&text));
    size_t count = 0;
    for (const char *at = text.data; (at = strstr(at, "\"$ref\":\"#")); count++) {
        char pointer[128];
        struct json_object *found = NULL;
        at += strlen("\"$ref\":\"#");
        snprintf(pointer, sizeof(pointer), "%.*s", (int)strcspn(at, "\""), at);
        if (json_pointer_get(document, pointer, &found) < 0)
            fail_msg("there is no %s", pointer);
    }
    assert_true(count > 200);
    json_object_put(document);
}

// What programs get as JSON they need not get twice, and may get compressed.
static void every_json_that_is_got_has_a_tag(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        const struct api_doc *doc = api_doc_find(route);
        char headers[API_REPLY_HEADERS_SIZE];
        if (strcmp(route->method, "GET") != 0 || !doc->replies[0].type ||
            strcmp(doc->replies[0].media, "application/json") != 0)
            continue;
        if (strcmp(api_reply_headers(doc, &doc->replies[0], headers), "ETag Vary Content-Encoding") != 0 ||
            !api_accept_encoding(doc) || doc->replies[1].status != 304 || !doc->headers[0].name ||
            strcmp(doc->headers[0].name, "If-None-Match") != 0)
            fail_msg("GET %s has no tag", route->pattern);
    }
}

// What answer_error() may write is in the document, with its status.
static void every_error_code_is_a_problem_of_its_status(void **state)
{
    UNUSED(state);
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        int status = problem_status((enum err_code)code);
        bool is_own = code == ERR_CONFLICT || code == ERR_STALE || code == ERR_LIMIT || code == ERR_UNSUPPORTED;
        bool is_said = is_own; // by the calls that have it
        for (size_t i = 0; i < api_refusal_count; i++)
            is_said |= api_refusals[i].status == status &&
                       strstr(api_refusals[i].codes, err_code_name((enum err_code)code)) != NULL;
        if (!is_said)
            fail_msg("%d %s is not described", status, err_code_name((enum err_code)code));
    }
}

static void the_page_has_every_route(void **state)
{
    UNUSED(state);
    char *page = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&page, &length);
    api_print_markdown(out);
    fclose(out);
    for (size_t i = 0; i < routes_table.count; i++) {
        char title[128];
        snprintf(title, sizeof(title), "\n### %s %s\n", routes_table.routes[i].method, routes_table.routes[i].pattern);
        assert_non_null(strstr(page, title));
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(the_openapi_document_has_every_route_and_no_other),
        cmocka_unit_test(the_openapi_document_names_the_role_of_every_operation),
        cmocka_unit_test(operations_have_names_of_their_own),
        cmocka_unit_test(the_openapi_document_stands_alone),
        cmocka_unit_test(every_reference_leads_somewhere),
        cmocka_unit_test(every_json_that_is_got_has_a_tag),
        cmocka_unit_test(every_error_code_is_a_problem_of_its_status),
        cmocka_unit_test(the_page_has_every_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
