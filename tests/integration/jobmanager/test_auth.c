// Who may call what: every route with every kind of token, and what becomes of tokens that are made and revoked.
#include "services/common/base/fd.h"
#include "services/common/model/role.h"
#include "services/jobmanager/routes.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN "the-operators-own-token"

// Whose token is good for a call: v(iewer), s(ubmitter), w(orker), a(dmin); "*": no token is needed. Written down here
// once more, so that a change of the route table is a decision.
static const struct {
    const char *method, *pattern, *may;
} matrix[] = {
    {"POST", "/v1/jobs", "sa"},
    {"GET", "/v1/jobs", "vsa"},
    {"GET", "/v1/jobs/{id}", "vsa"},
    {"DELETE", "/v1/jobs/{id}", "sa"},
    {"POST", "/v1/jobs/{id}/stop", "sa"},
    {"POST", "/v1/jobs/{id}/pause", "sa"},
    {"POST", "/v1/jobs/{id}/resume", "sa"},
    {"POST", "/v1/jobs/{id}/retry", "sa"},
    {"POST", "/v1/jobs/{id}/extend", "sa"},
    {"GET", "/v1/jobs/{id}/spec", "vsa"},
    {"GET", "/v1/jobs/{id}/tasks", "vsa"},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}", "vsa"},
    {"GET", "/v1/jobs/{id}/services", "vsa"},
    {"GET", "/v1/jobs/{id}/results", "vsa"},
    {"GET", "/v1/jobs/{id}/logs", "vsa"},
    {"GET", "/v1/jobs/{id}/events", "vsa"},
    {"GET", "/v1/jobs/{id}/cleanup", "vsa"},
    {"GET", "/v1/jobs/{id}/why", "vsa"},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}/why", "vsa"},
    {"GET", "/v1/jobs/{id}/services/{name}/why", "vsa"},
    {"PUT", "/v1/bundles/{sha256}", "sa"},
    {"HEAD", "/v1/bundles/{sha256}", "sa"},
    {"GET", "/v1/bundles/{sha256}", "wa"},
    {"GET", "/v1/services", "vsa"},
    {"GET", "/v1/leaks", "vsa"},
    {"GET", "/v1/workers", "vsa"},
    {"GET", "/v1/workers/{id}", "vsa"},
    {"GET", "/v1/workers/{id}/why", "vsa"},
    {"POST", "/v1/workers/{id}/drain", "a"},
    {"POST", "/v1/workers/{id}/drill", "a"},
    {"POST", "/v1/workers", "wa"},
    {"POST", "/v1/workers/{id}/poll", "wa"},
    {"POST", "/v1/workers/{id}/report", "wa"},
    {"POST", "/v1/tokens", "a"},
    {"GET", "/v1/tokens", "a"},
    {"DELETE", "/v1/tokens/{id}", "a"},
    {"GET", "/v1/doctor", "vsa"},
    {"GET", "/v1/version", "vswa"},
    {"GET", "/openapi.json", "vswa"},
    {"GET", "/livez", "*"},
    {"GET", "/readyz", "*"},
    {"GET", "/metrics", "vsa"},
    {"GET", "/", "vswa"},
};

// The kinds of callers, a letter for those that may do something.
enum { VIEWER, SUBMITTER, WORKER, ADMIN, SETTINGS, NONE, GARBAGE, OTHER_SCHEME, EXPIRED, REVOKED, CALLERS };
static const char *const caller_names[CALLERS] = {"viewer", "submitter", "worker", "admin",   "token-file",
                                                  "none",   "garbage",   "basic",  "expired", "revoked"};
static const char letters[] = "vswaa";

struct world {
    struct manager *manager;
    struct http_client *client;
    char *directory;
    const char *database;
    char file[256];
    char headers[CALLERS][128]; // Authorization
};

// ---- calls

