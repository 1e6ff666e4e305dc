// What users do to jobs over HTTP, in every state; doing it twice is the same as once.
#include "services/common/base/clock.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"

#include <stdio.h>
#include <string.h>

static const char *database;

static int setup(void **state)
{
    db_test_start(state);
    database = pg_database_new(test_pg);
    *state = manager_start(database, NULL);
    return 0;
}

static int teardown(void **state)
{
    manager_free(*state);
    return db_test_stop(state);
}

// Every slice invariant of every job holds, and nothing is left open.
static void assert_books(void)
{
    AUTO_DB struct db *db = db_test_open(database, NULL, 0);
    assert_int_equal(
        db_test_i64(db, "SELECT count(*) FROM stage s WHERE s.total <> (SELECT coalesce(sum(count), 0) FROM slice l "
                        "WHERE l.job = s.job AND l.stage = s.stage)"),
        0);
}

static int act(struct manager *manager, const char *id, const char *what, const char *body, struct json_object **out)
{
    char path[96];
    snprintf(path, sizeof(path), "/v1/jobs/%s%s%s", id, *what ? "/" : "", what);
    return manager_call(manager, "POST", path, body, out);
}

static int show(struct manager *manager, const char *id, const char *part, struct json_object **out)
{
    char path[96];
    snprintf(path, sizeof(path), "/v1/jobs/%s%s", id, part);
    return manager_call(manager, "GET", path, NULL, out);
}

#define SERVED                                                                                               \
    "{\"name\":\"served\",\"command\":[\"true\"],\"tasks\":{\"count\":4},\"services\":[{\"name\":\"cache\"," \
    "\"command\":[\"sleep\",\"1\"]}]}"
#define PLAIN "{\"name\":\"plain\",\"command\":[\"true\"],\"tasks\":{\"count\":4},\"retries\":{\"max\":0}}"

static void assert_stopped(struct manager *manager, struct fake_worker *worker, const char *id, const char *cleanup)
{
    AUTO_JSON_OBJECT struct json_object *once = NULL, *twice = NULL;
    assert_int_equal(act(manager, id, "stop", NULL, &once), 200);
    assert_string_equal(json_text_at(once, "/outcome"), "stopped");
    assert_int_equal(act(manager, id, "stop", "{}", &twice), 200);
    assert_string_equal(json_text_at(twice, "/outcome"), "stopped");
    assert_true(fake_worker_until(worker, manager, id, "stopped", cleanup, 60000));
    assert_books();
}

static void stop_while_queued(void **state)
{
    struct fake_worker worker = {0};
    AUTO_FREE char *id = manager_submit(*state, SERVED);
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    assert_int_equal(act(*state, id, "stop", NULL, &job), 200);
    assert_string_equal(json_text_at(job, "/state"), "stopped");
    assert_true(manager_wait_job(*state, id, "stopped", "clean", 60000));
    fake_worker_init(&worker, *state, "queued");
    assert_stopped(*state, &worker, id, "clean");
    fake_worker_release(&worker);
}

static void stop_while_starting(void **state)
{
    struct fake_worker worker = {.holds_services = true};
    fake_worker_init(&worker, *state, "starting");
    AUTO_FREE char *id = manager_submit(*state, SERVED);
    fake_worker_step(&worker, 20000, 1);
    assert_int_equal(worker.starts, 1);
    assert_true(manager_wait_job(*state, id, "starting", "pending", 1) ||
                manager_wait_job(*state, id, "starting", NULL, 60000));
    assert_stopped(*state, &worker, id, "clean");
    fake_worker_release(&worker);
}

static void stop_while_running(void **state)
{
    struct fake_worker worker = {.holds_tasks = true};
    fake_worker_init(&worker, *state, "running");
    AUTO_FREE char *id = manager_submit(*state, SERVED);
    fake_worker_step(&worker, 20000, 2);
    fake_worker_step(&worker, 20000, 2);
    assert_true(manager_wait_job(*state, id, "running", NULL, 60000));
    assert_stopped(*state, &worker, id, "clean");
    AUTO_JSON_OBJECT struct json_object *job = NULL;
    assert_int_equal(show(*state, id, "", &job), 200);
    assert_int_equal(json_number_at(job, "/stages/0/cancelled"), 4);
    fake_worker_release(&worker);
}

