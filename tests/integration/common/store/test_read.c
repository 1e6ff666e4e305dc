#include "services/common/store/read.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/metrics.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg *pg;
static struct db *db;
static int64_t worker;

static int start(void **state)
{
    UNUSED(state);
    pg = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    UNUSED(state);
    pg_stop(pg);
    return 0;
}

static int fresh(void **state)
{
    UNUSED(state);
    db = store_db_new(pg);
    worker = store_worker(db, "w1");
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    db_close(db);
    return 0;
}

// ---- a value in a document, by a path like "stages.0.name"; printed as JSON

static void assert_value(const struct strbuf *document, const char *path, const char *expected)
{
    struct json_object *root = json_tokener_parse(strbuf_text(document));
    if (!root)
        fail_msg("no JSON: %s", strbuf_text(document));
    struct json_object *value = root;
    AUTO_FREE char *copy = strdup(path);
    char *rest = copy;
    for (char *name; value && (name = strsep(&rest, ".")) && *name;)
        value = json_object_is_type(value, json_type_array) ? json_object_array_get_idx(value, (size_t)atoi(name))
                                                            : json_object_object_get(value, name);
    const char *text =
        value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "null";
    if (strcmp(text, expected) != 0)
        fail_msg("%s is %s, not %s, in %s", path, text, expected, strbuf_text(document));
    json_object_put(root);
}

static int64_t list_length(const struct strbuf *document, const char *name)
{
    struct json_object *root = json_tokener_parse(strbuf_text(document));
    int64_t length = (int64_t)json_object_array_length(json_object_object_get(root, name));
    json_object_put(root);
    return length;
}

static void assert_job(int64_t job, const char *path, const char *expected)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_job(db, job, NULL, &out, &err), err);
    assert_value(&out, path, expected);
}

static const struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};

static void test_job_through_its_life(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    char id[ID_TEXT_SIZE + 2];
    int64_t job = store_submit(db, &served);
    id_format('j', job, id + 1);
    id[0] = '"';
    strcat(id, "\"");

    assert_job(job, "id", id);
    assert_job(job, "state", "\"queued\"");
    assert_job(job, "labels", "{\"team\":\"search\"}");
    assert_job(job, "autostop", "true");
    assert_job(job, "outcome", "null");
    assert_job(job, "reason", "null");
    assert_job(job, "stages.0.ready", "10");
    assert_job(job, "services.0",
               "{\"name\":\"cache\",\"epoch\":1,\"runtime\":null,\"state\":\"pending\",\"host\":null,\"ports\":{}}");
    store_place(db, job, worker);
    assert_job(job, "state", "\"starting\"");
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    assert_job(job, "state", "\"running\"");
    store_claim(db, job, 0, 3, worker);
    assert_job(
        job, "stages.0",
        "{\"name\":\"main\",\"state\":\"open\",\"total\":10,\"ready\":7,\"running\":3,\"delayed\":0,\"succeeded\":0,"
        "\"failed\":0,\"cancelled\":0}");
    assert_ok(control_pause(db, job, &wakes, &err), err);
    assert_job(job, "state", "\"paused\"");
    assert_ok(control_stop(db, job, &wakes, &err), err);
    assert_job(job, "state", "\"stopped\"");
    assert_job(job, "cleanup", "\"pending\"");
    assert_job(job, "reason.code", "\"stop_requested\"");
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    assert_job(job, "cleanup", "\"clean\"");
    assert_job(job, "stages.0.state", "\"closed\"");
    assert_job(job, "stages.0.succeeded", "3");

    struct job_progress progress;
    assert_ok(read_job(db, job, &progress, &out, &err), err);
    assert_true(progress.found && progress.closed);
    assert_int_equal(progress.outcome, OUTCOME_STOPPED);
    assert_int_equal(progress.event_count, store_sql(db, "SELECT count(*) FROM event"));
}

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
    assert_error(read_results(db, 7, 10, cursor, &end, &out, &err), err, ERR_NOT_FOUND, "does not exist");
    assert_error(read_worker(db, 99, &out, &err), err, ERR_NOT_FOUND, "worker 99");
    int64_t job = store_submit(db, &(struct store_job){0});
    assert_error(read_task(db, job, "main", 10, &out, &err), err, ERR_NOT_FOUND, "no task 'main/10'");
    assert_error(read_task(db, job, "other", 0, &out, &err), err, ERR_NOT_FOUND, "no task");
}

