// Server-sent events survive the death of the manager that streams them: the pieces that a client gets with
// Last-Event-ID from one manager after the other are the whole history, nothing missing and nothing twice, while it is
// being written.
#include "tests/support/db_test.h"
#include "tests/support/die.h"
#include "tests/support/fake_worker.h"
#include "tests/support/process.h"
#include "tests/support/stream_reader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILLS 5
#define EVENTS_BEFORE_KILL 12
#define LOG_WRITERS 3

static struct manager *managers[2];

static int setup(void **state)
{
    static const char *const extra[] = {"--lanes", "2", "--worker-lease", "10m", "--stream-heartbeat", "100ms", NULL};
    db_test_start(state);
    const char *database = pg_database_new(test_pg);
    for (size_t i = 0; i < ARRAY_LEN(managers); i++)
        managers[i] = manager_start(database, extra);
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(managers); i++)
        manager_free(managers[i]);
    return db_test_stop(state);
}

// ---- those who write

struct writer {
    pthread_t thread;
    const struct fake_worker *worker;
    const char *job;
    int number;
    int64_t position; // of a log
    struct http_client *clients[2];
};

static _Atomic bool writing;

// Until it was done: managers are killed in the middle of it, and nothing is worse for being said twice.
static void insist(const struct writer *writer, const char *path, const char *body)
{
    int status = 0;
    for (size_t turn = 0; status != 200; turn++) {
        status = client_call(writer->clients[turn % 2], "POST", path, NULL, 0, body, NULL);
        if (status != 200 && status != 0 && status != 503)
            die("POST %s: %d", path, status);
    }
}

static void *write_log(void *context)
{
    struct writer *writer = context;
    char text[64], body[256];
    for (int line = 0; atomic_load(&writing); line++) {
        int length = snprintf(text, sizeof(text), "%d says %d", writer->number, line);
        snprintf(body, sizeof(body),
                 "{\"incarnation\":%d,\"logs\":[{\"job\":\"%s\",\"source\":\"task/main/%d/1\",\"position\":%lld,"
                 "\"data\":\"%s\"}]}",
                 writer->worker->incarnation, writer->job, writer->number, (long long)writer->position, text);
        insist(writer, writer->worker->report_path, body);
        writer->position += length;
    }
    return NULL;
}

static void *write_events(void *context)
{
    struct writer *writer = context;
    char pause[64], resume[64];
    snprintf(pause, sizeof(pause), "/v1/jobs/%s/pause", writer->job);
    snprintf(resume, sizeof(resume), "/v1/jobs/%s/resume", writer->job);
    while (atomic_load(&writing)) {
        insist(writer, pause, NULL);
        insist(writer, resume, NULL);
    }
    return NULL;
}

static void writers_begin(struct writer *writers, const struct fake_worker *worker, const char *job)
{
    atomic_store(&writing, true);
    for (int i = 0; i <= LOG_WRITERS; i++) {
        writers[i] = (struct writer){.worker = worker, .job = job, .number = i};
        for (size_t m = 0; m < ARRAY_LEN(managers); m++)
            writers[i].clients[m] = manager_client(managers[m]);
        pthread_create(&writers[i].thread, NULL, i < LOG_WRITERS ? write_log : write_events, &writers[i]);
    }
}

static void writers_end(struct writer *writers)
{
    atomic_store(&writing, false);
    for (int i = 0; i <= LOG_WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        for (size_t m = 0; m < ARRAY_LEN(managers); m++)
            http_client_free(writers[i].clients[m]);
    }
}

// ---- who reads

struct follower {
    const char *what; // "events", "logs"
    struct stream_reader reader;
    struct strbuf lines; // the data of all events, one a line
    char last[32];
    bool ended;
};

// One event, without the empty line behind it.
static void take_event(struct follower *follower, const char *event)
{
    if (*event == ':')
        return;
    const char *data = strstr(event, "\ndata: ");
    assert_non_null(data);
    assert_int_equal(sscanf(event, "id: %31[0-9]", follower->last), 1);
    assert_false(follower->ended);
    follower->ended = strstr(event, "\nevent: end\n");
    if (follower->ended)
        return;
    strbuf_add_text(&follower->lines, data + strlen("\ndata: "));
    strbuf_add_char(&follower->lines, '\n');
}

// What a client of server-sent events does: an event without its empty line was not there.
static void take_events(struct follower *follower)
{
    char *at = strbuf_text(&follower->reader.body) ? follower->reader.body.data : NULL;
    for (char *end; at && (end = strstr(at, "\n\n")); at = end + 2) {
        *end = '\0';
        take_event(follower, at);
    }
    strbuf_release(&follower->reader.body);
}

static void follow(struct follower *follower, struct manager *manager, const char *job)
{
    follower->reader =
        (struct stream_reader){.headers = {{"Accept", "text/event-stream"}, {"Last-Event-ID", follower->last}},
                               .header_count = *follower->last ? 2 : 1};
    stream_reader_begin(&follower->reader, manager, job, follower->what);
}

