// Streams: results page by page, logs that follow to the last byte, events that resume.
#include "services/common/base/fd.h"
#include "tests/support/db_test.h"
#include "tests/support/fake_worker.h"
#include "tests/support/gunzip.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/stream_reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

// ---- what is read

static void lease(struct fake_worker *worker, int64_t want, char slice[96], int64_t *token, int *width)
{
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    assert_int_equal(fake_worker_poll(worker, 20000, want, &reply), 200);
    assert_true(json_length_at(reply, "/slices") >= 1);
    snprintf(slice, 96, "%s", json_text_at(reply, "/slices/0/slice"));
    *token = json_number_at(reply, "/slices/0/token");
    *width = (int)json_number_at(reply, "/slices/0/count");
}

static void results_of_many_tasks(void **state)
{
    struct manager *manager = *state;
    enum { COUNT = 2500 };
    struct fake_worker worker = {0};
    struct stream_reader reader = {0};
    AUTO_STRBUF struct strbuf members = STRBUF_INIT;
    char slice[96];
    int64_t token;
    int width;
    fake_worker_init(&worker, manager, "results");
    AUTO_FREE char *id =
        manager_submit(manager, "{\"name\":\"many\",\"command\":[\"true\"],\"tasks\":{\"count\":2500}}");
    for (int done = 0; done < COUNT;) {
        lease(&worker, 500, slice, &token, &width);
        int first = atoi(strrchr(slice, '/') + 1);
        strbuf_clear(&members);
        strbuf_add_format(&members, "\"slices\":[{\"slice\":\"%s\",\"token\":%lld,\"succeeded\":\"all\",\"outputs\":[",
                          slice, (long long)token);
        for (int i = 0; i < width; i++)
            strbuf_add_format(&members, "%s{\"task\":%d,\"output\":{\"n\":%d}}", i ? "," : "", first + i, first + i);
        strbuf_add_text(&members, "]}]");
        assert_int_equal(fake_worker_report(&worker, strbuf_text(&members), NULL), 200);
        done += width;
    }
    stream_reader_begin(&reader, manager, id, "results");
    stream_reader_end(&reader);
    assert_int_equal(reader.status, 200);
    assert_int_equal(stream_count(&reader.body, "\n"), COUNT);
    assert_non_null(strstr(reader.body.data, "\"n\":0}"));
    assert_non_null(strstr(reader.body.data, "\"n\":2499}"));
    strbuf_release(&reader.body);
    fake_worker_release(&worker);
}

static int ship(struct fake_worker *worker, const char *id, int position, const char *text)
{
    char members[512];
    snprintf(members, sizeof(members),
             "\"logs\":[{\"job\":\"%s\",\"source\":\"task/main/0/1\",\"position\":%d,\"data\":\"%s\"}]", id, position,
             text);
    return fake_worker_report(worker, members, NULL);
}

static void a_log_is_followed_to_its_last_byte(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0};
    struct stream_reader follower = {0}, source = {0};
    char slice[96], members[256];
    int64_t token;
    int width;
    fake_worker_init(&worker, manager, "logs");
    AUTO_FREE char *id = manager_submit(manager, "{\"name\":\"talks\",\"command\":[\"true\"]}");
    lease(&worker, 1, slice, &token, &width);
    stream_reader_begin(&follower, manager, id, "logs?follow=true");
    assert_int_equal(ship(&worker, id, 0, "one\\n"), 200);
    assert_true(stream_reader_wait(&follower, "one\n", 1));
    assert_int_equal(ship(&worker, id, 4, "two\\n"), 200);
    assert_true(stream_reader_wait(&follower, "two\n", 1));
    assert_int_equal(ship(&worker, id, 4, "two\\n"), 200); // said twice
    snprintf(
        members, sizeof(members),
        "\"slices\":[{\"slice\":\"%s\",\"token\":%lld,\"succeeded\":\"all\"}],\"logs\":[{\"job\":\"%s\",\"source\":"
        "\"task/main/0/1\",\"position\":8,\"data64\":\"/2VuZAo=\"}]",
        slice, (long long)token, id);
    assert_int_equal(fake_worker_report(&worker, members, NULL), 200);
    stream_reader_end(&follower);
    assert_false(follower.broken);
    assert_int_equal(follower.body.length, 13);
    assert_memory_equal(follower.body.data,
                        "one\ntwo\n\xff"
                        "end\n",
                        13);
    stream_reader_begin(&source, manager, id, "logs?source=task/main/0/2");
    stream_reader_end(&source);
    assert_int_equal(source.status, 200);
    assert_int_equal(source.body.length, 0);
    strbuf_release(&follower.body);
    fake_worker_release(&worker);
}

