#include "services/cli/stack.h"

#include "services/cli/stack_guard.h"
#include "services/cli/stack_paths.h"
#include "services/cli/stack_program.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOWN_TIMEOUT_MS 240000
#define LOCK_TIMEOUT_MS 120000
#define LOOK_EVERY_MS 20
#define LINE_SIZE 512

int stack_url(const char *directory, char url[static STACK_URL_SIZE], struct err *err)
{
    struct stack_paths paths;
    AUTO_CLOSE int pidfd = -1;
    AUTO_FREE char *text = NULL;
    size_t length;
    if (stack_paths_init(&paths, directory, err) < 0 || stack_process_open(paths.guard_file, &pidfd, err) < 0)
        return -1;
    if (access(paths.server_file, F_OK) < 0)
        return err_set(err, ERR_NOT_FOUND, "the stack in '%.180s' is not up", directory);
    if (file_read(paths.server_file, STACK_URL_SIZE - 1, &text, &length, err) < 0)
        return -1;
    snprintf(url, STACK_URL_SIZE, "%s", text);
    return 0;
}

// In the guard's process: away from the caller's terminal and descriptors, which it must not keep open.
static void detach(const struct stack_settings *settings)
{
    int null = open("/dev/null", O_RDWR);
    setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
        _exit(1);
    if (!settings->foreground_ends && chdir("/") < 0)
        _exit(1);
}

// Forks the guard; *report_fd brings its one line. `lock_fd` is held by the guard for as long as it lives.
static int start_guard(const struct stack_settings *settings, const struct stack_paths *paths, int *report_fd,
                       struct err *err)
{
    int report[2], owner[2] = {-1, -1};
    if (pipe2(report, O_CLOEXEC) < 0 || (settings->foreground_ends && pipe2(owner, O_CLOEXEC) < 0))
        return err_errno(err, ERR_IO, errno, "pipe");
    pid_t pid = fork();
    if (pid < 0)
        return err_errno(err, ERR_IO, errno, "fork");
    if (pid == 0) {
        close(report[0]);
        if (owner[1] >= 0)
            close(owner[1]);
        if (!settings->foreground_ends && fork() != 0) // the caller has no child to wait for
            _exit(0);
        detach(settings);
        _exit(stack_guard_run(settings, paths, report[1], owner[0]));
    }
    close(report[1]);
    if (owner[0] >= 0)
        close(owner[0]); // owner[1] stays open until this process ends
    if (!settings->foreground_ends)
        waitpid(pid, NULL, 0);
    *report_fd = report[0];
    return 0;
}

static int read_report(int fd, char url[static STACK_URL_SIZE], struct err *err)
{
    AUTO_FREE char *line = NULL;
    size_t length;
    if (fd_read_all(fd, LINE_SIZE, &line, &length, err) < 0)
        return -1;
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "up ", 3) == 0) {
        snprintf(url, STACK_URL_SIZE, "%s", line + 3);
        return 0;
    }
    if (strncmp(line, "failed ", 7) == 0)
        return err_set(err, ERR_INTERNAL, "%s", line + 7);
    return err_set(err, ERR_INTERNAL, "the stack's guard ended without a word");
}

// Held while the stack is up: inherited by the guard, closed by everybody else. Waits for whoever starts or ends the
// stack right now; when that comes up, *url is its address and 1 is returned. 0: the lock is ours.
static int take_lock(const struct stack_paths *paths, int *lock_fd, char url[static STACK_URL_SIZE], struct err *err)
{
    int64_t until_ms = clock_boot_ms() + LOCK_TIMEOUT_MS;
    *lock_fd = open(paths->lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock_fd < 0)
        return err_errno(err, ERR_IO, errno, "'%.200s'", paths->lock_file);
    while (flock(*lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(err, ERR_IO, errno, "'%.200s'", paths->lock_file);
        if (stack_url(paths->directory, url, NULL) == 0)
            return 1;
        if (clock_boot_ms() > until_ms)
            return err_set(err, ERR_CONFLICT, "the stack in '%.160s' is being started or ended", paths->directory);
        poll(NULL, 0, LOOK_EVERY_MS);
    }
    return 0;
}

// Whether the process has ended before the time was over. A signal, such as the first Ctrl-C, does not end the wait.
static bool has_ended(int pidfd, int64_t patience_ms)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int64_t until_ms = clock_boot_ms() + patience_ms;
    int outcome;
    do
        outcome = poll(&ended, 1, (int)MAX(until_ms - clock_boot_ms(), (int64_t)0));
    while (outcome < 0 && errno == EINTR);
    return outcome > 0;
}

