// Starts at an engine whose containerd dies now and then: an engine that the test plays answers as Docker 20.10 does.
#include "services/worker/runtime_docker.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/engine/forgotten.h"
#include "services/worker/runtime_docker_internal.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 30000
#define LABELS "{\"io.curfew.deployment\":\"d\",\"io.curfew.identity\":\"j1/main/0/1\"}"
#define NETWORK "[{\"Id\":\"n1\",\"Created\":\"2026\",\"Labels\":" LABELS "}]"
#define VERSION(more) "{\"Components\":[{\"Name\":\"Engine\"}" more "]}"
#define CLOSING "{\"message\":\"transport is closing: unavailable\"}"
#define REQUEST_MAX 65536

// ---- the engine: a connection per call, one after the other; those of streams stay open

static struct {
    int listener;
    pthread_t thread;
    bool plays;
    atomic_bool listens; // the thread is through with its start
    // what the first start is answered with
    int refusal_status;
    const char *refusal;
    bool loses_create;          // the first create is not answered
    bool holds_start;           // the second start is not answered before `released`
    bool dies;                  // with the first start, which goes well; at the second one it is there again
    bool runs;                  // the container: until it is killed
    atomic_bool has_containerd; // as it says
    bool miscounts;             // it does not remove the network, and lists nothing in it
    int waits;                  // who waits for its end
    atomic_bool released;
    atomic_int versions, creates, starts, removals, network_removals; // how often they were asked for
    _Atomic int64_t first_start_ms;
    atomic_int attached; // how often
    int streams[8];
    int stream_count; // open ones
} engine;

