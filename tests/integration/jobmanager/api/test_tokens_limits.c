// Quotas of tokens over HTTP: given with a token or by the settings, refused by name, seen in the list.
#include "services/common/base/fd.h"
#include "services/common/db/db.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <string.h>

#define OWN "the-operators-own-token"
#define JOB "{\"name\":\"a\",\"mode\":\"pull\",\"tasks\":{\"count\":10}}"

static struct http_client *client;
static const char *database;

static int call(const char *authorization, const char *method, const char *path, const char *body,
                struct json_object **out)
{
    struct http_header header = {"Authorization", authorization};
    return client_call(client, method, path, &header, 1, body, out);
}

static void make(const char *name, const char *more, char header[static 128])
{
    AUTO_JSON_OBJECT struct json_object *token = NULL;
    char body[256];
    snprintf(body, sizeof(body), "{\"name\":\"%s\",\"role\":\"submitter\"%s}", name, more);
    assert_int_equal(call("Bearer " OWN, "POST", "/v1/tokens", body, &token), 201);
    snprintf(header, 128, "Bearer %s", json_text_at(token, "/token"));
}

static void is_refused(const char *header, const char *method, const char *path, const char *body, int status,
                       const char *detail)
{
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    int got = call(header, method, path, body, &problem);
    if (got != status || !strstr(json_text_at(problem, "/detail"), detail))
        fail_msg("%s: %d %s", detail, got, json_object_to_json_string(problem));
    assert_string_equal(json_text_at(problem, "/code"), status == 429 ? "limit" : "too_large");
}

static void a_tokens_own_limits(void **state)
{
    UNUSED(state);
    AUTO_JSON_OBJECT struct json_object *job = NULL, *list = NULL;
    char header[128], path[96];
    make("small", ",\"max_jobs\":2,\"max_tasks\":100,\"max_log_bytes\":1048576", header);
    assert_int_equal(call(header, "POST", "/v1/jobs", JOB, &job), 201);
    assert_int_equal(call(header, "POST", "/v1/jobs", JOB, NULL), 201);
    is_refused(header, "POST", "/v1/jobs", JOB, 429, "token 'small' may have 2 open jobs (max_jobs), and has 2");
    is_refused(header, "POST", "/v1/jobs", "{\"name\":\"a\",\"mode\":\"pull\",\"tasks\":{\"count\":101}}", 429,
               "max_jobs");
    snprintf(path, sizeof(path), "/v1/jobs/%s/stop", json_text_at(job, "/id"));
    assert_int_equal(call(header, "POST", path, NULL, NULL), 200);
    is_refused(header, "POST", "/v1/jobs", "{\"name\":\"a\",\"mode\":\"pull\",\"tasks\":{\"count\":101}}", 413,
               "100 tasks in open jobs (max_tasks), and this job alone has 101");
    assert_int_equal(call(header, "POST", "/v1/jobs", JOB, NULL), 201);
    snprintf(path, sizeof(path), "/v1/jobs/%s/retry", json_text_at(job, "/id"));
    is_refused(header, "POST", path, NULL, 429, "max_jobs");
    assert_int_equal(call("Bearer " OWN, "GET", "/v1/tokens?limit=1", NULL, &list), 200);
    assert_non_null(strstr(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN),
                           "\"max_jobs\":2,\"max_tasks\":100,\"max_services\":null,\"max_log_bytes\":1048576"));
}

static void the_settings_limits(void **state)
{
    UNUSED(state);
    char header[128], other[128];
    make("plain", "", header);
    make("free", ",\"max_jobs\":0", other);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(header, "POST", "/v1/jobs", JOB, NULL), 201);
    is_refused(header, "POST", "/v1/jobs", JOB, 429, "token 'plain' may have 3 open jobs");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(call(other, "POST", "/v1/jobs", JOB, NULL), 201);
        assert_int_equal(call("Bearer " OWN, "POST", "/v1/jobs", JOB, NULL), 201);
    }
}

static void a_new_token_goes_on_with_what_the_old_one_has(void **state)
{
    UNUSED(state);
    char old[128], fresh[128];
    make("turn", ",\"max_jobs\":2", old);
    assert_int_equal(call(old, "POST", "/v1/jobs", JOB, NULL), 201);
    make("turn", ",\"max_jobs\":2", fresh);
    assert_int_equal(call(fresh, "POST", "/v1/jobs", JOB, NULL), 201);
    is_refused(fresh, "POST", "/v1/jobs", JOB, 429, "token 'turn' may have 2 open jobs (max_jobs), and has 2");
    is_refused(old, "POST", "/v1/jobs", JOB, 429, "max_jobs");
    make("turn", ",\"max_jobs\":3", fresh);
    assert_int_equal(call(fresh, "POST", "/v1/jobs", JOB, NULL), 201);
}

static void limits_are_numbers(void **state)
{
    UNUSED(state);
    static const char *const wrong[] = {"-1", "1.5", "\"2\"", "9223372036854775807"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_JSON_OBJECT struct json_object *problem = NULL;
        char body[128];
        snprintf(body, sizeof(body), "{\"name\":\"a\",\"role\":\"submitter\",\"max_services\":%s}", wrong[i]);
        assert_int_equal(call("Bearer " OWN, "POST", "/v1/tokens", body, &problem), 400);
        assert_string_equal(json_text_at(problem, "/errors/0/pointer"), "/max_services");
    }
}

// What is committed is answered, whatever becomes of the database after that.
static void a_token_is_told_without_another_look(void **state)
{
    UNUSED(state);
    AUTO_DB struct db *db = db_test_open(database, NULL, 0);
    AUTO_JSON_OBJECT struct json_object *token = NULL;
    db_test_sql(db, "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    "DELETE FROM token WHERE id = NEW.id; RETURN NULL; END $$; "
                    "CREATE TRIGGER lose AFTER INSERT ON token FOR EACH ROW EXECUTE FUNCTION lose()");
    int status = call("Bearer " OWN, "POST", "/v1/tokens", "{\"name\":\"told\",\"role\":\"viewer\"}", &token);
    db_test_sql(db, "DROP TRIGGER lose ON token");
    assert_int_equal(status, 201);
    assert_string_equal(json_text_at(token, "/name"), "told");
    assert_non_null(json_text_at(token, "/token"));
}

int main(void)
{
    struct err err;
    void *state = NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tokens_own_limits),
        cmocka_unit_test(the_settings_limits),
        cmocka_unit_test(a_new_token_goes_on_with_what_the_old_one_has),
        cmocka_unit_test(limits_are_numbers),
        cmocka_unit_test(a_token_is_told_without_another_look),
    };
    db_test_start(&state);
    char *directory = temp_dir_new(), file[256];
    snprintf(file, sizeof(file), "%s/token", directory);
    if (file_replace(file, OWN, strlen(OWN), 0600, &err) < 0)
        return 1;
    const char *const settings[] = {"--token-file", file, "--token-max-jobs", "3", NULL};
    database = pg_database_new(test_pg);
    struct manager *manager = manager_start(database, settings);
    client = manager_client(manager);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_client_free(client);
    manager_free(manager);
    temp_dir_free(directory);
    db_test_stop(&state);
    return failed;
}
