// How the program starts, refuses to start, and ends.
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct process *run(const char *command, const char *database, const char *first, const char *second)
{
    const char *const arguments[] = {
        program_path("curfew-jobmanager"), command, "--database-url", database, first, second, NULL};
    return process_start(arguments, NULL);
}

static void help_and_version(void **state)
{
    UNUSED(state);
    const char *const help[] = {program_path("curfew-jobmanager"), "--help", NULL};
    const char *const version[] = {program_path("curfew-jobmanager"), "--version", NULL};
    const char *const none[] = {program_path("curfew-jobmanager"), NULL};
    const char *const wrong[] = {program_path("curfew-jobmanager"), "dance", NULL};
    assert_int_equal(process_run(help, NULL), 0);
    assert_int_equal(process_run(version, NULL), 0);
    assert_int_equal(process_run(none, NULL), 2);
    assert_int_equal(process_run(wrong, NULL), 2);
}

static void an_open_address_wants_a_token(void **state)
{
    UNUSED(state);
    AUTO_PROCESS struct process *process = run("serve", pg_database_new(test_pg), "--listen", "0.0.0.0:0");
    assert_int_equal(process_wait(process, 60000), 1);
    assert_non_null(strstr(process_stderr(process), "CURFEW_TOKEN_FILE"));
}

static void an_older_schema_is_refused_until_it_is_migrated(void **state)
{
    UNUSED(state);
    const char *database = pg_database_empty(test_pg);
    AUTO_PROCESS struct process *refused = run("serve", database, "--listen", "127.0.0.1:0");
    assert_int_equal(process_wait(refused, 60000), 1);
    AUTO_PROCESS struct process *migrated = run("migrate", database, NULL, NULL);
    assert_int_equal(process_wait(migrated, 60000), 0);
    AUTO_PROCESS struct process *again = run("migrate", database, NULL, NULL);
    assert_int_equal(process_wait(again, 60000), 0);
    AUTO_MANAGER struct manager *manager = manager_start(database, NULL);
    assert_int_equal(manager_call(manager, "GET", "/readyz", NULL, NULL), 200);
}

static void lost_durability_is_said_loudly(void **state)
{
    UNUSED(state);
    AUTO_MANAGER struct manager *manager = manager_start(pg_database_new(test_pg), NULL); // a cluster without fsync
    assert_non_null(strstr(manager_log(manager), "WITHOUT fsync"));
}

static void a_token_guards_all_but_the_health_checks(void **state)
{
    UNUSED(state);
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    char path[256];
    struct err err;
    snprintf(path, sizeof(path), "%s/token", directory);
    assert_ok(file_replace(path, "secret-token\n", 13, 0600, &err), err);
    const char *const settings[] = {"--token-file", path, NULL};
    AUTO_MANAGER struct manager *manager = manager_start(pg_database_new(test_pg), settings);
    AUTO_JSON_OBJECT struct json_object *problem = NULL;
    assert_int_equal(manager_call(manager, "GET", "/livez", NULL, NULL), 200);
    assert_int_equal(manager_call(manager, "GET", "/readyz", NULL, NULL), 200);
    assert_int_equal(manager_call(manager, "GET", "/v1/jobs", NULL, &problem), 401);
    assert_string_equal(json_text_at(problem, "/code"), "unauthorized");
    assert_int_equal(manager_call(manager, "POST", "/v1/jobs", "{}", NULL), 401);
    assert_int_equal(manager_call(manager, "GET", "/metrics", NULL, NULL), 401);
    struct http_client *client = manager_client(manager);
    static const struct {
        const char *value;
        int status;
    } tries[] = {{"Bearer secret-token", 200},
                 {"Bearer secret-toke", 401},
                 {"Bearer secret-tokens", 401},
                 {"Basic secret-token", 401}};
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct http_header header = {"Authorization", tries[i].value};
        assert_int_equal(client_call(client, "GET", "/v1/jobs", &header, 1, NULL, NULL), tries[i].status);
    }
    http_client_free(client);
}

static void without_a_token_foreign_pages_are_refused(void **state)
{
    UNUSED(state);
    AUTO_MANAGER struct manager *manager = manager_start(pg_database_new(test_pg), NULL);
    struct http_client *client = manager_client(manager);
    static const struct {
        struct http_header headers[2];
        size_t count;
        int status;
    } tries[] = {
        {{{"Host", "localhost:19001"}}, 1, 200},
        {{{"Host", "127.0.0.1"}}, 1, 200},
        {{{"Host", "[::1]:19001"}}, 1, 200},
        {{{"Host", "evil.example"}}, 1, 403},
        {{{"Host", "127.0.0.1.evil.example:19001"}}, 1, 403},
        {{{"Host", "localhost:19001"}, {"Origin", "http://localhost:19001"}}, 2, 200},
        {{{"Host", "localhost:19001"}, {"Origin", "http://evil.example"}}, 2, 403},
        {{{"Host", "localhost:19001"}, {"Origin", "null"}}, 2, 403},
    };
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        int status = client_call(client, "GET", "/v1/jobs", tries[i].headers, tries[i].count, NULL, NULL);
        if (status != tries[i].status)
            fail_msg("%s: %d", tries[i].headers[tries[i].count - 1].value, status);
    }
    assert_int_equal(client_call(client, "GET", "/livez", tries[3].headers, 1, NULL, NULL), 200);
    http_client_free(client);
}

