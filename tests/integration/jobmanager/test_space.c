// Tokens of namespaces: every route with a job of another one, and what lists, keys and submissions make of them.
#include "services/jobmanager/space.h"

#include "services/common/base/fd.h"
#include "services/common/model/role.h"
#include "services/jobmanager/routes.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN "Bearer the-operators-own-token"
#define JOB \
    "{\"name\":\"mine\",\"command\":[\"true\"],\"services\":[{\"name\":\"cache\",\"command\":[\"sleep\",\"9\"]}]}"
#define PATH_SIZE 256

static struct {
    struct manager *manager;
    char *directory;
    const char *database;
    char file[256];
    char red[128], red_viewer[128], blue[128]; // Authorization of two submitters and a viewer
} world;

static int call_with_key(const char *authorization, const char *key, const char *method, const char *path,
                         const char *body, struct json_object **out)
{
    struct http_client *client = manager_client(world.manager);
    struct http_header headers[] = {{"Authorization", authorization}, {"Idempotency-Key", key}};
    int status = client_call(client, method, path, headers, key ? 2 : 1, body, out);
    http_client_free(client);
    return status;
}

static int call(const char *authorization, const char *method, const char *path, const char *body,
                struct json_object **out)
{
    return call_with_key(authorization, NULL, method, path, body, out);
}

static void make(const char *name, const char *role, const char *space, char header[static 128])
{
    AUTO_JSON_OBJECT struct json_object *token = NULL;
    char body[256];
    snprintf(body, sizeof(body), "{\"name\":\"%s\",\"role\":\"%s\",\"namespace\":\"%s\"}", name, role, space);
    assert_int_equal(call(OWN, "POST", "/v1/tokens", body, &token), 201);
    assert_string_equal(json_text_at(token, "/namespace"), space);
    snprintf(header, 128, "Bearer %s", json_text_at(token, "/token"));
}

static int setup(void **state)
{
    struct err err;
    db_test_start(state);
    world.directory = temp_dir_new();
    world.database = pg_database_new(test_pg);
    snprintf(world.file, sizeof(world.file), "%s/token", world.directory);
    assert_ok(file_replace(world.file, strchr(OWN, ' ') + 1, strlen(OWN) - 7, 0600, &err), err);
    const char *const settings[] = {"--token-file", world.file, NULL};
    world.manager = manager_start(world.database, settings);
    make("red", "submitter", "red", world.red);
    make("red-view", "viewer", "red", world.red_viewer);
    make("blue", "submitter", "blue", world.blue);
    return 0;
}

static int teardown(void **state)
{
    manager_free(world.manager);
    temp_dir_free(world.directory);
    return db_test_stop(state);
}

static char *submit(const char *authorization, const char *key)
{
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    int status = call_with_key(authorization, key, "POST", "/v1/jobs", JOB, &job);
    assert_true(status == 201 || status == 200);
    return strdup(json_text_at(job, "/id"));
}

// ---- routes

// The path of a route for a job, its first task and its service.
static void fill_pattern(const char *pattern, const char *job, char out[static PATH_SIZE])
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    for (const char *at = pattern; *at; at++) {
        if (*at != '{') {
            strbuf_add_char(&path, *at);
            continue;
        }
        strbuf_add_text(&path, strncmp(at, "{id}", 4) == 0      ? job
                               : strncmp(at, "{stage}", 7) == 0 ? "main"
                               : strncmp(at, "{name}", 6) == 0  ? "cache"
                                                                : "0");
        at = strchr(at, '}');
    }
    snprintf(out, PATH_SIZE, "%s", strbuf_text(&path));
}

static const char *body_of(const struct http_route *route)
{
    if (route->body_limit_bytes == 0)
        return NULL;
    return strstr(route->pattern, "/extend") ? "{\"for\":\"1h\"}" : "{}";
}

static void every_call_about_a_job_of_another_namespace_finds_none(void **state)
{
    UNUSED(state);
    AUTO_FREE char *job = submit(world.red, NULL);
    AUTO_DB struct db *db = db_test_open(world.database, NULL, 0);
    static const char written[] = "SELECT count(*) + count(stop_requested_at) + sum(event_count)::bigint + "
                                  "count(*) FILTER (WHERE paused OR delete_requested) FROM curfew.job";
    int64_t before = db_test_i64(db, written);
    size_t checked = 0;
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        char path[PATH_SIZE];
        if (strncmp(route->pattern, "/v1/jobs/{id}", 13) != 0)
            continue;
        fill_pattern(route->pattern, job, path);
        int other = call(world.blue, route->method, path, body_of(route), NULL);
        int viewer = call(world.red_viewer, route->method, path, body_of(route), NULL);
        if (other != 404 || viewer != (route->role == ROLE_VIEWER ? 200 : 403))
            fail_msg("%s %s: %d for another namespace, %d for a viewer of its own", route->method, route->pattern,
                     other, viewer);
        checked++;
    }
    assert_true(checked >= 16);
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "/v1/jobs/%s?wait=closed&timeout=20s", job);
    assert_int_equal(call(world.blue, "GET", path, NULL, NULL), 404);
    snprintf(path, sizeof(path), "/v1/jobs/%s/events?follow=true", job);
    assert_int_equal(call(world.blue, "GET", path, NULL, NULL), 404);
    snprintf(path, sizeof(path), "/v1/jobs/%s?force=true", job);
    assert_int_equal(call(world.blue, "DELETE", path, NULL, NULL), 404);
    assert_int_equal(db_test_i64(db, written), before);
    snprintf(path, sizeof(path), "/v1/jobs/%s/stop", job);
    assert_int_equal(call(world.red, "POST", path, "{}", NULL), 200);
}

