#include "services/cli/stack.h"

#include "services/cli/stack_guard.h"
#include "services/cli/stack_paths.h"
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

// Held while the stack is up: inherited by the guard, closed by everybody else.
static int take_lock(const struct stack_paths *paths, int *lock_fd, struct err *err)
{
    *lock_fd = open(paths->lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock_fd < 0)
        return err_errno(err, ERR_IO, errno, "'%.200s'", paths->lock_file);
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK
               ? err_set(err, ERR_CONFLICT, "the stack in '%.160s' is being started or ended", paths->directory)
               : err_errno(err, ERR_IO, errno, "'%.200s'", paths->lock_file);
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
    if (take_lock(&paths, &lock_fd, err) < 0 || start_guard(settings, &paths, &report_fd, err) < 0 ||
        read_report(report_fd, url, err) < 0)
        return -1;
    return STACK_STARTED;
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
            return 1;
        *err = reason;
        return -1;
    }
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
        return err_errno(err, ERR_IO, errno, "the stack's guard cannot be told to end");
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (poll(&ended, 1, DOWN_TIMEOUT_MS) > 0)
        return 0;
    return err_set(err, ERR_TIMEOUT, "the stack in '%.180s' has not ended (logs: %.200s)", directory, paths.log);
}