static void test_progress_of_many(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t jobs[] = {store_submit(db, &served), 5, store_submit(db, &(struct store_job){0})};
    assert_ok(control_stop(db, jobs[2], &wakes, &err), err);
    struct job_progress progress[3];
    assert_ok(read_progress(db, jobs, 3, progress, &err), err);
    assert_true(progress[0].found);
    assert_int_equal(progress[0].outcome, OUTCOME_NONE);
    assert_false(progress[1].found);
    assert_true(progress[2].closed);
    assert_int_equal(progress[2].outcome, OUTCOME_STOPPED);
}

static void test_lists_of_jobs(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t jobs[7];
    for (int i = 0; i < 7; i++)
        jobs[i] = store_submit(db, &(struct store_job){.name = i == 3 ? "special" : "usual"});
    assert_ok(control_stop(db, jobs[1], &wakes, &err), err);
    assert_ok(control_pause(db, jobs[2], &wakes, &err), err);

    struct job_filter filter = {.state = -1, .limit = 3};
    char cursor[ID_TEXT_SIZE];
    int total = 0;
    for (int page = 0; page < 3; page++) {
        strbuf_clear(&out);
        assert_ok(read_jobs(db, &filter, &out, &err), err);
        total += (int)list_length(&out, "jobs");
        if (page < 2) {
            id_format('j', jobs[6 - 3 * (page + 1) + 1], cursor);
            char quoted[ID_TEXT_SIZE + 3];
            snprintf(quoted, sizeof quoted, "\"%s\"", cursor);
            assert_value(&out, "next", quoted);
            filter.cursor = cursor;
        }
    }
    assert_int_equal(total, 7);
    assert_value(&out, "next", "null");

    static const struct {
        struct job_filter filter;
        int expected;
    } cases[] = {
        {{.state = -1, .limit = 100, .name = "special"}, 1},
        {{.state = -1, .limit = 100, .label = "team", .value = "search"}, 7},
        {{.state = -1, .limit = 100, .label = "team", .value = "other"}, 0},
        {{.state = -1, .limit = 100, .since_us = INT64_C(4000000000000000)}, 0},
        {{.state = JOB_STOPPED, .limit = 100}, 1},
        {{.state = JOB_PAUSED, .limit = 100}, 1},
        {{.state = JOB_QUEUED, .limit = 100}, 5},
        {{.state = JOB_RUNNING, .limit = 100}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        strbuf_clear(&out);
        assert_ok(read_jobs(db, &cases[i].filter, &out, &err), err);
        assert_int_equal(list_length(&out, "jobs"), cases[i].expected);
    }
    filter.cursor = "nonsense";
    assert_error(read_jobs(db, &filter, &out, &err), err, ERR_INVALID, "cursor 'nonsense'");
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
    assert_int_equal(list_length(&out, "slices"), 4);
    assert_value(&out, "slices.1",
                 "{\"stage\":\"one\",\"first\":2,\"count\":3,\"state\":\"leased\",\"attempt\":1,\"failures\":0,"
                 "\"worker\":\"w1\","
                 "\"due_at\":null}");
    strbuf_clear(&out);
    filter = (struct task_filter){.state = SLICE_FAILED, .single = true, .limit = 100};
    assert_ok(read_tasks(db, job, &filter, &out, &err), err);
    assert_int_equal(list_length(&out, "tasks"), 2);
    assert_value(&out, "tasks.0.error", "null");
    assert_value(&out, "tasks.1.error.error", "\"it \\\"broke\\\"\"");
    assert_value(&out, "tasks.1.error.exit", "3");

    // pages of single tasks cut through slices and stages
    int total = 0;
    char cursor[READ_CURSOR_SIZE];
    filter = (struct task_filter){.state = -1, .single = true, .limit = 4};
    for (int page = 0; page < 10; page++) {
        strbuf_clear(&out);
        assert_ok(read_tasks(db, job, &filter, &out, &err), err);
        total += (int)list_length(&out, "tasks");
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
    assert_value(&out, "state", "\"failed\"");
    assert_value(&out, "item", "1");
    assert_value(&out, "error.attempt", "1");
    strbuf_clear(&out);
    assert_ok(read_task(db, job, "one", 9, &out, &err), err);
    assert_value(&out, "item", "9");
    assert_value(&out, "state", "\"ready\"");
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
    assert_value(&out, "services.0.state", "\"ready\"");
    assert_value(&out, "services.0.worker", "\"w1\"");
    strbuf_clear(&out);
    assert_ok(read_live_services(db, NULL, 1, &out, &err), err);
    assert_int_equal(list_length(&out, "services"), 1);
    char cursor[READ_CURSOR_SIZE], id[ID_TEXT_SIZE];
    id_format('j', job, id);
    snprintf(cursor, sizeof cursor, "%s.0.1", id);
    strbuf_clear(&out);
    assert_ok(read_live_services(db, cursor, 10, &out, &err), err);
    assert_int_equal(list_length(&out, "services"), 0);
    assert_error(read_live_services(db, "x.1", 10, &out, &err), err, ERR_INVALID, "cursor");

    assert_ok(control_stop(db, job, &wakes, &err), err);
    strbuf_clear(&out);
    assert_ok(read_leaks(db, 60000, &out, &err), err);
    assert_int_equal(list_length(&out, "leaks"), 0);
    strbuf_clear(&out);
    assert_ok(read_leaks(db, 0, &out, &err), err);
    assert_int_equal(list_length(&out, "leaks"), 1);
    store_sql(db,
              "UPDATE instance SET signals = '[{\"signal\":\"SIGTERM\",\"at\":\"x\"}]', exit_code = 0 WHERE job = %lld",
              (long long)job);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    strbuf_clear(&out);
    assert_ok(read_cleanup(db, job, &out, &err), err);
    assert_value(&out, "cleanup", "\"clean\"");
    assert_value(&out, "certificates.0.grade", "\"verified\"");
    assert_value(&out, "certificates.0.reason", "\"stopped\"");
    assert_value(&out, "certificates.0.signals.0.signal", "\"SIGTERM\"");
    assert_value(&out, "certificates.0.exit", "{\"code\":0,\"signal\":null}");
    assert_value(&out, "certificates.0.worker", "\"w1\"");
    strbuf_clear(&out);
    int64_t plain = store_submit(db, &(struct store_job){0});
    assert_ok(read_cleanup(db, plain, &out, &err), err);
    assert_string_equal(strbuf_text(&out), "{\"cleanup\":\"none\",\"certificates\":[]}");
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
    assert_ok(control_stop(db, job, &wakes, &err), err);
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
    offset = 3;
    strbuf_clear(&out);
    assert_ok(read_logs(db, job, "b", LOG_PAGE_JSON, 100, &offset, &end, &out, &err), err);
    assert_value(&out, "text",
                 "\"\xef\xbf\xbd"
                 "A\"");
    assert_value(&out, "offset", "3");
    assert_ok(control_stop(db, job, &wakes, &err), err);
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
    assert_ok(read_results(db, job, 4, cursor, &end, &out, &err), err);
    assert_false(end);
    assert_string_equal(cursor, "0.1.1");
    assert_ok(read_results(db, job, 4, cursor, &end, &out, &err), err);
    assert_false(end);
    assert_string_equal(strbuf_text(&out), "{\"stage\":\"main\",\"task\":0,\"output\":[0,0]}\n"
                                           "{\"stage\":\"main\",\"task\":0,\"output\":[0,1]}\n"
                                           "{\"stage\":\"main\",\"task\":1,\"output\":[1,0]}\n"
                                           "{\"stage\":\"main\",\"task\":1,\"output\":[1,1]}\n"
                                           "{\"stage\":\"main\",\"task\":2,\"output\":[2,0]}\n"
                                           "{\"stage\":\"main\",\"task\":2,\"output\":[2,1]}\n");
    assert_ok(control_stop(db, job, &wakes, &err), err);
    assert_ok(read_results(db, job, 4, cursor, &end, &out, &err), err);
    assert_true(end);
    strcpy(cursor, "junk");
    assert_error(read_results(db, job, 4, cursor, &end, &out, &err), err, ERR_INVALID, "cursor");
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
    assert_ok(read_workers(db, &out, &err), err);
    assert_value(&out, "workers.0.name", "\"w1\"");
    assert_value(&out, "workers.0.state", "\"ready\"");
    assert_value(&out, "workers.0.queues", "[\"default\",\"other\"]");
    assert_value(&out, "workers.0.running", "4");
    assert_value(&out, "workers.0.services", "1");
    strbuf_clear(&out);
    assert_int_equal(read_violations(db, 0, &out, &err), 0);
    assert_string_equal(strbuf_text(&out), "{\"violations\":[]}");
    store_sql(db, "UPDATE slice SET count = count + 1 WHERE state = 2");
    strbuf_clear(&out);
    assert_true(read_violations(db, job, &out, &err) > 0);
    assert_true(read_violations(db, 0, &out, &err) > 0);
}

static void assert_why(int64_t job, const char *code, const char *message)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char quoted[64];
    assert_ok(read_why(db, job, &out, &err), err);
    snprintf(quoted, sizeof quoted, "\"%s\"", code);
    assert_value(&out, "code", quoted);
    if (!strstr(strbuf_text(&out), message))
        fail_msg("%s does not say %s", strbuf_text(&out), message);
}

static void test_why(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct store_job base = {.stage_count = 2,
                             .stages = {{.name = "one", .tasks = 3, .from = -1, .queue = "other"},
                                        {.name = "two", .tasks = 3, .from = -1, .after = 1}},
                             .service_count = 2,
                             .services = {{.name = "model"}, {.name = "front", .depends = 1}}};
    int64_t job = store_submit(db, &base);
    assert_why(job, "service_no_room", "no worker has taken service 'model' yet: 1 could, 1 accept work");
    store_sql(db, "UPDATE worker SET state = 4");
    assert_why(job, "service_no_worker", "no worker can run service 'model'");
    store_sql(db, "UPDATE worker SET state = 0");
    store_place(db, job, worker);
    assert_why(job, "service_starting", "waiting for service 'model' to become ready");
    store_observe(db, job, "model", INSTANCE_READY, NULL);
    store_place(db, job, worker);
    assert_why(job, "service_starting", "'front'");
    store_observe(db, job, "front", INSTANCE_READY, NULL);
    assert_why(job, "slots_busy", "3 tasks wait for a free slot");
    store_sql(db, "UPDATE worker SET queues = '{default}'");
    assert_why(job, "no_worker_for_queue", "no worker serves queue 'other'");
    store_claim(db, job, 0, 3, worker);
    assert_why(job, "running", "3 tasks are running");
    store_sql(db, "UPDATE worker SET state = 1");
    assert_why(job, "worker_suspect", "'w1'");
    store_sql(db, "UPDATE worker SET state = 0");
    assert_ok(control_pause(db, job, &wakes, &err), err);
    assert_why(job, "paused", "paused");
    assert_ok(control_stop(db, job, &wakes, &err), err);
    assert_why(job, "stopping_tasks", "3 running tasks");
    store_report(db, job, 0, SLICE_CANCELLED, NULL);
    assert_why(job, "stopping_service", "'front'");
    store_observe(db, job, "front", INSTANCE_STOPPED, NULL);
    assert_why(job, "verifying", "'front'");
    store_observe(db, job, "front", INSTANCE_VERIFIED, NULL);
    store_observe(db, job, "model", INSTANCE_STUCK, NULL);
    assert_why(job, "service_stuck", "'model'");
    store_observe(db, job, "model", INSTANCE_VERIFIED, NULL);
    assert_why(job, "closed", "closed (stopped)");

    int64_t kept =
        store_submit(db, &(struct store_job){.keeps = true, .service_count = 1, .services = {{.name = "model"}}});
    store_place(db, kept, worker);
    store_observe(db, kept, "model", INSTANCE_READY, NULL);
    store_claim(db, kept, 0, 10, worker);
    store_report(db, kept, 0, SLICE_SUCCEEDED, NULL);
    assert_why(kept, "kept_by_policy", "autostop is off");
}

static void test_metrics(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct store_metrics metrics;
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.queue_oldest_ready_seconds == 0);
    int64_t job = store_submit(db, &served);
    int64_t paused = store_submit(db, &(struct store_job){0});
    int64_t ready = store_submit(db, &(struct store_job){0});
    assert_ok(control_pause(db, paused, &wakes, &err), err);
    store_place(db, job, worker);
    store_sql(db, "UPDATE job SET created_at = created_at - interval '5 s' WHERE id = %lld", (long long)ready);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.queue_oldest_ready_seconds >= 5 && metrics.queue_oldest_ready_seconds < 60);
    assert_int_equal(metrics.ready_slices, 1);
    assert_int_equal(metrics.jobs_open, 3);
    assert_int_equal(metrics.jobs_paused, 1);
    assert_int_equal(metrics.live_instances, 1);
    assert_int_equal(metrics.leaked_services, 0);
    assert_int_equal(metrics.workers[WORKER_READY], 1);
    assert_true(metrics.reaper_lag_seconds == 0);
    store_sql(db, "UPDATE job SET attention_at = clock_timestamp() - interval '7 s' WHERE id = %lld", (long long)job);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.reaper_lag_seconds >= 7);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(test_job_through_its_life),
        TEST(test_what_is_not_there),
        TEST(test_progress_of_many),
        TEST(test_lists_of_jobs),
        TEST(test_tasks),
        TEST(test_services_and_certificates),
        TEST(test_events),
        TEST(test_logs),
        TEST(test_results),
        TEST(test_fleet_and_books),
        TEST(test_why),
        TEST(test_metrics),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