static void stop_while_stopping(void **state)
{
    struct fake_worker worker = {.holds_tasks = true};
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    fake_worker_init(&worker, *state, "stopping");
    AUTO_FREE char *id = manager_submit(*state, SERVED);
    fake_worker_step(&worker, 20000, 2);
    fake_worker_step(&worker, 20000, 2);
    assert_int_equal(act(*state, id, "stop", NULL, NULL), 200);
    assert_int_equal(fake_worker_poll(&worker, 0, 0, &reply), 200); // told, not obeyed
    assert_int_equal(json_length_at(reply, "/cancel"), 1);
    assert_stopped(*state, &worker, id, "clean");
    fake_worker_release(&worker);
}

static int64_t measured_stops(struct manager *manager)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_client *client = manager_client(manager);
    assert_int_equal(http_get(client, "/metrics", &response, NULL), 0);
    http_client_free(client);
    const char *count = strstr(strbuf_text(&response.body), "\ncurfew_stop_latency_seconds_count ");
    assert_non_null(count);
    return atoll(strchr(count, ' '));
}

static void each_stop_is_measured_once(void **state)
{
    struct fake_worker worker = {0};
    fake_worker_init(&worker, *state, "measured");
    int64_t before = measured_stops(*state);
    AUTO_FREE char *id = manager_submit(*state, SERVED);
    assert_true(fake_worker_until(&worker, *state, id, NULL, "clean", 60000));
    assert_int_equal(measured_stops(*state), before + 1);
    fake_worker_release(&worker);
}

static void orders_that_are_known_do_not_make_a_worker_spin(void **state)
{
    struct fake_worker worker = {.holds_tasks = true};
    AUTO_JSON_OBJECT struct json_object *first = NULL, *second = NULL;
    fake_worker_init(&worker, *state, "spin");
    AUTO_FREE char *id = manager_submit(*state, PLAIN);
    fake_worker_step(&worker, 20000, 2);
    assert_int_equal(act(*state, id, "stop", NULL, NULL), 200);
    assert_int_equal(fake_worker_poll(&worker, 400, 0, &first), 200);
    assert_int_equal(json_length_at(first, "/cancel"), 1);
    int64_t begin_ms = clock_boot_ms();
    assert_int_equal(fake_worker_poll(&worker, 400, 0, &second), 200);
    assert_true(clock_boot_ms() - begin_ms >= 360);         // polls_due_ms()
    assert_int_equal(json_length_at(second, "/cancel"), 1); // repeated when the wait is over
    fake_worker_obey(&worker, second);
    assert_true(manager_wait_job(*state, id, "stopped", "none", 60000));
    fake_worker_release(&worker);
}

static void pause_and_resume(void **state)
{
    struct fake_worker worker = {0};
    AUTO_JSON_OBJECT struct json_object *job = NULL, *reply = NULL, *again = NULL;
    fake_worker_init(&worker, *state, "paused");
    AUTO_FREE char *id = manager_submit(*state, PLAIN);
    assert_int_equal(act(*state, id, "pause", NULL, &job), 200);
    assert_string_equal(json_text_at(job, "/state"), "paused");
    assert_int_equal(act(*state, id, "pause", NULL, NULL), 200);
    assert_int_equal(fake_worker_poll(&worker, 200, 10, &reply), 200);
    assert_int_equal(json_length_at(reply, "/slices"), 0);
    assert_int_equal(act(*state, id, "resume", NULL, NULL), 200);
    assert_true(fake_worker_until(&worker, *state, id, "succeeded", "none", 60000));
    assert_int_equal(act(*state, id, "pause", NULL, &again), 409);
    assert_string_equal(json_text_at(again, "/code"), "conflict");
    fake_worker_release(&worker);
}