static int call(const struct world *world, const char *authorization, const char *method, const char *path,
                const char *body, struct json_object **out)
{
    struct http_header header = {"Authorization", authorization};
    return client_call(world->client, method, path, &header, *authorization ? 1 : 0, body, out);
}

// Makes a token as the admin of the settings; fills in the header that carries it, and its id.
static void make(const struct world *world, const char *name, const char *role, const char *more, char *header,
                 size_t size, char id[static 32])
{
    AUTO_JSON_OBJECT struct json_object *token = NULL;
    char body[256];
    snprintf(body, sizeof(body), "{\"name\":\"%s\",\"role\":\"%s\"%s}", name, role, more);
    assert_int_equal(call(world, "Bearer " OWN, "POST", "/v1/tokens", body, &token), 201);
    snprintf(header, size, "Bearer %s", json_text_at(token, "/token"));
    snprintf(id, 32, "%s", json_text_at(token, "/id"));
    assert_int_equal(strncmp(json_text_at(token, "/token"), "curfew_", 7), 0);
    assert_string_equal(json_text_at(token, "/role"), role);
    assert_string_equal(json_text_at(token, "/created_by"), "token-file");
}

static void end_token(const struct world *world, const char *id)
{
    AUTO_JSON_OBJECT struct json_object *token = NULL;
    char path[64];
    snprintf(path, sizeof(path), "/v1/tokens/%s", id);
    assert_int_equal(call(world, "Bearer " OWN, "DELETE", path, NULL, &token), 200);
    assert_string_equal(json_text_at(token, "/state"), "revoked");
}

struct wanted {
    const struct world *world;
    struct http_client *client;
    const char *header;
    int status;
};

static bool answers_so(void *context)
{
    struct wanted *wanted = context;
    struct http_header header = {"Authorization", wanted->header};
    return client_call(wanted->client, "GET", "/v1/version", &header, 1, NULL, NULL) == wanted->status;
}

static void assert_becomes(struct http_client *client, const char *header, int status)
{
    struct wanted wanted = {.client = client, .header = header, .status = status};
    assert_true(wait_until(answers_so, &wanted, 60000));
}

static void make_callers(struct world *world)
{
    char id[32];
    for (int i = VIEWER; i <= ADMIN; i++)
        make(world, caller_names[i], caller_names[i], "", world->headers[i], sizeof(world->headers[i]), id);
    make(world, "short", "admin", ",\"expires_in\":\"1ms\"", world->headers[EXPIRED], sizeof(world->headers[EXPIRED]),
         id);
    make(world, "former", "admin", "", world->headers[REVOKED], sizeof(world->headers[REVOKED]), id);
    end_token(world, id);
    strcpy(world->headers[SETTINGS], "Bearer " OWN);
    strcpy(world->headers[GARBAGE], "Bearer curfew_0000000000000000000000000000000000000000000000000000");
    strcpy(world->headers[OTHER_SCHEME], "Basic " OWN);
    assert_becomes(world->client, world->headers[EXPIRED], 401);
}

static int setup(void **state)
{
    static struct world world;
    struct err err;
    db_test_start(state);
    world.directory = temp_dir_new();
    world.database = pg_database_new(test_pg);
    snprintf(world.file, sizeof(world.file), "%s/token", world.directory);
    assert_ok(file_replace(world.file, OWN "\n", strlen(OWN) + 1, 0600, &err), err);
    const char *const settings[] = {"--token-file", world.file, "--worker-poll", "200ms", NULL};
    world.manager = manager_start(world.database, settings);
    world.client = manager_client(world.manager);
    make_callers(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    http_client_free(world->client);
    manager_free(world->manager);
    temp_dir_free(world->directory);
    return db_test_stop(state);
}

// ---- the matrix

static void the_matrix_has_every_route(void **state)
{
    UNUSED(state);
    assert_int_equal(ARRAY_LEN(matrix), routes_table.count);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        assert_string_equal(matrix[i].method, route->method);
        assert_string_equal(matrix[i].pattern, route->pattern);
    }
}

