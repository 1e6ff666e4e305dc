#include "services/cli/stack_guard.h"

#include "services/cli/stack_postgres.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "services/common/base/macros.h"
#include "services/common/http/client.h"
#include "services/common/http/target.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ARGUMENT_SIZE (PATH_MAX + 128)
#define START_TIMEOUT_MS 60000
#define LOOK_EVERY_MS 20
#define RESTART_AFTER_MS 100
#define RESTART_MAX_MS 5000
#define FAST_END_MS 10000 // a program that ends sooner after its start has failed to start

struct guard {
    const struct stack_settings *settings;
    const struct stack_paths *paths;
    struct stack_postgres postgres;
    char texts[16][ARGUMENT_SIZE];
    char *argv[STACK_PROGRAM_COUNT][16];
    char *migrate_argv[4];
    struct stack_program programs[STACK_PROGRAM_COUNT];
    struct {
        struct guard *guard;
        struct loop_watch *watch;
        struct loop_timer *restart;
    } slots[STACK_PROGRAM_COUNT];
    char url[STACK_URL_SIZE];
    int port;
    struct loop *loop;
    int owner_fd;
};

// ---- commands

static char *text(struct guard *guard, int index, const char *before, const char *value, const char *after)
{
    snprintf(guard->texts[index], ARGUMENT_SIZE, "%s%s%s", before, value, after);
    return guard->texts[index];
}

// The programs lie beside this one.
static int find_programs(struct guard *guard, struct err *err)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length < 0)
        return err_errno(err, ERR_IO, errno, "own path");
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    text(guard, 0, "", own, "/curfew-jobmanager");
    text(guard, 1, "", own, "/curfew-reaper");
    text(guard, 2, "", own, "/curfew-worker");
    for (int i = 0; i < 3; i++)
        if (access(guard->texts[i], X_OK) < 0)
            return err_set(err, ERR_NOT_FOUND, "program '%.200s' is not there", guard->texts[i]);
    return 0;
}

static void set_argv(char **argv, size_t capacity, char *const *words)
{
    size_t count = 0;
    while (words[count] && count + 1 < capacity) {
        argv[count] = words[count];
        count++;
    }
    argv[count] = NULL;
}

static int compose_commands(struct guard *guard, struct err *err)
{
    const struct stack_paths *paths = guard->paths;
    AUTO_STRBUF struct strbuf host = STRBUF_INIT;
    char number[16];
    http_escape(&host, paths->sockets); // its directory may have any name
    if (strbuf_ok(&host, err) < 0)
        return -1;
    char *database = text(guard, 3, "--database-url=postgresql:///postgres?host=", strbuf_text(&host), "&user=curfew");
    char *postgres[] = {text(guard, 4, "", guard->postgres.server, ""),
                        "-D",
                        text(guard, 5, "", paths->cluster, ""),
                        "-k",
                        text(guard, 6, "", paths->sockets, ""),
                        "-c",
                        "listen_addresses=",
                        "-c",
                        "unix_socket_permissions=0700",
                        NULL};
    snprintf(number, sizeof number, "%d", guard->port);
    char *jobmanager[] = {guard->texts[0],
                          "serve",
                          database,
                          text(guard, 7, "--listen=127.0.0.1:", number, ""),
                          text(guard, 8, "--port-file=", paths->run, "/port"),
                          NULL};
    char *reaper[] = {guard->texts[1], database, NULL};
    snprintf(number, sizeof number, "%d", guard->settings->slots);
    char *worker[] = {guard->texts[2],
                      text(guard, 9, "--server=", guard->url, ""),
                      text(guard, 10, "--state-dir=", paths->worker, ""),
                      text(guard, 11, "--slots=", number, ""),
                      "--drain-timeout=5s",
                      NULL};
    char *migrate[] = {guard->texts[0], "migrate", database, NULL};
    set_argv(guard->argv[STACK_POSTGRES], 16, postgres);
    set_argv(guard->argv[STACK_JOBMANAGER], 16, jobmanager);
    set_argv(guard->argv[STACK_REAPER], 16, reaper);
    set_argv(guard->argv[STACK_WORKER], 16, worker);
    set_argv(guard->migrate_argv, 4, migrate);
    return 0;
}