// Asks a process to end, and kills it when it does not in time.
static void end_process(int pidfd, const struct stack_kind *kind)
{
    pidfd_send_signal(pidfd, kind->stop_signal, NULL, 0);
    if (has_ended(pidfd, kind->patience_ms))
        return;
    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    has_ended(pidfd, kind->patience_ms);
}

// What a guard that was killed has left behind. With the lock held.
static void end_leftovers(const struct stack_paths *paths)
{
    unlink(paths->server_file);
    for (int i = STACK_PROGRAM_COUNT - 1; i >= 0; i--) {
        AUTO_CLOSE int pidfd = -1;
        char path[PATH_MAX];
        stack_process_path(paths, stack_kinds[i].name, path);
        if (stack_process_open(path, &pidfd, NULL) == 0)
            end_process(pidfd, &stack_kinds[i]);
        unlink(path);
    }
    unlink(paths->guard_file);
}

int stack_up(const struct stack_settings *settings, char url[static STACK_URL_SIZE], struct err *err)
{
    struct stack_paths paths;
    AUTO_CLOSE int lock_fd = -1, report_fd = -1;
    if (stack_paths_init(&paths, settings->directory, err) < 0 || dir_make(paths.directory, 0711, err) < 0 ||
        dir_make(paths.run, 0711, err) < 0)
        return -1;
    if (stack_url(settings->directory, url, NULL) == 0)
        return STACK_WAS_UP;
    int came_up = take_lock(&paths, &lock_fd, url, err);
    if (came_up != 0)
        return came_up < 0 ? -1 : STACK_WAS_UP;
    end_leftovers(&paths);
    if (start_guard(settings, &paths, &report_fd, err) < 0 || read_report(report_fd, url, err) < 0)
        return -1;
    return STACK_STARTED;
}

// A guard that was killed while it ended: unless somebody else has seen to it already.
static void clear_after_end(const struct stack_paths *paths)
{
    AUTO_CLOSE int lock_fd = open(paths->lock_file, O_RDWR | O_CLOEXEC);
    if (lock_fd >= 0 && flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
        end_leftovers(paths);
}

// There is no guard, or not yet.
static int clear(const struct stack_paths *paths, struct err *err)
{
    AUTO_CLOSE int lock_fd = -1;
    char url[STACK_URL_SIZE];
    if (access(paths->run, F_OK) < 0)
        return STACK_WAS_NEVER;
    int came_up = take_lock(paths, &lock_fd, url, err);
    if (came_up != 0)
        return came_up < 0 ? -1 : stack_down(paths->directory, err);
    end_leftovers(paths);
    return STACK_WAS_DOWN;
}

int stack_down(const char *directory, struct err *err)
{
    struct stack_paths paths;
    struct err reason;
    AUTO_CLOSE int pidfd = -1;
    if (stack_paths_init(&paths, directory, err) < 0)
        return -1;
    if (stack_process_open(paths.guard_file, &pidfd, &reason) < 0) {
        if (reason.code == ERR_NOT_FOUND)
            return clear(&paths, err);
        *err = reason;
        return -1;
    }
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
        return err_errno(err, ERR_IO, errno, "the stack's guard cannot be told to end");
    if (!has_ended(pidfd, DOWN_TIMEOUT_MS))
        return err_set(err, ERR_TIMEOUT, "the stack in '%.100s' has not ended (logs: %.100s)", directory, paths.log);
    clear_after_end(&paths);
    return STACK_ENDED;
}