// A path that a pattern matches and that names nothing which exists.
static void fill_pattern(const char *pattern, char *out, size_t size)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    for (const char *at = pattern; *at; at++) {
        strbuf_add_char(&path, *at == '{' ? '1' : *at);
        if (*at == '{')
            at = strchr(at, '}');
    }
    snprintf(out, size, "%s", strbuf_text(&path));
}

static bool may(const char *letters_of_row, int caller)
{
    if (*letters_of_row == '*')
        return true;
    return caller <= SETTINGS && strchr(letters_of_row, letters[caller]);
}

static void check_cell(const struct world *world, size_t row, int caller)
{
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    char path[128];
    bool has_body = strcmp(matrix[row].method, "POST") == 0 || strcmp(matrix[row].method, "PUT") == 0;
    fill_pattern(matrix[row].pattern, path, sizeof(path));
    int status =
        call(world, world->headers[caller], matrix[row].method, path, has_body ? "{\"no\":1}" : NULL, &problem);
    bool let_in = status != 0 && status != 401 && status != 403;
    int refusal = caller <= ADMIN ? 403 : 401;
    if (let_in != may(matrix[row].may, caller) || (!let_in && status != refusal) || status >= 500)
        fail_msg("%s %s as %s: %d", matrix[row].method, matrix[row].pattern, caller_names[caller], status);
    if (let_in || strcmp(matrix[row].method, "HEAD") == 0)
        return;
    assert_string_equal(json_text_at(problem, "/code"), status == 403 ? "forbidden" : "unauthorized");
    if (status == 403) // who may, and who asks
        assert_true(strstr(json_text_at(problem, "/detail"), "admin") &&
                    strstr(json_text_at(problem, "/detail"), caller_names[caller]));
}

static void every_route_with_every_token(void **state)
{
    const struct world *world = *state;
    for (size_t row = 0; row < ARRAY_LEN(matrix); row++)
        for (int caller = 0; caller < CALLERS; caller++)
            check_cell(world, row, caller);
}

static void a_refused_call_changes_nothing(void **state)
{
    const struct world *world = *state;
    static const char spec[] = "{\"name\":\"sneaky\",\"command\":[\"true\"]}";
    static const int refused[] = {VIEWER, WORKER, NONE, GARBAGE, OTHER_SCHEME, EXPIRED, REVOKED};
    AUTO_DB struct db *db = db_test_open(world->database, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int status = call(world, world->headers[refused[i]], "POST", "/v1/jobs", spec, NULL);
        assert_int_equal(status, refused[i] <= ADMIN ? 403 : 401);
    }
    assert_int_equal(db_test_i64(db, "SELECT count(*) FROM curfew.job WHERE name = 'sneaky'"), 0);
    assert_int_equal(call(world, world->headers[SUBMITTER], "POST", "/v1/jobs", spec, NULL), 201);
}

// ---- what is said

static void ask_raw(const struct world *world, const char *authorization, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf request = STRBUF_INIT;
    int fd = raw_connect((uint16_t)atoi(strrchr(manager_url(world->manager), ':') + 1));
    strbuf_add_format(&request, "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: 2\r\n\r\n{}",
                      *authorization ? "Authorization: " : "", authorization, *authorization ? "\r\n" : "");
    raw_send_text(fd, strbuf_text(&request));
    assert_true(raw_read_response(fd, out, 60000) > 0);
    close(fd);
}