static void reply(int fd, int status, const char *body)
{
    dprintf(fd, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
}

// The head and as much of the body as it says.
static bool read_request(int fd, char *out)
{
    size_t length = 0, wanted = 0;
    while (length < REQUEST_MAX - 1) {
        ssize_t count = recv(fd, out + length, REQUEST_MAX - 1 - length, 0);
        if (count <= 0)
            return false;
        length += (size_t)count;
        out[length] = '\0';
        const char *end = strstr(out, "\r\n\r\n"), *given = strcasestr(out, "content-length:");
        if (end && wanted == 0)
            wanted = (size_t)(end + 4 - out) + (given && given < end ? strtoul(given + 15, NULL, 10) : 0);
        if (end && strcasestr(out, "expect: 100-continue"))
            dprintf(fd, "HTTP/1.1 100 Continue\r\n\r\n");
        if (end && length >= wanted)
            return true;
    }
    return false;
}

static void answer_create(int fd)
{
    char body[32];
    int number = ++engine.creates;
    if (engine.loses_create && number == 1)
        return;
    snprintf(body, sizeof body, "{\"Id\":\"c%d\"}", number);
    reply(fd, 201, body);
}

static void close_streams(void)
{
    while (engine.stream_count > 0)
        close(engine.streams[--engine.stream_count]);
}

static void answer_start(int fd)
{
    int64_t now_ms = clock_boot_ms();
    engine.starts++;
    if (engine.dies) {
        engine.runs = true;
        close_streams();
        if (engine.starts > 1)
            reply(fd, 304, "");
        return;
    }
    if (engine.starts == 1) {
        engine.first_start_ms = now_ms;
        reply(fd, engine.refusal_status, engine.refusal);
        return;
    }
    while (engine.holds_start && !engine.released)
        poll(NULL, 0, 1);
    reply(fd, 204, "");
    close_streams(); // it has ended
}

static void answer_kill(int fd)
{
    reply(fd, 204, "");
    reply(engine.waits, 200, "{\"StatusCode\":137}");
    engine.runs = false;
    close_streams();
}

static bool is_over(void)
{
    return engine.starts >= 2 && engine.removals >= engine.creates;
}

// Every container has ended well, or is gone.
static void answer_inspect(int fd, const char *request)
{
    char id[16] = "", body[512];
    sscanf(request, "GET /containers/%15[^/]", id);
    if (engine.starts < 2 || is_over()) {
        reply(fd, 404, "{\"message\":\"No such container\"}");
        return;
    }
    snprintf(body, sizeof body,
             "{\"Id\":\"%s\",\"State\":{\"Status\":\"%s\",\"ExitCode\":%d},\"Config\":{\"Labels\":" LABELS "}}", id,
             engine.runs ? "running" : "exited", engine.dies ? 137 : 0);
    reply(fd, 200, body);
}

// True when the connection stays open.
static bool answer(int fd, const char *request)
{
    if (strstr(request, "/attach?")) {
        engine.attached++;
        dprintf(fd, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        return engine.starts < 2 || engine.runs;
    }
    if (strstr(request, "/wait HTTP") && engine.runs) {
        engine.waits = fd;
        return true;
    }
    if (strncmp(request, "POST /containers/create", 23) == 0)
        answer_create(fd);
    else if (strncmp(request, "GET /version", 12) == 0)
        reply(fd, ++engine.versions > 0 ? 200 : 500,
              engine.has_containerd ? VERSION(",{\"Name\":\"containerd\"}") : VERSION(""));
    else if (strstr(request, "/start HTTP"))
        answer_start(fd);
    else if (strstr(request, "/kill?"))
        answer_kill(fd);
    else if (strncmp(request, "GET /networks?", 14) == 0)
        reply(fd, 200, is_over() && !engine.miscounts ? "[]" : NETWORK);
    else if (strncmp(request, "GET /networks/n1", 16) == 0)
        reply(fd, 200, "{\"Containers\":{}}");
    else if (strncmp(request, "DELETE /networks/n1", 19) == 0)
        reply(fd, ++engine.network_removals > 0 ? 403 : 500, "{\"message\":\"n1 has active endpoints\"}");
    else if (strncmp(request, "GET /containers/", 16) == 0)
        answer_inspect(fd, request);
    else if (strncmp(request, "DELETE /containers/", 19) == 0)
        reply(fd, ++engine.removals > 0 ? 204 : 500, "");
    else
        reply(fd, 200, "{\"StatusCode\":0}"); // upload, wait
    return false;
}

// It allocates nothing: the worker forks helpers, which would wait for ever for a lock that this thread has held then.
static void *play(void *context)
{
    static char request[REQUEST_MAX];
    UNUSED(context);
    engine.listens = true;
    for (int fd; (fd = accept4(engine.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        bool stays = read_request(fd, request) && answer(fd, request) && engine.stream_count < 8;
        if (stays)
            engine.streams[engine.stream_count++] = fd;
        else
            close(fd);
    }
    return NULL;
}

// ---- what the machine shows: in place of common/engine/forgotten.c

static struct {
    bool refuses;
} machine;

int engine_forgotten_end(const char *container, struct engine_forgotten *out, struct err *err)
{
    UNUSED(container);
    UNUSED(err);
    *out = (struct engine_forgotten){.found = machine.refuses, .refused = machine.refuses, .refused_pid = 7};
    if (machine.refuses)
        snprintf(out->text, sizeof out->text, "process 7 is there");
    return 0;
}

// ---- the worker's side

struct rig {
    struct loop *loop;
    struct docker_engine *client;
    struct runtime *runtime;
    struct runtime_instance *instance;
    bool started, gone;
    int remains;
    struct runtime_gone end;
};

static void on_started(void *context, struct runtime_instance *instance, const struct runtime_started *started)
{
    UNUSED(instance);
    UNUSED(started);
    ((struct rig *)context)->started = true;
}

static void on_remains(void *context, struct runtime_instance *instance, const char *text)
{
    UNUSED(instance);
    assert_string_equal(text, "process 7 is there");
    ((struct rig *)context)->remains++;
}

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    struct rig *rig = context;
    UNUSED(instance);
    rig->gone = true;
    rig->end = *gone;
}

static void listen_at(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memset(&engine, 0, sizeof engine);
    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", path);
    engine.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(engine.listener, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(engine.listener, 64), 0);
}

static void play_engine(void)
{
    if (engine.plays)
        return;
    assert_int_equal(pthread_create(&engine.thread, NULL, play, NULL), 0);
    engine.plays = true;
    while (!engine.listens)
        poll(NULL, 0, 1);
}

static void start(struct rig *rig, const char *directory)
{
    static const struct runtime_events events = {.started = on_started, .remains = on_remains, .gone = on_gone};
    static const char *const argv[] = {"true", NULL}, *const env[] = {NULL};
    struct err err = {0};
    const struct runtime_spec spec = {.identity = "j1/main/0/1",
                                      .job = "j1",
                                      .name = "main",
                                      .container = true,
                                      .image = "i",
                                      .argv = argv,
                                      .env = env,
                                      .directory = directory,
                                      .stdin_mode = RUNTIME_STDIN_BYTES,
                                      .stdin_bytes = "7\n",
                                      .stdin_length = 2};
    play_engine();
    assert_ok(runtime_extend_lease(rig->runtime, clock_boot_ms() + 10 * WAIT_MS, &err), err);
    assert_ok(runtime_start(rig->runtime, &spec, &events, rig, &rig->instance, &err), err);
}

static void open_rig(struct rig *rig, void **state)
{
    struct err err = {0};
    char url[200], directory[200];
    *rig = (struct rig){0};
    listen_at(temp_path(state, "sock"));
    snprintf(url, sizeof url, "unix:%.150s", temp_path(state, "sock"));
    snprintf(directory, sizeof directory, "%.150s", temp_path(state, "work"));
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_ok(loop_new(&rig->loop, &err), err);
    assert_ok(docker_engine_new(rig->loop, url, &rig->client, &err), err);
    const struct runtime_docker_settings settings = {.loop = rig->loop,
                                                     .engine = rig->client,
                                                     .deployment = "d",
                                                     .worker = "w",
                                                     .owner = "o",
                                                     .address = "127.0.0.1",
                                                     .image_timeout_ms = WAIT_MS};
    assert_ok(runtime_docker_new(&settings, &rig->runtime, &err), err);
}

// The engine refuses the first start.
static void open_refusing(struct rig *rig, void **state, int status, const char *text)
{
    open_rig(rig, state);
    engine.refusal_status = status;
    engine.refusal = text;
}

static void close_rig(struct rig *rig)
{
    runtime_release(rig->instance);
    runtime_free(rig->runtime);
    docker_engine_free(rig->client);
    loop_free(rig->loop);
    shutdown(engine.listener, SHUT_RDWR);
    pthread_join(engine.thread, NULL);
    close(engine.listener);
    close_streams();
}

static void expect_it_ran(struct rig *rig)
{
    assert_true(loop_until_set(rig->loop, &rig->gone, WAIT_MS));
    assert_true(rig->started);
    assert_int_equal(rig->end.reason, RUNTIME_EXITED);
    assert_true(rig->end.exit.known);
    assert_int_equal(rig->end.exit.code, 0);
}

// ---- programs

// containerd was killed when the start was half done: the same container is never started again.
static void a_container_that_was_half_started_is_replaced(void **state)
{
    static const struct {
        int status;
        const char *text;
    } refusals[] = {{500, "{\"message\":\"task c1: already exists: unknown\"}"},
                    {409, "{\"message\":\"id already in use\"}"}};
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct rig rig;
        open_refusing(&rig, state, refusals[i].status, refusals[i].text);
        start(&rig, temp_path(state, "work"));
        expect_it_ran(&rig);
        assert_int_equal(engine.creates, 2);
        assert_int_equal(engine.removals, 2);
        close_rig(&rig);
        unlink(temp_path(state, "sock"));
        rmdir(temp_path(state, "work"));
    }
}

static bool has_looked_thrice(void *context)
{
    return ((struct rig *)context)->remains >= 3;
}

// The start went well in truth, and this user may not end what runs: that is not gone, and the container stays as the
// trace of it, until somebody else has ended it.
static void what_may_not_be_ended_is_looked_for_until_it_is_gone(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 409, "{\"message\":\"id already in use\"}");
    machine.refuses = true;
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until(rig.loop, has_looked_thrice, &rig, WAIT_MS));
    assert_false(rig.gone);
    assert_int_equal(engine.removals, 0);
    assert_int_equal(engine.creates, 1);
    machine.refuses = false;
    expect_it_ran(&rig);
    assert_int_equal(engine.creates, 2);
    assert_int_equal(engine.removals, 2);
    close_rig(&rig);
}