static void init_programs(struct guard *guard)
{
    for (int i = 0; i < STACK_PROGRAM_COUNT; i++) {
        guard->slots[i].guard = guard;
        guard->programs[i] = (struct stack_program){.name = stack_kinds[i].name,
                                                    .argv = guard->argv[i],
                                                    .uid = geteuid(),
                                                    .gid = getegid(),
                                                    .stop_signal = stack_kinds[i].stop_signal,
                                                    .pidfd = -1};
    }
    guard->programs[STACK_POSTGRES].uid = guard->postgres.uid;
    guard->programs[STACK_POSTGRES].gid = guard->postgres.gid;
}

// ---- start

static bool owner_has_gone(const struct guard *guard)
{
    struct pollfd owner = {.fd = guard->owner_fd, .events = POLLIN | POLLRDHUP};
    return guard->owner_fd >= 0 && poll(&owner, 1, 0) > 0;
}

// Asks the server again and again until `accept` likes the answer. Fails when one of the programs has ended meanwhile.
static int wait_for(struct guard *guard, const char *path, bool (*accept)(const struct http_response *),
                    struct err *err)
{
    const struct http_client_settings settings = {.base_url = guard->url, .timeout_ms = 2000};
    struct http_client *client = NULL;
    if (http_client_new(&settings, &client, err) < 0)
        return -1;
    int64_t until_ms = clock_boot_ms() + START_TIMEOUT_MS;
    int outcome = -1;
    for (;;) {
        AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
        int status;
        if (http_get(client, path, &response, err) == 0 && accept(&response)) {
            outcome = 0;
            break;
        }
        int ended = -1;
        for (int i = 0; i < STACK_PROGRAM_COUNT && ended < 0; i++)
            if (guard->programs[i].pid > 0 && stack_program_reap(&guard->programs[i], &status))
                ended = i;
        if (ended >= 0) {
            stack_program_explain(&guard->programs[ended], guard->paths->log, status, err);
            break;
        }
        if (clock_boot_ms() > until_ms || owner_has_gone(guard)) {
            err_set(err, ERR_TIMEOUT, "the stack is not ready after %d s (logs: %.160s)", START_TIMEOUT_MS / 1000,
                    guard->paths->log);
            break;
        }
        poll(NULL, 0, LOOK_EVERY_MS);
    }
    http_client_free(client);
    return outcome;
}

static bool is_ready(const struct http_response *response)
{
    return response->status == 200;
}

static bool has_worker(const struct http_response *response)
{
    return response->status == 200 && strstr(strbuf_text(&response->body), "\"ready\"");
}

// Its process is recorded, so that a later stack_up() or stack_down() finds it when this guard is killed. Without a
// record it would be the kernel alone that ends it: not a reason to fail.
static int start(struct guard *guard, int index, struct err *err)
{
    struct stack_process process;
    char path[PATH_MAX];
    stack_process_path(guard->paths, stack_kinds[index].name, path);
    if (stack_program_start(&guard->programs[index], guard->paths->log, err) < 0)
        return -1;
    if (stack_process_of(guard->programs[index].pid, &process, NULL) == 0)
        UNUSED(stack_process_write(path, &process, NULL) < 0);
    return 0;
}

static int migrate(struct guard *guard, struct err *err)
{
    struct stack_program program = {.name = "migrate",
                                    .argv = guard->migrate_argv,
                                    .uid = geteuid(),
                                    .gid = getegid(),
                                    .stop_signal = SIGTERM,
                                    .pidfd = -1};
    return stack_program_run(&program, guard->paths->log, START_TIMEOUT_MS, err);
}