static void refusals_say_what_is_wanted(void **state)
{
    const struct world *world = *state;
    static const struct {
        int caller;
        const char *challenge, *detail;
    } says[] = {
        {NONE, "WWW-Authenticate: Bearer realm=\"curfew\"\r\n", "no token was sent"},
        {OTHER_SCHEME, "WWW-Authenticate: Bearer realm=\"curfew\"\r\n", "no token was sent"},
        {GARBAGE, "Bearer realm=\"curfew\", error=\"invalid_token\"", "this token is not known"},
        {EXPIRED, "Bearer realm=\"curfew\", error=\"invalid_token\"", "this token has expired"},
        {REVOKED, "Bearer realm=\"curfew\", error=\"invalid_token\"", "this token was revoked"},
        {VIEWER, "error=\"insufficient_scope\", scope=\"submitter\"",
         "this call needs a token of role submitter or admin, and token 'viewer' is of role viewer"},
        {WORKER, "error=\"insufficient_scope\", scope=\"submitter\"", "token 'worker' is of role worker"},
    };
    for (size_t i = 0; i < ARRAY_LEN(says); i++) {
        AUTO_STRBUF struct strbuf reply = STRBUF_INIT;
        ask_raw(world, world->headers[says[i].caller], &reply);
        if (!strstr(strbuf_text(&reply), says[i].challenge) || !strstr(strbuf_text(&reply), says[i].detail))
            fail_msg("%s: %s", caller_names[says[i].caller], strbuf_text(&reply));
    }
}

static void the_book_of_who_did_what(void **state)
{
    const struct world *world = *state;
    AUTO_HTTP_RESPONSE struct http_response metrics = HTTP_RESPONSE_INIT;
    char header[128], id[32];
    make(world, "audited", "viewer", "", header, sizeof(header), id);
    end_token(world, id);
    call(world, world->headers[NONE], "GET", "/v1/jobs", NULL, NULL);
    const char *log = manager_log(world->manager);
    assert_non_null(strstr(log, "event=call token=token-file method=POST path=/v1/tokens status=201"));
    assert_non_null(strstr(log, "event=call token=token-file method=DELETE path=/v1/tokens/t"));
    assert_non_null(strstr(log, "event=\"call refused\""));
    struct http_header authorization = {"Authorization", world->headers[VIEWER]};
    struct http_call get = {.method = "GET", .path = "/metrics", .headers = &authorization, .header_count = 1};
    assert_int_equal(contract_call(world->client, &get, &metrics, NULL), 0);
    const char *missing = strstr(strbuf_text(&metrics.body), "curfew_auth_refused_total{reason=\"missing\"} ");
    assert_true(missing && atoi(strchr(missing, ' ')) > 0);
}

static void a_jobs_history_says_who(void **state)
{
    const struct world *world = *state;
    static const char *const orders[] = {"pause", "resume", "stop", "stop"};
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    AUTO_DB struct db *db = db_test_open(world->database, NULL, 0);
    char path[96], sql[512];
    assert_int_equal(
        call(world, world->headers[SUBMITTER], "POST", "/v1/jobs", "{\"name\":\"told\",\"command\":[\"true\"]}", &job),
        201);
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        snprintf(path, sizeof(path), "/v1/jobs/%s/%s", json_text_at(job, "/id"), orders[i]);
        assert_int_equal(call(world, world->headers[i % 2 ? ADMIN : SETTINGS], "POST", path, NULL, NULL), 200);
    }
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM curfew.event e JOIN curfew.job j ON j.id = e.job WHERE j.name = 'told' AND "
             "(e.kind, e.data) IN (('job.submitted', '{\"by\":\"submitter\"}'), "
             "('job.paused', '{\"by\":\"token-file\"}'), ('job.resumed', '{\"by\":\"admin\"}'), "
             "('job.stop_requested', '{\"by\":\"token-file\"}'))");
    assert_int_equal(db_test_i64(db, sql), 4);
}

// ---- secrets