static void a_start_that_containerd_missed_is_tried_again(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500, CLOSING);
    start(&rig, temp_path(state, "work"));
    expect_it_ran(&rig);
    assert_int_equal(engine.creates, 1);
    assert_int_equal(engine.attached, 2); // those of the first start were deaf
    close_rig(&rig);
}

// A network that cannot go does not keep the one who was in it.
static void an_engine_that_has_lost_count_keeps_the_network_alone(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500, CLOSING);
    engine.miscounts = true;
    start(&rig, temp_path(state, "work"));
    expect_it_ran(&rig);
    assert_int_equal(engine.network_removals, 3);
    close_rig(&rig);
}

static bool is_known_to_work(void *context)
{
    return engine_pulse_since_ms(context) > 0;
}

static bool is_in_trouble(void *context)
{
    return *engine_pulse_trouble(context) != '\0';
}

static bool is_started(void *context)
{
    return engine.starts == *(int *)context;
}

static bool is_asked_for_its_version(void *context)
{
    return engine.versions >= *(int *)context;
}

// One start is tried, and none again as long as the engine says that its containerd is away.
static void a_start_that_failed_waits_for_containerd(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500,
                  "{\"message\":\"connection error: desc = transport: dial containerd.sock: unavailable\"}");
    engine.has_containerd = true;
    play_engine();
    struct engine_pulse *pulse = docker_runtime_of(rig.runtime)->pulse;
    engine_pulse_need(pulse, WAIT_MS);
    assert_true(loop_until(rig.loop, is_known_to_work, pulse, WAIT_MS));
    engine.has_containerd = false;
    assert_true(loop_until(rig.loop, is_in_trouble, pulse, WAIT_MS));
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until(rig.loop, is_started, &(int){1}, WAIT_MS));
    int later = engine.versions + 2;
    assert_true(loop_until(rig.loop, is_asked_for_its_version, &later, WAIT_MS));
    assert_int_equal(engine.starts, 1);
    engine.has_containerd = true;
    expect_it_ran(&rig);
    close_rig(&rig);
}

