// Tasks, services, certificates, streams, the fleet. Jobs are in test_read_job_view.c.
#include "services/common/store/read.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/metrics.h"
#include "tests/support/json_value.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};

static void test_what_is_not_there(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char cursor[READ_CURSOR_SIZE] = "";
    int64_t position = 0;
    bool end = false;
    struct task_filter tasks = {.state = -1, .limit = 10};
    assert_error(read_job(db, 7, NULL, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_spec(db, 7, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_tasks(db, 7, &tasks, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_task(db, 7, "main", 0, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_services(db, 7, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_cleanup(db, 7, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_why(db, 7, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_events(db, 7, EVENT_JSON, 10, &position, &end, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_logs(db, 7, NULL, LOG_PAGE_RAW, 10, &position, &end, &out, &err), err, ERR_NOT_FOUND,
                 "does not exist");
    assert_error(read_results(db, 7, 10, false, cursor, &end, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_worker(db, 99, &out, &err), err, ERR_NOT_FOUND, "worker 99");
    int64_t job = store_submit(db, &(struct store_job){0});
    assert_error(read_task(db, job, "main", 10, &out, &err), err, ERR_NOT_FOUND, "no task 'main/10'");
    assert_error(read_task(db, job, "other", 0, &out, &err), err, ERR_NOT_FOUND, "no task");
}

static void test_tasks(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t job =
        store_submit(db, &(struct store_job){.stage_count = 2,
                                             .stages = {{.name = "one", .tasks = 10, .from = -1, .goes_on = true},
                                                        {.name = "two", .tasks = 5, .from = -1}}});
    store_claim(db, job, 0, 2, worker);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_sql(db, "INSERT INTO task_error VALUES (%lld, 0, 1, 1, 'it \"broke\"', 3, clock_timestamp())",
              (long long)job);
    store_claim(db, job, 0, 3, worker);

    struct task_filter filter = {.state = -1, .limit = 100};
    assert_ok(read_tasks(db, job, &filter, &out, &err), err);
    assert_int_equal(json_list_length(&out, "slices"), 4);
    assert_json(&out, "slices.1",
                "{\"stage\":\"one\",\"first\":2,\"count\":3,\"state\":\"leased\",\"attempt\":1,\"failures\":0,"
                "\"worker\":\"w1\","
                "\"due_at\":null}");
    strbuf_clear(&out);
    filter = (struct task_filter){.state = SLICE_FAILED, .single = true, .limit = 100};
    assert_ok(read_tasks(db, job, &filter, &out, &err), err);
    assert_int_equal(json_list_length(&out, "tasks"), 2);
    assert_json(&out, "tasks.0.error", "null");
    assert_json(&out, "tasks.1.error.error", "\"it \\\"broke\\\"\"");
    assert_json(&out, "tasks.1.error.exit", "3");

    // pages of single tasks cut through slices and stages
    int total = 0;
    char cursor[READ_CURSOR_SIZE];
    filter = (struct task_filter){.state = -1, .single = true, .limit = 4};
    for (int page = 0; page < 10; page++) {
        strbuf_clear(&out);
        assert_ok(read_tasks(db, job, &filter, &out, &err), err);
        total += (int)json_list_length(&out, "tasks");
        struct json_object *root = json_tokener_parse(strbuf_text(&out));
        const char *next = json_object_get_string(json_object_object_get(root, "next"));
        filter.cursor = next ? strcpy(cursor, next) : NULL;
        json_object_put(root);
        if (!filter.cursor)
            break;
    }
    assert_int_equal(total, 15);
    filter.cursor = "1.x";
    assert_error(read_tasks(db, job, &filter, &out, &err), err, ERR_INVALID, "cursor");

    strbuf_clear(&out);
    assert_ok(read_task(db, job, "one", 1, &out, &err), err);
    assert_json(&out, "state", "\"failed\"");
    assert_json(&out, "item", "1");
    assert_json(&out, "error.attempt", "1");
    strbuf_clear(&out);
    assert_ok(read_task(db, job, "one", 9, &out, &err), err);
    assert_json(&out, "item", "9");
    assert_json(&out, "state", "\"ready\"");
}

static void test_services_and_certificates(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t job = store_submit(db, &served);
    store_submit(db, &served);
    store_place(db, job, worker);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    assert_ok(read_services(db, job, &out, &err), err);
    assert_json(&out, "services.0.state", "\"ready\"");
    assert_json(&out, "services.0.worker", "\"w1\"");
    strbuf_clear(&out);
    assert_ok(read_live_services(db, NULL, 1, &out, &err), err);
    assert_int_equal(json_list_length(&out, "services"), 1);
    char cursor[READ_CURSOR_SIZE], quoted[READ_CURSOR_SIZE + 2], id[ID_TEXT_SIZE];
    id_format('j', job, id);
    snprintf(cursor, sizeof cursor, "%s.0.1", id);
    strbuf_clear(&out);
    assert_ok(read_live_services(db, cursor, 10, &out, &err), err);
    assert_int_equal(json_list_length(&out, "services"), 0);
    assert_error(read_live_services(db, "x.1", 10, &out, &err), err, ERR_INVALID, "cursor");

    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    strbuf_clear(&out);
    assert_ok(read_leaks(db, 60000, NULL, 10, &out, &err), err);
    assert_int_equal(json_list_length(&out, "leaks"), 0);
    strbuf_clear(&out);
    assert_ok(read_leaks(db, 0, NULL, 10, &out, &err), err);
    assert_int_equal(json_list_length(&out, "leaks"), 1);
    assert_json(&out, "next", "null");
    strbuf_clear(&out);
    assert_ok(read_leaks(db, 0, cursor, 10, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "{\"leaks\":[],\"next\":null}");
    strbuf_clear(&out);
    assert_ok(read_leaks(db, 0, NULL, 1, &out, &err), err);
    snprintf(quoted, sizeof quoted, "\"%s\"", cursor);
    assert_json(&out, "next", quoted);
    store_sql(db,
              "UPDATE instance SET signals = '[{\"signal\":\"SIGTERM\",\"at\":\"x\"}]', exit_code = 0 WHERE job = %lld",
              (long long)job);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    strbuf_clear(&out);
    assert_ok(read_cleanup(db, job, &out, &err), err);
    assert_json(&out, "cleanup", "\"clean\"");
    assert_json(&out, "certificates.0.grade", "\"verified\"");
    assert_json(&out, "certificates.0.reason", "\"stopped\"");
    assert_json(&out, "certificates.0.signals.0.signal", "\"SIGTERM\"");
    assert_json(&out, "certificates.0.exit", "{\"code\":0,\"signal\":null}");
    assert_json(&out, "certificates.0.worker", "\"w1\"");
    strbuf_clear(&out);
    int64_t plain = store_submit(db, &(struct store_job){0});
    assert_ok(read_cleanup(db, plain, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "{\"cleanup\":\"none\",\"certificates\":[],\"seconds\":"
                                           "{\"warming\":0.000,\"useful\":0.000,\"idle\":0.000,\"leaked\":0.000}}");
}

static void test_events(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t job = store_submit(db, &(struct store_job){0});
    int64_t seq = 0;
    bool end = true;
    assert_ok(read_events(db, job, EVENT_SSE, 1, &seq, &end, &out, &err), err);
    assert_int_equal(seq, 1);
    assert_false(end);
    assert_memory_equal(strbuf_text(&out), "id: 1\nevent: job.submitted\ndata: {\"seq\":1,", 42);
    assert_string_equal(out.data + out.length - 2, "\n\n");
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    strbuf_clear(&out);
    assert_ok(read_events(db, job, EVENT_JSON, 100, &seq, &end, &out, &err), err);
    assert_true(end);
    assert_non_null(strstr(strbuf_text(&out), "\"kind\":\"job.outcome\",\"data\":{\"outcome\":\"stopped\""));
    assert_non_null(strstr(strbuf_text(&out), "\"kind\":\"job.closed\""));
    int64_t last = seq;
    strbuf_clear(&out);
    assert_ok(read_events(db, job, EVENT_JSON, 100, &seq, &end, &out, &err), err);
    assert_int_equal(out.length, 0);
    assert_int_equal(seq, last);
}

static void test_logs(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t job = store_submit(db, &(struct store_job){0});
    store_sql(
        db,
        "INSERT INTO log VALUES (%lld, 'a', 0, 0, clock_timestamp(), 'one'), (%lld, 'b', 0, 3, clock_timestamp(), "
        "'\\xff41'), (%lld, 'a', 3, 5, clock_timestamp(), 'three'); UPDATE job SET log_bytes = 10",
        (long long)job, (long long)job, (long long)job);
    int64_t offset = 0;
    bool end = true;
    assert_ok(read_logs(db, job, NULL, LOG_PAGE_RAW, 100, &offset, &end, &out, &err), err);
    assert_int_equal(out.length, 10);
    assert_memory_equal(out.data,
                        "one\xff"
                        "Athree",
                        10);
    assert_int_equal(offset, 10);
    assert_false(end);
    offset = 0;
    strbuf_clear(&out);
    assert_ok(read_logs(db, job, "a", LOG_PAGE_RAW, 1, &offset, &end, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "one");
    assert_ok(read_logs(db, job, "a", LOG_PAGE_RAW, 1, &offset, &end, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "onethree");
    offset = 7; // in the middle of a chunk
    strbuf_clear(&out);
    assert_ok(read_logs(db, job, NULL, LOG_PAGE_RAW, 100, &offset, &end, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "ree");
    offset = 7;
    strbuf_clear(&out);
    assert_ok(read_logs(db, job, NULL, LOG_PAGE_SSE, 100, &offset, &end, &out, &err), err);
    assert_memory_equal(strbuf_text(&out), "id: 10\nevent: log\ndata: {\"offset\":7,", 36);
    assert_non_null(strstr(strbuf_text(&out), "\"source\":\"a\",\"position\":5,\"text\":\"ree\"}\n\n"));
    offset = 3;
    strbuf_clear(&out);
    assert_ok(read_logs(db, job, "b", LOG_PAGE_JSON, 100, &offset, &end, &out, &err), err);
    assert_json(&out, "text",
                "\"\xef\xbf\xbd"
                "A\"");
    assert_json(&out, "offset", "3");
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    strbuf_clear(&out);
    assert_ok(read_logs(db, job, "b", LOG_PAGE_JSON, 100, &offset, &end, &out, &err), err);
    assert_int_equal(out.length, 0);
    assert_true(end);
    assert_int_equal(offset, 10);
}

static void test_results(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char cursor[READ_CURSOR_SIZE] = "";
    bool end = true;
    int64_t job = store_submit(db, &(struct store_job){0});
    store_sql(db,
              "INSERT INTO result SELECT %lld, 0, t, o, '[' || t || ',' || o || ']' FROM generate_series(0, 2) t, "
              "generate_series(0, 1) o",
              (long long)job);
    assert_ok(read_results(db, job, 4, false, cursor, &end, &out, &err), err);
    assert_false(end);
    assert_string_equal(cursor, "0.1.1");
    assert_ok(read_results(db, job, 4, false, cursor, &end, &out, &err), err);
    assert_false(end);
    assert_string_equal(strbuf_text(&out), "{\"stage\":\"main\",\"task\":0,\"output\":[0,0]}\n"
                                           "{\"stage\":\"main\",\"task\":0,\"output\":[0,1]}\n"
                                           "{\"stage\":\"main\",\"task\":1,\"output\":[1,0]}\n"
                                           "{\"stage\":\"main\",\"task\":1,\"output\":[1,1]}\n"
                                           "{\"stage\":\"main\",\"task\":2,\"output\":[2,0]}\n"
                                           "{\"stage\":\"main\",\"task\":2,\"output\":[2,1]}\n");
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    assert_ok(read_results(db, job, 4, false, cursor, &end, &out, &err), err);
    assert_true(end);
    strcpy(cursor, "junk");
    assert_error(read_results(db, job, 4, false, cursor, &end, &out, &err), err, ERR_INVALID, "cursor");
}

static void next_results(int64_t job, char cursor[static READ_CURSOR_SIZE], const char *expected, bool ends)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_STRBUF struct strbuf tasks = STRBUF_INIT;
    bool end = false;
    assert_ok(read_results(db, job, 100, true, cursor, &end, &out, &err), err);
    for (const char *at = strbuf_text(&out); (at = strstr(at, "\"output\":")); at++)
        strbuf_add_char(&tasks, at[strlen("\"output\":")]);
    assert_string_equal(strbuf_text(&tasks), expected);
    assert_int_equal(end, ends);
}

static void add_results(int64_t job, int stage, int first, int count)
{
    store_sql(db, "INSERT INTO result SELECT %lld, %d, t, 0, t::text FROM generate_series(%d, %d) t", (long long)job,
              stage, first, first + count - 1);
}

// Who follows the results of a job that goes on gets each once, though tasks end in any order and failed ones are tried
// again.
static void test_results_that_are_followed(void **state)
{
    UNUSED(state);
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct err err = {0};
    char cursor[READ_CURSOR_SIZE] = "";
    int64_t job =
        store_submit(db, &(struct store_job){.stage_count = 2,
                                             .stages = {{.name = "one", .tasks = 6, .from = -1, .goes_on = true},
                                                        {.name = "two", .tasks = 2, .from = -1}}});
    next_results(job, cursor, "", false);
    store_claim(db, job, 0, 2, worker);
    add_results(job, 0, 0, 2);
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    next_results(job, cursor, "01", false);
    store_claim(db, job, 0, 2, worker); // 2 and 3 go on
    store_claim(db, job, 1, 2, worker);
    add_results(job, 1, 0, 2);
    store_report(db, job, 1, SLICE_SUCCEEDED, NULL);
    next_results(job, cursor, "", false);
    store_report(db, job, 0, SLICE_FAILED, NULL);
    store_claim(db, job, 0, 2, worker);
    add_results(job, 0, 4, 2);
    store_sql(db, "UPDATE job SET paused = true WHERE id = %lld", (long long)job); // so that it does not end now
    next_results(job, cursor, "", false);                                          // what has failed may be tried again
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    next_results(job, cursor, "4501", false);
    next_results(job, cursor, "", true);
}

static void test_fleet_and_books(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t job = store_submit(db, &served);
    store_place(db, job, worker);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    store_claim(db, job, 0, 4, worker);
    assert_ok(read_workers(db, NULL, 10, &out, &err), err);
    assert_json(&out, "workers.0.name", "\"w1\"");
    assert_json(&out, "workers.0.state", "\"ready\"");
    assert_json(&out, "workers.0.queues", "[\"default\",\"other\"]");
    assert_json(&out, "workers.0.running", "4");
    assert_json(&out, "workers.0.services", "1");
    assert_json(&out, "next", "null");
    store_worker(db, "w2");
    strbuf_clear(&out);
    assert_ok(read_workers(db, NULL, 1, &out, &err), err);
    assert_json(&out, "workers.0.name", "\"w1\"");
    char cursor[READ_CURSOR_SIZE], quoted[READ_CURSOR_SIZE + 2];
    snprintf(cursor, sizeof cursor, "%lld", (long long)worker);
    snprintf(quoted, sizeof quoted, "\"%s\"", cursor);
    assert_json(&out, "next", quoted);
    strbuf_clear(&out);
    assert_ok(read_workers(db, cursor, 1, &out, &err), err);
    assert_json(&out, "workers.0.name", "\"w2\"");
    strbuf_clear(&out);
    assert_ok(read_workers(db, "99999", 1, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "{\"workers\":[],\"next\":null}");
    assert_error(read_workers(db, "w1", 1, &out, &err), err, ERR_INVALID, "cursor");
    strbuf_clear(&out);
    assert_int_equal(read_violations(db, 0, &out, &err), 0);
    assert_string_equal(strbuf_text(&out), "{\"violations\":[]}");
    store_sql(db, "UPDATE slice SET count = count + 1 WHERE state = 2");
    strbuf_clear(&out);
    assert_true(read_violations(db, job, &out, &err) > 0);
    assert_true(read_violations(db, 0, &out, &err) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_not_there),
        TEST(test_tasks),
        TEST(test_services_and_certificates),
        TEST(test_events),
        TEST(test_logs),
        TEST(test_results),
        TEST(test_results_that_are_followed),
        TEST(test_fleet_and_books),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