static void the_text_of_a_token_is_nowhere(void **state)
{
    const struct world *world = *state;
    AUTO_DB struct db *db = db_test_open(world->database, NULL, 0);
    AUTO_JSON_OBJECT struct json_object *list = NULL;
    assert_int_equal(call(world, "Bearer " OWN, "GET", "/v1/tokens", NULL, &list), 200);
    assert_true(json_length_at(list, "/tokens") >= 6);
    const char *listed = json_object_to_json_string(list);
    for (int i = 0; i < CALLERS; i++) {
        const char *text = strchr(world->headers[i], ' ');
        char sql[256];
        if (!text)
            continue;
        assert_null(strstr(manager_log(world->manager), text + 1));
        assert_null(strstr(listed, text + 1));
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM curfew.token t WHERE t::text LIKE '%%%s%%'", text + 1);
        assert_int_equal(db_test_i64(db, sql), 0);
    }
}

static void wrong_tokens_are_not_made(void **state)
{
    const struct world *world = *state;
    static const struct {
        const char *body, *pointer;
    } wrong[] = {
        {"{\"role\":\"viewer\"}", "/name"},
        {"{\"name\":\"a\"}", "/role"},
        {"{\"name\":\"a b\",\"role\":\"viewer\"}", "/name"},
        {"{\"name\":\"\",\"role\":\"viewer\"}", "/name"},
        {"{\"name\":\"a\",\"role\":\"root\"}", "/role"},
        {"{\"name\":\"a\",\"role\":\"any\"}", "/role"},
        {"{\"name\":\"a\",\"role\":\"viewer\",\"expires_in\":\"soon\"}", "/expires_in"},
        {"{\"name\":\"a\",\"role\":\"viewer\",\"expires_in\":\"0s\"}", "/expires_in"},
        {"{\"name\":\"a\",\"role\":\"viewer\",\"token\":\"mine\"}", "/token"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_JSON_OBJECT struct json_object *problem = NULL;
        int status = call(world, "Bearer " OWN, "POST", "/v1/tokens", wrong[i].body, &problem);
        if (status != 400 || strcmp(json_text_at(problem, "/errors/0/pointer"), wrong[i].pointer) != 0)
            fail_msg("%s: %d %s", wrong[i].body, status, json_object_to_json_string(problem));
    }
    assert_int_equal(call(world, "Bearer " OWN, "DELETE", "/v1/tokens/t0000000000001", NULL, NULL), 404);
    assert_int_equal(call(world, "Bearer " OWN, "DELETE", "/v1/tokens/7", NULL, NULL), 404);
    assert_int_equal(call(world, "Bearer " OWN, "GET", "/v1/tokens?cursor=x", NULL, NULL), 400);
}

// ---- made and revoked

static void a_new_one_takes_over_before_the_old_one_goes(void **state)
{
    const struct world *world = *state;
    char old[128], new[128], old_id[32], new_id[32];
    make(world, "rotated", "viewer", "", old, sizeof(old), old_id);
    make(world, "rotated", "viewer", "", new, sizeof(new), new_id);
    assert_int_equal(call(world, old, "GET", "/v1/jobs", NULL, NULL), 200);
    assert_int_equal(call(world, new, "GET", "/v1/jobs", NULL, NULL), 200);
    end_token(world, old_id);
    assert_int_equal(call(world, old, "GET", "/v1/jobs", NULL, NULL), 401);
    assert_int_equal(call(world, new, "GET", "/v1/jobs", NULL, NULL), 200);
    end_token(world, old_id); // twice is the same as once
}

static void another_manager_knows_it_soon(void **state)
{
    const struct world *world = *state;
    char header[128], id[32];
    // It has no token of its own, listens everywhere, and lets nobody in without one.
    const char *const settings[] = {"--listen", "0.0.0.0:0", NULL};
    AUTO_MANAGER struct manager *other = manager_start(world->database, settings);
    struct http_client *client = manager_client(other);
    assert_int_equal(manager_call(other, "GET", "/v1/jobs", NULL, NULL), 401);
    assert_becomes(client, "Bearer " OWN, 401);
    make(world, "everywhere", "viewer", "", header, sizeof(header), id);
    assert_becomes(client, header, 200);
    end_token(world, id);
    assert_becomes(client, header, 401);
    http_client_free(client);
}

// A client that waits for the job, in one way or another, with a token that is revoked meanwhile.
static void end_while_waiting(const struct world *world, const char *job, const char *rest, const char *begins,
                              const char *ends)
{
    char header[128], id[32];
    AUTO_STRBUF struct strbuf request = STRBUF_INIT, reply = STRBUF_INIT;
    make(world, "patient", "viewer", "", header, sizeof(header), id);
    int fd = raw_connect((uint16_t)atoi(strrchr(manager_url(world->manager), ':') + 1));
    strbuf_add_format(&request,
                      "GET /v1/jobs/%s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n\r\n", job,
                      rest, header);
    raw_send_text(fd, strbuf_text(&request));
    if (*begins)
        assert_true(raw_read_until(fd, &reply, begins, 60000));
    end_token(world, id);
    assert_true(raw_read_to_end(fd, &reply, 50000)); // less than the wait
    assert_non_null(strstr(strbuf_text(&reply), ends));
    close(fd);
}

static void who_waits_or_listens_is_sent_away(void **state)
{
    const struct world *world = *state;
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    assert_int_equal(
        call(world, world->headers[SUBMITTER], "POST", "/v1/jobs", "{\"name\":\"waits\",\"command\":[\"true\"]}", &job),
        201);
    end_while_waiting(world, json_text_at(job, "/id"), "/events?follow=true", "job.submitted", "200 OK");
    end_while_waiting(world, json_text_at(job, "/id"), "?wait=closed&timeout=60s", "", "is not valid any more");
}

// ---- limits

static void a_token_that_submits_too_often_waits(void **state)
{
    const struct world *world = *state;
    static const char spec[] = "{\"name\":\"often\",\"command\":[\"true\"]}";
    const char *const settings[] = {"--token-file", world->file, "--submit-rate", "3", NULL};
    AUTO_MANAGER struct manager *manager = manager_start(world->database, settings);
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    struct world limited = *world;
    limited.client = manager_client(manager);
    int taken = 0, status = 0;
    while (taken < 1000 && (status = call(&limited, world->headers[SUBMITTER], "POST", "/v1/jobs", spec, NULL)) == 201)
        taken++;
    assert_int_equal(status, 429);
    assert_true(taken >= 3);
    while ((status = call(&limited, world->headers[SUBMITTER], "POST", "/v1/jobs", spec, &problem)) == 201)
        ;
    assert_string_equal(json_text_at(problem, "/code"), "limit");
    assert_non_null(
        strstr(json_text_at(problem, "/detail"), "may submit 3 jobs a second at this manager (submit-rate)"));
    // Others, and other calls, are not held up.
    assert_int_equal(call(&limited, world->headers[ADMIN], "POST", "/v1/jobs", spec, NULL), 201);
    assert_int_equal(call(&limited, world->headers[SUBMITTER], "GET", "/v1/jobs", NULL, NULL), 200);
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(&limited, world->headers[SETTINGS], "POST", "/v1/jobs", spec, NULL), 201);
    http_client_free(limited.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_matrix_has_every_route),
        cmocka_unit_test(every_route_with_every_token),
        cmocka_unit_test(a_refused_call_changes_nothing),
        cmocka_unit_test(refusals_say_what_is_wanted),
        cmocka_unit_test(the_book_of_who_did_what),
        cmocka_unit_test(a_jobs_history_says_who),
        cmocka_unit_test(the_text_of_a_token_is_nowhere),
        cmocka_unit_test(wrong_tokens_are_not_made),
        cmocka_unit_test(a_new_one_takes_over_before_the_old_one_goes),
        cmocka_unit_test(another_manager_knows_it_soon),
        cmocka_unit_test(who_waits_or_listens_is_sent_away),
        cmocka_unit_test(a_token_that_submits_too_often_waits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