// Trouble with a create, which then went well, is no part of the minute that its start has.
static void patience_begins_anew_when_the_engine_has_answered(void **state)
{
    struct rig rig;
    open_refusing(&rig, state, 500, CLOSING);
    engine.loses_create = engine.holds_start = true;
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until(rig.loop, is_started, &(int){2}, WAIT_MS));
    const struct docker_instance *instance = docker_instance_of(rig.instance);
    assert_true(instance->give_up_at_ms >= engine.first_start_ms + DOCKER_PATIENCE_MS);
    engine.released = true;
    expect_it_ran(&rig);
    close_rig(&rig);
}

// The engine is killed when the container has been started, and is there again before anybody has noticed: what the
// command shall read is lost with the old connection. It would wait for it for ever.
static void a_command_whose_input_is_lost_is_ended(void **state)
{
    struct rig rig;
    open_rig(&rig, state);
    engine.dies = true;
    start(&rig, temp_path(state, "work"));
    assert_true(loop_until_set(rig.loop, &rig.gone, WAIT_MS));
    assert_true(rig.started);
    assert_int_equal(rig.end.reason, RUNTIME_LOST);
    assert_non_null(strstr(rig.end.start_error.text, "while it was given its input"));
    close_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_container_that_was_half_started_is_replaced, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_may_not_be_ended_is_looked_for_until_it_is_gone, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_start_that_containerd_missed_is_tried_again, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(an_engine_that_has_lost_count_keeps_the_network_alone, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_command_whose_input_is_lost_is_ended, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_start_that_failed_waits_for_containerd, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(patience_begins_anew_when_the_engine_has_answered, temp_dir_setup,
                                        temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