// Fails task 1 of the job for good, the others succeed.
static void fail_one(struct manager *manager, struct fake_worker *worker, const char *id)
{
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    char members[512];
    assert_int_equal(fake_worker_poll(worker, 20000, 10, &reply), 200);
    snprintf(
        members, sizeof(members),
        "\"slices\":[{\"slice\":\"%s\",\"token\":%lld,\"succeeded\":[[0,1],[2,4]],\"failed\":[{\"task\":1,\"error\":"
        "\"broke\","
        "\"exit\":3}]}]",
        json_text_at(reply, "/slices/0/slice"), (long long)json_number_at(reply, "/slices/0/token"));
    assert_int_equal(fake_worker_report(worker, members, NULL), 200);
    assert_true(manager_wait_job(manager, id, "failed", "none", 60000));
}

static void retry_makes_a_new_job_of_what_failed(void **state)
{
    struct fake_worker worker = {0};
    AUTO_JSON_OBJECT struct json_object *tasks = NULL, *task = NULL, *retried = NULL, *nothing = NULL;
    fake_worker_init(&worker, *state, "retried");
    AUTO_FREE char *id = manager_submit(*state, PLAIN);
    fail_one(*state, &worker, id);
    assert_int_equal(show(*state, id, "/tasks?state=failed&single=true", &tasks), 200);
    assert_int_equal(json_length_at(tasks, "/tasks"), 1);
    assert_int_equal(json_number_at(tasks, "/tasks/0/index"), 1);
    assert_int_equal(show(*state, id, "/tasks/main/1", &task), 200);
    assert_string_equal(json_text_at(task, "/state"), "failed");
    assert_int_equal(act(*state, id, "retry", NULL, &retried), 201);
    assert_string_not_equal(json_text_at(retried, "/id"), id);
    assert_int_equal(json_number_at(retried, "/stages/0/total"), 1);
    assert_true(fake_worker_until(&worker, *state, json_text_at(retried, "/id"), "succeeded", "none", 60000));
    assert_int_equal(act(*state, json_text_at(retried, "/id"), "retry", NULL, &nothing), 409);
    assert_books();
    fake_worker_release(&worker);
}

static void delete_wants_a_closed_job(void **state)
{
    char path[96];
    AUTO_FREE char *id = manager_submit(*state, PLAIN);
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_int_equal(manager_call(*state, "DELETE", path, NULL, NULL), 409);
    assert_int_equal(act(*state, id, "stop", NULL, NULL), 200);
    assert_true(manager_wait_job(*state, id, "stopped", "none", 60000));
    assert_int_equal(manager_call(*state, "DELETE", path, NULL, NULL), 204);
    assert_int_equal(manager_call(*state, "GET", path, NULL, NULL), 404);
    assert_int_equal(manager_call(*state, "DELETE", path, NULL, NULL), 404);
    // With force a job that nobody works on is gone at once, another one as soon as its tasks are ended.
    AUTO_FREE char *idle = manager_submit(*state, PLAIN);
    snprintf(path, sizeof(path), "/v1/jobs/%s?force=true", idle);
    assert_int_equal(manager_call(*state, "DELETE", path, NULL, NULL), 204);
    struct fake_worker worker = {.holds_tasks = true};
    fake_worker_init(&worker, *state, "deleted");
    AUTO_FREE char *busy = manager_submit(*state, PLAIN);
    fake_worker_step(&worker, 20000, 4);
    snprintf(path, sizeof(path), "/v1/jobs/%s?force=true", busy);
    assert_int_equal(manager_call(*state, "DELETE", path, NULL, NULL), 202);
    assert_true(fake_worker_until(&worker, *state, busy, "stopped", "none", 60000));
    fake_worker_release(&worker);
}

static void kept_services_stop_when_asked(void **state)
{
    struct fake_worker worker = {0};
    AUTO_JSON_OBJECT struct json_object *job = NULL, *extended = NULL;
    fake_worker_init(&worker, *state, "kept");
    AUTO_FREE char *id = manager_submit(
        *state, "{\"name\":\"kept\",\"command\":[\"true\"],\"autostop\":{\"on\":[\"failed\"]},\"services\":[{"
                "\"name\":\"cache\",\"command\":[\"sleep\",\"1\"]}]}");
    assert_true(fake_worker_until(&worker, *state, id, "succeeded", "kept", 60000));
    assert_int_equal(worker.stops, 0);
    assert_int_equal(act(*state, id, "extend", "{\"for\":\"2h\"}", &extended), 200);
    assert_int_equal(act(*state, id, "stop", NULL, &job), 200);
    assert_string_equal(json_text_at(job, "/outcome"), "succeeded");
    assert_true(fake_worker_until(&worker, *state, id, "succeeded", "clean", 60000));
    assert_int_equal(worker.stops, 1);
    assert_int_equal(act(*state, id, "extend", "{\"for\":\"2h\"}", NULL), 409);
    fake_worker_release(&worker);
}