static void what_belongs_to_no_namespace_is_refused(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        char path[PATH_SIZE];
        bool open = route->role == ROLE_NONE || route->role == ROLE_ANY ||
                    strncmp(route->pattern, "/v1/jobs", 8) == 0 ||
                    (strncmp(route->pattern, "/v1/bundles/", 12) == 0 && route->role == ROLE_SUBMITTER);
        fill_pattern(route->pattern, "1", path);
        int status = call(world.red, route->method, path, body_of(route), NULL);
        if ((status == 403) == open)
            fail_msg("%s %s: %d", route->method, route->pattern, status);
    }
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    assert_int_equal(call(world.red, "GET", "/v1/workers", NULL, &problem), 403);
    assert_non_null(strstr(json_text_at(problem, "/detail"), "token 'red' is of namespace 'red'"));
}

// ---- lists and submissions

static bool lists(const char *authorization, const char *query, const char *job)
{
    AUTO_JSON_OBJECT struct json_object *list = NULL;
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "/v1/jobs%s", query);
    assert_int_equal(call(authorization, "GET", path, NULL, &list), 200);
    return strstr(json_object_to_json_string(list), job);
}

static void lists_have_what_is_ones_own(void **state)
{
    UNUSED(state);
    AUTO_FREE char *red = submit(world.red, NULL);
    AUTO_FREE char *blue = submit(world.blue, NULL);
    AUTO_FREE char *all = submit(OWN, NULL);
    static const char *const queries[] = {"", "?state=queued", "?name=mine", "?limit=500"};
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        assert_true(lists(world.red, queries[i], red));
        assert_false(lists(world.red, queries[i], blue));
        assert_false(lists(world.red, queries[i], all));
        assert_true(lists(world.red_viewer, queries[i], red));
        assert_true(lists(OWN, queries[i], red) && lists(OWN, queries[i], blue) && lists(OWN, queries[i], all));
    }
    assert_true(lists(OWN, "?namespace=blue", blue));
    assert_false(lists(OWN, "?namespace=blue", red));
    assert_true(lists(OWN, "?namespace=default", all));
    assert_true(lists(world.red, "?namespace=red", red));
    assert_int_equal(call(world.red, "GET", "/v1/jobs?namespace=blue", NULL, NULL), 403);
    char path[PATH_SIZE];
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    snprintf(path, sizeof(path), "/v1/jobs/%s", red);
    assert_int_equal(call(world.red, "GET", path, NULL, &job), 200);
    assert_string_equal(json_text_at(job, "/namespace"), "red");
}

static void equal_keys_of_two_namespaces_are_two(void **state)
{
    UNUSED(state);
    AUTO_FREE char *red = submit(world.red, "nightly");
    AUTO_FREE char *again = submit(world.red, "nightly");
    AUTO_FREE char *blue = submit(world.blue, "nightly");
    AUTO_FREE char *all = submit(OWN, "nightly");
    assert_string_equal(red, again);
    assert_string_not_equal(red, blue);
    assert_string_not_equal(red, all);
    assert_string_not_equal(blue, all);
}

static void workers_and_admins_are_of_all(void **state)
{
    UNUSED(state);
    static const char *const wrong[] = {
        "{\"name\":\"a\",\"role\":\"worker\",\"namespace\":\"red\"}",
        "{\"name\":\"a\",\"role\":\"admin\",\"namespace\":\"red\"}",
        "{\"name\":\"a\",\"role\":\"viewer\",\"namespace\":\"\"}",
        "{\"name\":\"a\",\"role\":\"viewer\",\"namespace\":\"Red\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_JSON_OBJECT struct json_object *problem = NULL;
        assert_int_equal(call(OWN, "POST", "/v1/tokens", wrong[i], &problem), 400);
        assert_string_equal(json_text_at(problem, "/errors/0/pointer"), "/namespace");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_about_a_job_of_another_namespace_finds_none),
        cmocka_unit_test(what_belongs_to_no_namespace_is_refused),
        cmocka_unit_test(lists_have_what_is_ones_own),
        cmocka_unit_test(equal_keys_of_two_namespaces_are_two),
        cmocka_unit_test(workers_and_admins_are_of_all),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