static void read_through_kills(struct follower *followers, const char *job)
{
    for (int round = 0; round < KILLS; round++) {
        struct manager *manager = managers[round % 2];
        for (int i = 0; i < 2; i++)
            follow(&followers[i], manager, job);
        if (round > 0)
            manager_restart(managers[(round + 1) % 2]);
        for (int i = 0; i < 2; i++)
            assert_true(stream_reader_wait(&followers[i].reader, "\n\n", EVENTS_BEFORE_KILL));
        manager_kill(manager);
        for (int i = 0; i < 2; i++) {
            stream_reader_end(&followers[i].reader);
            assert_true(followers[i].reader.broken);
            take_events(&followers[i]);
        }
    }
}

static void check_history(struct follower *follower, struct manager *manager, const char *job, const char *rest)
{
    struct stream_reader whole = {0};
    stream_reader_begin(&whole, manager, job, rest);
    stream_reader_end(&whole);
    assert_int_equal(whole.status, 200);
    assert_true(follower->ended);
    assert_string_equal(strbuf_text(&follower->lines), strbuf_text(&whole.body));
    strbuf_release(&whole.body);
    follow(follower, manager, job); // it has seen everything
    stream_reader_end(&follower->reader);
    assert_int_equal(follower->reader.status, 204);
    strbuf_release(&follower->lines);
}

static void streams_resume_at_another_manager(void **state)
{
    struct fake_worker worker = {0};
    struct writer writers[LOG_WRITERS + 1];
    struct follower followers[2] = {{.what = "events"}, {.what = "logs"}};
    AUTO_JSON_OBJECT struct json_object *work = NULL;
    UNUSED(state);
    fake_worker_init(&worker, managers[1], "writer");
    AUTO_FREE char *job = manager_submit(managers[0], "{\"name\":\"told\",\"command\":[\"true\"]}");
    assert_int_equal(fake_worker_poll(&worker, 20000, 1, &work), 200);
    assert_int_equal(json_length_at(work, "/slices"), 1);
    writers_begin(writers, &worker, job);
    read_through_kills(followers, job);
    struct manager *left = managers[KILLS % 2];
    for (int i = 0; i < 2; i++)
        follow(&followers[i], left, job);
    manager_restart(managers[(KILLS + 1) % 2]);
    writers_end(writers);
    fake_worker_obey(&worker, work);
    assert_true(manager_wait_job(left, job, "succeeded", "none", 60000));
    for (int i = 0; i < 2; i++) {
        stream_reader_end(&followers[i].reader);
        assert_false(followers[i].reader.broken);
        take_events(&followers[i]);
    }
    check_history(&followers[0], left, job, "events");
    check_history(&followers[1], left, job, "logs?format=json");
    fake_worker_release(&worker);
}

static void a_quiet_stream_says_that_it_is_there(void **state)
{
    struct follower followers[2] = {{.what = "events"}, {.what = "logs"}};
    UNUSED(state);
    AUTO_FREE char *job = manager_submit(managers[0], "{\"name\":\"quiet\",\"command\":[\"true\"]}");
    char stop[64];
    snprintf(stop, sizeof(stop), "/v1/jobs/%s/stop", job);
    for (int i = 0; i < 2; i++)
        follow(&followers[i], managers[0], job);
    for (int i = 0; i < 2; i++)
        assert_true(stream_reader_wait(&followers[i].reader, ": still here\n\n", 3));
    assert_int_equal(manager_call(managers[1], "POST", stop, NULL, NULL), 200);
    for (int i = 0; i < 2; i++) {
        stream_reader_end(&followers[i].reader);
        assert_non_null(strstr(strbuf_text(&followers[i].reader.body),
                               "event: end\ndata: {\"outcome\":\"stopped\",\"cleanup\":\"none\"}\n\n"));
        take_events(&followers[i]);
        assert_true(followers[i].ended);
        strbuf_release(&followers[i].lines);
    }
}

// A raw log is resumed by the number of bytes that came, wherever that is in a chunk.
static void a_raw_log_is_resumed_in_the_middle_of_a_chunk(void **state)
{
    static const char *const rest[] = {"one\ntwo\n", "ne\ntwo\n", "e\ntwo\n", "\ntwo\n", "two\n",
                                       "wo\n",       "o\n",       "\n",       ""};
    struct fake_worker worker = {0};
    UNUSED(state);
    fake_worker_init(&worker, managers[0], "chunks");
    AUTO_FREE char *job = manager_submit(managers[0], "{\"name\":\"chunks\",\"command\":[\"true\"]}");
    char members[256], query[32];
    snprintf(members, sizeof(members),
             "\"logs\":[{\"job\":\"%s\",\"source\":\"task/main/0/1\",\"position\":0,\"data\":\"one\\n\"},"
             "{\"job\":\"%s\",\"source\":\"task/main/1/1\",\"position\":0,\"data\":\"two\\n\"}]",
             job, job);
    assert_int_equal(fake_worker_report(&worker, members, NULL), 200);
    for (size_t offset = 0; offset < ARRAY_LEN(rest); offset++) {
        struct stream_reader reader = {0};
        snprintf(query, sizeof(query), "logs?offset=%zu", offset);
        stream_reader_begin(&reader, managers[1], job, query);
        stream_reader_end(&reader);
        assert_string_equal(strbuf_text(&reader.body), rest[offset]);
        strbuf_release(&reader.body);
    }
    fake_worker_release(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_resume_at_another_manager),
        cmocka_unit_test(a_quiet_stream_says_that_it_is_there),
        cmocka_unit_test(a_raw_log_is_resumed_in_the_middle_of_a_chunk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
