// Workers whose container engine cannot be used: they go on without it, and say what is wrong and what to do, in their
// log and to whoever asks why a job is not further. Needs no engine.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "tests/support/process.h"
#include "tests/support/system_calls.h"
#include "tests/support/temp_dir.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 60000

static struct system *curfew;
static char *directory;

// ---- engines

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

// Answers every request with the same.
struct fake {
    int listener;
    const char *body;
    pthread_t thread;
};

static void *serve(void *context)
{
    const struct fake *fake = context;
    for (int fd; (fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0; close(fd)) {
        char request[4096], reply[512];
        if (read(fd, request, sizeof request) <= 0)
            continue;
        int length = snprintf(reply, sizeof reply,
                              "HTTP/1.1 200 OK\r\nApi-Version: 1.30\r\nContent-Type: application/json\r\n"
                              "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                              strlen(fake->body), fake->body);
        if (send(fd, reply, (size_t)length, MSG_NOSIGNAL) < 0)
            continue;
    }
    return NULL;
}

static void fake_start(struct fake *fake, const char *path, const char *body)
{
    fake->listener = listen_at(path);
    fake->body = body;
    assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static void fake_stop(struct fake *fake)
{
    shutdown(fake->listener, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
}

// ---- workers

struct case_worker {
    const char *name, *user;
    char socket[64];
    struct process *process;
};

static void make_directory(const char *path, mode_t mode)
{
    assert_int_equal(mkdir(path, mode), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void start_worker(struct case_worker *worker)
{
    char programs[96], program[128], server[96], name[64], queues[64], state[128], engine[128];
    snprintf(programs, sizeof programs, "%s/bin", directory);
    snprintf(program, sizeof program, "%s/curfew-worker", programs);
    snprintf(server, sizeof server, "--server=%s", system_program_url(curfew, 0));
    snprintf(name, sizeof name, "--name=%s", worker->name);
    snprintf(queues, sizeof queues, "--queues=%s", worker->name);
    snprintf(state, sizeof state, "--state-dir=%s/%s", directory, worker->name);
    snprintf(engine, sizeof engine, "--engine=unix://%s", worker->socket);
    make_directory(state + strlen("--state-dir="), 0777);
    const char *const argv[] = {program, server, name, queues, state, engine, "--slots=4", NULL};
    worker->process = process_start(argv, &(struct process_options){.user = worker->user});
}

// Whoever the worker runs as can read its programs.
static void copy_programs(void)
{
    char programs[96];
    snprintf(programs, sizeof programs, "%s/bin", directory);
    make_directory(programs, 0755);
    static const char *const names[] = {"curfew-worker", "curfew-shim"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *const argv[] = {"cp", program_path(names[i]), programs, NULL};
        assert_int_equal(process_run(argv, NULL), 0);
    }
}

struct wanted_why {
    const char *id, *part;
};

static bool why_says(void *context)
{
    const struct wanted_why *wanted = context;
    AUTO_FREE char *text = system_stream(curfew, "/v1/jobs/%s/why", wanted->id);
    return strstr(text, wanted->part) != NULL;
}

// A job with a stage in a container waits, and says so; one without runs.
static void check(struct case_worker *worker, const char *part)
{
    char container[SYSTEM_ID_SIZE], plain[SYSTEM_ID_SIZE];
    start_worker(worker);
    if (!process_wait_output(worker->process, part, WAIT_MS))
        fail_msg("the worker does not say '%s': %s", part, process_stderr(worker->process));
    system_submit(curfew, plain, "{'name':'plain','queue':'%s','command':['true']}", worker->name);
    system_submit(curfew, container,
                  "{'name':'container','queue':'%s','runtime':'docker','image':'alpine:3','command':['true']}",
                  worker->name);
    json_object_put(system_wait_closed_as(curfew, plain, "succeeded", WAIT_MS));
    struct wanted_why wanted = {container, part};
    if (!wait_until(why_says, &wanted, WAIT_MS))
        system_explain(curfew, container);
    AUTO_JSON_OBJECT struct json_object *why = system_get(curfew, "/v1/jobs/%s/why", container);
    print_message("%s\n", json_object_to_json_string(why));
    assert_string_equal(json_text_at(why, "/code"), "no_worker_with_runtime");
    assert_non_null(strstr(json_text_at(why, "/message"), part));
    system_stop(curfew, container);
    json_object_put(system_wait_closed_as(curfew, container, "stopped", WAIT_MS));
    process_free(worker->process);
}

static void at(struct case_worker *worker, const char *name)
{
    worker->name = name;
    snprintf(worker->socket, sizeof worker->socket, "%s/%s.sock", directory, name);
}

// ---- tests

static void test_no_engine(void **state)
{
    struct case_worker worker = {0};
    UNUSED(state);
    at(&worker, "none");
    check(&worker, "there is no");
}

static void test_nobody_listens(void **state)
{
    struct case_worker worker = {0};
    UNUSED(state);
    at(&worker, "dead");
    close(listen_at(worker.socket));
    check(&worker, "no container engine answers");
}

static void test_not_permitted(void **state)
{
    struct case_worker worker = {.user = "nobody"};
    UNUSED(state);
    at(&worker, "forbidden");
    int listener AUTO_CLOSE = listen_at(worker.socket);
    assert_true(listener >= 0);
    UNUSED(listener);
    assert_int_equal(chmod(worker.socket, geteuid() == 0 ? 0600 : 0), 0);
    check(&worker, "this user may not use the container engine");
}

static void test_too_old(void **state)
{
    struct case_worker worker = {0};
    struct fake fake;
    UNUSED(state);
    at(&worker, "old");
    fake_start(&fake, worker.socket, "{\"Version\":\"17.06.2-ce\",\"ApiVersion\":\"1.30\",\"MinAPIVersion\":\"1.12\"}");
    check(&worker, "too old: it has API 1.30");
    fake_stop(&fake);
}

static void test_something_else(void **state)
{
    struct case_worker worker = {0};
    struct fake fake;
    UNUSED(state);
    at(&worker, "other");
    fake_start(&fake, worker.socket, "[\"hello\"]");
    check(&worker, "is no container engine");
    fake_stop(&fake);
}

static int set_up(void **state)
{
    UNUSED(state);
    directory = temp_dir_new();
    assert_int_equal(chmod(directory, 0755), 0);
    copy_programs();
    curfew = system_start(&(struct system_plan){0});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    int violations = system_violations(curfew);
    system_free(curfew);
    temp_dir_free(directory);
    return violations;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_engine), cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_not_permitted),
        cmocka_unit_test(test_too_old),   cmocka_unit_test(test_something_else),
    };
    return cmocka_run_group_tests_name("bad engines", tests, set_up, tear_down);
}