static void events_resume_behind_the_last_one(void **state)
{
    struct manager *manager = *state;
    struct fake_worker worker = {0};
    struct stream_reader first = {.headers = {{"Accept", "text/event-stream"}}, .header_count = 1};
    struct stream_reader second = {.headers = {{"Accept", "text/event-stream"}, {"Last-Event-ID", "1"}},
                                   .header_count = 2};
    struct stream_reader plain = {0};
    fake_worker_init(&worker, manager, "events");
    AUTO_FREE char *id = manager_submit(manager, "{\"name\":\"told\",\"command\":[\"true\"]}");
    stream_reader_begin(&first, manager, id, "events");
    assert_true(stream_reader_wait(&first, "event: job.submitted", 1));
    assert_true(fake_worker_until(&worker, manager, id, "succeeded", "none", 60000));
    stream_reader_end(&first);
    assert_false(first.broken);
    assert_non_null(strstr(first.body.data, "id: 1\n"));
    assert_non_null(strstr(first.body.data, "event: job.closed"));
    stream_reader_begin(&second, manager, id, "events");
    stream_reader_end(&second);
    assert_null(strstr(second.body.data, "id: 1\n"));
    assert_int_equal(stream_count(&second.body, "id: "), stream_count(&first.body, "id: ") - 1);
    assert_non_null(strstr(first.body.data, "event: end\ndata: {\"outcome\":\"succeeded\",\"cleanup\":\"none\"}\n\n"));
    stream_reader_begin(&plain, manager, id, "events");
    stream_reader_end(&plain);
    assert_int_equal(stream_count(&plain.body, "\n"), stream_count(&first.body, "id: ") - 1); // no end
    strbuf_release(&first.body);
    strbuf_release(&second.body);
    strbuf_release(&plain.body);
    fake_worker_release(&worker);
}

// ---- a client that does not read

// Of 100 KB: 200 MB, but for the sanitizers, which take long for it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LARGE_ROWS 100
#else
#define LARGE_ROWS 2000
#endif

struct stalled {
    struct http_client *client;
    char path[96];
    pthread_t thread;
    pthread_mutex_t gate; // held: the client does not read on
    _Atomic bool began, ended;
    size_t lines;
    bool broken;
};

static int stalled_body(void *context, const char *bytes, size_t length)
{
    struct stalled *stalled = context;
    stalled->began = true;
    pthread_mutex_lock(&stalled->gate);
    for (size_t i = 0; i < length; i++)
        stalled->lines += bytes[i] == '\n';
    pthread_mutex_unlock(&stalled->gate);
    return 0;
}

static void *stalled_main(void *context)
{
    struct stalled *stalled = context;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = "GET",
                             .path = stalled->path,
                             .timeout_ms = 60000,
                             .on_body = stalled_body,
                             .on_body_context = stalled};
    stalled->broken = http_call(stalled->client, &call, &response, NULL) < 0;
    stalled->ended = true;
    return NULL;
}

static bool has_begun(void *context)
{
    return ((struct stalled *)context)->began;
}

static int64_t resident_kib(struct manager *manager)
{
    char path[64];
    AUTO_FREE char *text = NULL;
    size_t length;
    struct err err;
    snprintf(path, sizeof(path), "/proc/%d/status", manager_pid(manager));
    assert_ok(file_read(path, 65536, &text, &length, &err), err);
    return atoll(strstr(text, "VmRSS:") + 6);
}

// The sanitizers keep what was freed.
static void assert_little(struct manager *manager, int64_t before_kib)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    UNUSED(manager);
    UNUSED(before_kib);
#else
    assert_true(resident_kib(manager) - before_kib < 16 * 1024);
#endif
}

// The job with LARGE_ROWS results of 100 KB, made when it is first asked for.
static const char *large_job(struct manager *manager)
{
    static char id[32];
    if (*id)
        return id;
    AUTO_DB struct db *db = db_test_open(database, NULL, 0);
    AUTO_FREE char *fresh = manager_submit(manager, "{\"name\":\"large\",\"command\":[\"true\"]}");
    char sql[256];
    snprintf(sql, sizeof(sql),
             "INSERT INTO result SELECT (SELECT max(id) FROM job), 0, n, 0, '\"' || repeat('x', 100000) || '\"' "
             "FROM generate_series(1000, %d) n",
             1000 + LARGE_ROWS - 1);
    db_test_sql(db, sql);
    snprintf(id, sizeof(id), "%s", fresh);
    return id;
}