static void the_first_token_is_an_admins_and_closes_the_door(void **state)
{
    UNUSED(state);
    AUTO_MANAGER struct manager *manager = manager_start(pg_database_new(test_pg), NULL);
    AUTO_JSON_OBJECT struct json_object *problem = NULL, *token = NULL;
    assert_int_equal(manager_call(manager, "GET", "/v1/jobs", NULL, NULL), 200);
    assert_int_equal(manager_call(manager, "POST", "/v1/tokens", "{\"name\":\"a\",\"role\":\"viewer\"}", &problem),
                     409);
    assert_non_null(strstr(json_text_at(problem, "/detail"), "no token of role admin yet"));
    assert_int_equal(manager_call(manager, "GET", "/v1/jobs", NULL, NULL), 200);
    assert_int_equal(manager_call(manager, "POST", "/v1/tokens", "{\"name\":\"a\",\"role\":\"admin\"}", &token), 201);
    assert_string_equal(json_text_at(token, "/created_by"), "");
    assert_int_equal(manager_call(manager, "GET", "/v1/jobs", NULL, NULL), 401);
    assert_int_equal(manager_call(manager, "GET", "/livez", NULL, NULL), 200);
    char header[128];
    snprintf(header, sizeof(header), "Bearer %s", json_text_at(token, "/token"));
    struct http_client *client = manager_client(manager);
    struct http_header authorization = {"Authorization", header};
    assert_int_equal(client_call(client, "GET", "/v1/jobs", &authorization, 1, NULL, NULL), 200);
    http_client_free(client);
}

static void health_asks_the_running_one(void **state)
{
    UNUSED(state);
    const char *database = pg_database_new(test_pg);
    AUTO_MANAGER struct manager *manager = manager_start(database, NULL);
    const char *address = strstr(manager_url(manager), "//") + 2;
    AUTO_PROCESS struct process *healthy = run("health", database, "--listen", address);
    assert_int_equal(process_wait(healthy, 60000), 0);
    manager_kill(manager);
    AUTO_PROCESS struct process *dead = run("health", database, "--listen", address);
    assert_int_equal(process_wait(dead, 60000), 1);
}

// ---- the end

struct waiting {
    struct fake_worker worker;
    int status;
    int64_t answered_ms;
    pthread_t thread;
};

static void *poll_main(void *context)
{
    struct waiting *waiting = context;
    waiting->status = fake_worker_poll(&waiting->worker, MANAGER_POLL_MS, 1, NULL);
    waiting->answered_ms = clock_boot_ms();
    return NULL;
}

static bool all_parked(void *context)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_client *client = manager_client(context);
    bool found = http_get(client, "/metrics", &response, NULL) == 0 &&
                 strstr(strbuf_text(&response.body), "\ncurfew_parked_polls 8\n");
    http_client_free(client);
    return found;
}

static void sigterm_answers_who_waits_and_ends(void **state)
{
    UNUSED(state);
    AUTO_MANAGER struct manager *manager = manager_start(pg_database_new(test_pg), manager_patient);
    static struct waiting waiting[8];
    for (int i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w%d", i);
        waiting[i] = (struct waiting){0};
        fake_worker_init(&waiting[i].worker, manager, name);
        pthread_create(&waiting[i].thread, NULL, poll_main, &waiting[i]);
    }
    assert_true(wait_until(all_parked, manager, 60000));
    int64_t begin_ms = clock_boot_ms();
    manager_terminate(manager);
    for (int i = 0; i < 8; i++) {
        pthread_join(waiting[i].thread, NULL);
        assert_int_equal(waiting[i].status, 200);
        assert_in_range(waiting[i].answered_ms - begin_ms, 0, MANAGER_POLL_MS / 2);
        fake_worker_release(&waiting[i].worker);
    }
    assert_int_equal(manager_wait(manager, 60000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(an_open_address_wants_a_token),
        cmocka_unit_test(an_older_schema_is_refused_until_it_is_migrated),
        cmocka_unit_test(lost_durability_is_said_loudly),
        cmocka_unit_test(a_token_guards_all_but_the_health_checks),
        cmocka_unit_test(without_a_token_foreign_pages_are_refused),
        cmocka_unit_test(the_first_token_is_an_admins_and_closes_the_door),
        cmocka_unit_test(health_asks_the_running_one),
        cmocka_unit_test(sigterm_answers_who_waits_and_ends),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