// Waits until the job manager listens, and not somebody else on the port that was asked for. Later starts of it take
// the same port.
static int learn_port(struct guard *guard, struct err *err)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/port", guard->paths->run);
    int64_t until_ms = clock_boot_ms() + START_TIMEOUT_MS;
    for (;;) {
        AUTO_FREE char *content = NULL;
        size_t length;
        int status, port = 0;
        if (access(path, F_OK) == 0 && file_read(path, 64, &content, &length, err) == 0)
            port = atoi(content);
        if (port != 0) {
            guard->port = port;
            break;
        }
        if (stack_program_reap(&guard->programs[STACK_JOBMANAGER], &status))
            return stack_program_explain(&guard->programs[STACK_JOBMANAGER], guard->paths->log, status, err);
        if (clock_boot_ms() > until_ms)
            return err_set(err, ERR_TIMEOUT, "the job manager does not listen (log: %.160s/jobmanager.log)",
                           guard->paths->log);
        poll(NULL, 0, LOOK_EVERY_MS);
    }
    snprintf(guard->url, sizeof guard->url, "http://127.0.0.1:%d", guard->port);
    return compose_commands(guard, err);
}

static int forget_port(struct guard *guard, struct err *err)
{
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/port", guard->paths->run);
    return unlink(path) == 0 || errno == ENOENT ? 0 : err_errno(err, ERR_IO, errno, "'%.200s'", path);
}

static int start_all(struct guard *guard, struct err *err)
{
    if (stack_postgres_find(&guard->postgres, err) < 0 || find_programs(guard, err) < 0 ||
        stack_postgres_prepare(&guard->postgres, guard->paths, err) < 0 || forget_port(guard, err) < 0 ||
        compose_commands(guard, err) < 0)
        return -1;
    init_programs(guard);
    if (start(guard, STACK_POSTGRES, err) < 0 || migrate(guard, err) < 0)
        return -1;
    if (start(guard, STACK_JOBMANAGER, err) < 0 || learn_port(guard, err) < 0 ||
        wait_for(guard, "/readyz", is_ready, err) < 0)
        return -1;
    if (start(guard, STACK_REAPER, err) < 0 || start(guard, STACK_WORKER, err) < 0 ||
        wait_for(guard, "/v1/workers", has_worker, err) < 0)
        return -1;
    return file_replace(guard->paths->server_file, guard->url, strlen(guard->url), 0644, err);
}

// ---- what dies is started again

static void watch(struct guard *guard, int index);

static int index_of(const struct guard *guard, const void *slot)
{
    for (int i = 0; i < STACK_PROGRAM_COUNT; i++)
        if (slot == (const void *)&guard->slots[i])
            return i;
    return 0;
}

static void on_restart(void *context)
{
    struct guard *guard = *(struct guard **)context;
    int index = index_of(guard, context);
    struct err err;
    if (start(guard, index, &err) == 0)
        watch(guard, index);
    else
        loop_timer_arm(guard->slots[index].restart, clock_boot_ms() + RESTART_MAX_MS);
}

static void on_ended(void *context, int fd, uint32_t events)
{
    UNUSED(fd);
    UNUSED(events);
    struct guard *guard = *(struct guard **)context;
    int index = index_of(guard, context), status;
    struct stack_program *program = &guard->programs[index];
    struct loop_watch *watched = guard->slots[index].watch;
    bool soon = clock_boot_ms() - program->started_at_ms < FAST_END_MS;
    guard->slots[index].watch = NULL;
    loop_watch_remove(watched); // before its descriptor is closed
    stack_program_reap(program, &status);
    stack_program_note_restart(program, guard->paths->log, status);
    program->failures = soon ? program->failures + 1 : 0;
    int64_t pause_ms = (int64_t)RESTART_AFTER_MS << MIN(program->failures, 6U);
    loop_timer_arm(guard->slots[index].restart, clock_boot_ms() + MIN(pause_ms, (int64_t)RESTART_MAX_MS));
}

static void watch(struct guard *guard, int index)
{
    struct err err;
    if (loop_watch_add(guard->loop, guard->programs[index].pidfd, EPOLLIN, on_ended, &guard->slots[index],
                       &guard->slots[index].watch, &err) < 0)
        loop_stop(guard->loop); // better an end than a stack that nobody looks after
}