static void lists_and_parts(void **state)
{
    AUTO_JSON_OBJECT struct json_object *page = NULL, *rest = NULL, *spec = NULL, *why = NULL, *workers = NULL,
                                        *none = NULL;
    char path[256];
    for (int i = 0; i < 3; i++)
        free(manager_submit(
            *state,
            "{\"name\":\"listed\",\"command\":[\"true\"],\"queue\":\"nobody\",\"labels\":{\"team\":\"search\"}}"));
    assert_int_equal(manager_call(*state, "GET", "/v1/jobs?name=listed&limit=2&label=team%3Dsearch", NULL, &page), 200);
    assert_int_equal(json_length_at(page, "/jobs"), 2);
    snprintf(path, sizeof(path), "/v1/jobs?name=listed&limit=2&label=team%%3Dsearch&cursor=%s",
             json_text_at(page, "/next"));
    assert_int_equal(manager_call(*state, "GET", path, NULL, &rest), 200);
    assert_int_equal(json_length_at(rest, "/jobs"), 1);
    assert_int_equal(manager_call(*state, "GET", "/v1/jobs?label=team%3Dother", NULL, &none), 200);
    assert_int_equal(json_length_at(none, "/jobs"), 0);
    const char *id = json_text_at(page, "/jobs/0/id");
    assert_int_equal(show(*state, id, "/spec", &spec), 200);
    assert_string_equal(json_text_at(spec, "/name"), "listed");
    assert_int_equal(show(*state, id, "/why", &why), 200);
    assert_string_not_equal(json_text_at(why, "/code"), "");
    assert_int_equal(manager_call(*state, "GET", "/v1/workers", NULL, &workers), 200);
    assert_true(json_length_at(workers, "/workers") > 0);
    assert_int_equal(manager_call(*state, "GET", "/v1/services", NULL, NULL), 200);
    assert_int_equal(manager_call(*state, "GET", "/v1/leaks", NULL, NULL), 200);
    assert_int_equal(manager_call(*state, "GET", "/v1/version", NULL, NULL), 200);
    assert_int_equal(manager_call(*state, "GET", "/", NULL, NULL), 200);
}

static void a_worker_is_drained(void **state)
{
    struct fake_worker worker = {0};
    AUTO_JSON_OBJECT struct json_object *shown = NULL, *reply = NULL;
    char path[96];
    fake_worker_init(&worker, *state, "drained");
    snprintf(path, sizeof(path), "/v1/workers/%d/drain", (int)worker.id);
    assert_int_equal(manager_call(*state, "POST", path, NULL, &shown), 200);
    assert_int_equal(fake_worker_poll(&worker, 20000, 10, &reply), 200);
    assert_true(json_object_get_boolean(json_at(reply, "/drain")));
    assert_int_equal(json_length_at(reply, "/slices"), 0);
    fake_worker_release(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_while_queued),
        cmocka_unit_test(stop_while_starting),
        cmocka_unit_test(stop_while_running),
        cmocka_unit_test(stop_while_stopping),
        cmocka_unit_test(each_stop_is_measured_once),
        cmocka_unit_test(orders_that_are_known_do_not_make_a_worker_spin),
        cmocka_unit_test(pause_and_resume),
        cmocka_unit_test(retry_makes_a_new_job_of_what_failed),
        cmocka_unit_test(delete_wants_a_closed_job),
        cmocka_unit_test(kept_services_stop_when_asked),
        cmocka_unit_test(lists_and_parts),
        cmocka_unit_test(a_worker_is_drained),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