static void results_of_any_size_take_little_memory(void **state)
{
    struct manager *manager = *state;
    struct stalled stalled = {.client = manager_client(manager)};
    const char *id = large_job(manager);
    int64_t before_kib = resident_kib(manager);
    snprintf(stalled.path, sizeof(stalled.path), "/v1/jobs/%s/results", id);
    pthread_mutex_init(&stalled.gate, NULL);
    pthread_mutex_lock(&stalled.gate);
    pthread_create(&stalled.thread, NULL, stalled_main, &stalled);
    assert_true(wait_until(has_begun, &stalled, 60000));
    for (int i = 0; i < 30; i++) {
        assert_int_equal(manager_call(manager, "GET", "/metrics", NULL, NULL), 200);
        assert_little(manager, before_kib);
    }
    pthread_mutex_unlock(&stalled.gate);
    while (!stalled.ended) {
        assert_int_equal(manager_call(manager, "GET", "/v1/version", NULL, NULL), 200);
        assert_little(manager, before_kib);
    }
    pthread_join(stalled.thread, NULL);
    assert_false(stalled.broken);
    assert_int_equal(stalled.lines, LARGE_ROWS);
    assert_true(before_kib > 0);
    pthread_mutex_destroy(&stalled.gate);
    http_client_free(stalled.client);
}

static void a_stream_comes_compressed(void **state)
{
    struct manager *manager = *state;
    const char *id = large_job(manager);
    struct stream_reader reader = {.headers = {{"Accept-Encoding", "br, gzip"}}, .header_count = 1};
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    stream_reader_begin(&reader, manager, id, "results");
    stream_reader_end(&reader);
    assert_false(reader.broken);
    assert_true(reader.body.length < 4 << 20);
    assert_int_equal(gunzip(&reader.body, &plain), 0);
    assert_int_equal(stream_count(&plain, "\n"), LARGE_ROWS);
    assert_int_equal(plain.length, (size_t)LARGE_ROWS * (100002 + 39));
    strbuf_release(&reader.body);
}

// A client may go at any moment: before the first byte, while the buffer is full, while the stream waits for news.
static void clients_go_in_the_middle(void **state)
{
    struct manager *manager = *state;
    const char *id = large_job(manager);
    uint16_t port = (uint16_t)atoi(strrchr(manager_url(manager), ':') + 1);
    static const char *const streams[] = {"results", "results?follow=true", "logs?follow=true", "events"};
    for (size_t i = 0; i < 40; i++) {
        AUTO_STRBUF struct strbuf some = STRBUF_INIT;
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        strbuf_add_format(&text, "GET /v1/jobs/%s/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", id, streams[i % 4]);
        int fd = raw_connect(port);
        raw_send_text(fd, strbuf_text(&text));
        if (i % 8 >= 4)
            assert_true(raw_read_until(fd, &some, "\r\n\r\n", 60000));
        close(fd);
    }
    assert_int_equal(manager_call(manager, "GET", "/v1/version", NULL, NULL), 200);
}

static void a_stream_that_breaks_off_is_seen(void **state)
{
    struct manager *manager = *state;
    struct stream_reader follower = {0};
    AUTO_FREE char *id = manager_submit(manager, "{\"name\":\"open\",\"command\":[\"true\"]}");
    stream_reader_begin(&follower, manager, id, "events?follow=true");
    assert_true(stream_reader_wait(&follower, "job.submitted", 1));
    manager_terminate(manager);
    stream_reader_end(&follower);
    assert_true(follower.broken);
    assert_int_equal(manager_wait(manager, 60000), 0);
    strbuf_release(&follower.body);
    manager_restart(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_of_many_tasks),
        cmocka_unit_test(a_log_is_followed_to_its_last_byte),
        cmocka_unit_test(events_resume_behind_the_last_one),
        cmocka_unit_test(results_of_any_size_take_little_memory),
        cmocka_unit_test(a_stream_comes_compressed),
        cmocka_unit_test(clients_go_in_the_middle),
        cmocka_unit_test(a_stream_that_breaks_off_is_seen),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