static void on_signal(void *context, int signal_number)
{
    UNUSED(signal_number);
    loop_stop(((struct guard *)context)->loop);
}

static void on_owner(void *context, int fd, uint32_t events)
{
    UNUSED(fd);
    UNUSED(events);
    loop_stop(((struct guard *)context)->loop);
}

static int prepare_loop(struct guard *guard, struct err *err)
{
    const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct loop_watch *owner;
    if (loop_new(&guard->loop, err) < 0 ||
        loop_signals(guard->loop, signals, ARRAY_LEN(signals), on_signal, guard, err) < 0)
        return -1;
    if (guard->owner_fd >= 0 &&
        loop_watch_add(guard->loop, guard->owner_fd, EPOLLIN | EPOLLRDHUP, on_owner, guard, &owner, err) < 0)
        return -1;
    for (int i = 0; i < STACK_PROGRAM_COUNT; i++)
        if (loop_timer_add(guard->loop, on_restart, &guard->slots[i], &guard->slots[i].restart, err) < 0)
            return -1;
    return 0;
}

// ---- end

static void end_program(struct guard *guard, int index)
{
    struct stack_program *program = &guard->programs[index];
    char path[PATH_MAX];
    int status;
    if (program->pid == 0)
        return;
    stack_program_signal(program, program->stop_signal);
    int64_t until_ms = clock_boot_ms() + stack_kinds[index].patience_ms;
    struct pollfd ended = {.fd = program->pidfd, .events = POLLIN};
    while (!stack_program_reap(program, &status)) {
        if (clock_boot_ms() > until_ms)
            stack_program_signal(program, SIGKILL);
        poll(&ended, 1, 1000);
    }
    stack_process_path(guard->paths, stack_kinds[index].name, path);
    unlink(path);
}

// A temporary directory of a stack that failed to come up stays: somebody may want to read the log.
static void end_all(struct guard *guard, bool was_up)
{
    unlink(guard->paths->server_file);
    for (int i = STACK_PROGRAM_COUNT - 1; i >= 0; i--)
        end_program(guard, i);
    if (guard->settings->is_temporary && (was_up || owner_has_gone(guard)))
        UNUSED(tree_remove(guard->paths->directory, NULL) < 0);
    else
        unlink(guard->paths->guard_file);
}

// Whether whoever waits for it is still there.
static bool say(int fd, const char *word, const char *rest)
{
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s\n", word, rest);
    bool heard = fd_write_all(fd, line, (size_t)MIN(length, (int)sizeof line - 1), NULL) == 0;
    close(fd);
    return heard;
}

int stack_guard_run(const struct stack_settings *settings, const struct stack_paths *paths, int report_fd, int owner_fd)
{
    static struct guard guard;
    struct stack_process self;
    struct err err = {0};
    signal(SIGPIPE, SIG_IGN);
    unsetenv("CURFEW_TOKEN_COMMAND");
    unsetenv("CURFEW_TOKEN_FILE"); // whoever has one for another manager: ours is on loopback, and asks for none
    guard = (struct guard){.settings = settings, .paths = paths, .port = settings->port, .owner_fd = owner_fd};
    if (prepare_loop(&guard, &err) < 0 || stack_process_of(getpid(), &self, &err) < 0 ||
        stack_process_write(paths->guard_file, &self, &err) < 0 || start_all(&guard, &err) < 0) {
        end_all(&guard, false);
        say(report_fd, "failed", err.text);
        return 1;
    }
    for (int i = 0; i < STACK_PROGRAM_COUNT; i++)
        watch(&guard, i);
    // Interrupted while it waited: nobody knows of this stack.
    int outcome = say(report_fd, "up", guard.url) ? loop_run(guard.loop, &err) : 0;
    end_all(&guard, true);
    loop_free(guard.loop);
    return outcome < 0 ? 1 : 0;
}
