#include "services/cli/stack_paths.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "/.s.PGSQL.5432"

static int absolute(const char *directory, char *out, size_t size, struct err *err)
{
    char here[PATH_MAX / 2] = "";
    if (*directory != '/' && !getcwd(here, sizeof here))
        return err_errno(err, ERR_IO, errno, "current directory");
    int length = snprintf(out, size, "%s%s%s", here, *directory == '/' ? "" : "/", directory);
    if (*directory == '\0' || length >= (int)size)
        return err_set(err, ERR_INVALID, "directory '%.60s' is empty or too long", directory);
    while (length > 1 && out[length - 1] == '/')
        out[--length] = '\0';
    return 0;
}

int stack_paths_init(struct stack_paths *paths, const char *directory, struct err *err)
{
    if (absolute(directory, paths->directory, sizeof paths->directory, err) < 0)
        return -1;
    snprintf(paths->cluster, sizeof paths->cluster, "%s/pg", paths->directory);
    snprintf(paths->run, sizeof paths->run, "%s/run", paths->directory);
    snprintf(paths->sockets, sizeof paths->sockets, "%s/run/pg", paths->directory);
    snprintf(paths->log, sizeof paths->log, "%s/log", paths->directory);
    snprintf(paths->worker, sizeof paths->worker, "%s/worker", paths->directory);
    snprintf(paths->server_file, sizeof paths->server_file, "%s/run/server", paths->directory);
    snprintf(paths->guard_file, sizeof paths->guard_file, "%s/run/guard", paths->directory);
    snprintf(paths->lock_file, sizeof paths->lock_file, "%s/run/lock", paths->directory);
    if (strchr(paths->directory, ','))
        return err_set(err, ERR_INVALID, "directory '%.120s' has a comma, where PostgreSQL would cut its socket's path",
                       paths->directory);
    size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (strlen(paths->sockets) + sizeof SOCKET_NAME > room)
        return err_set(err, ERR_INVALID, "directory '%.120s' is too long: a socket in it may have %zu bytes",
                       paths->directory, room - 1);
    return 0;
}

void stack_process_path(const struct stack_paths *paths, const char *name, char out[static PATH_MAX])
{
    snprintf(out, PATH_MAX, "%.2100s/%.64s.process", paths->run, name);
}

int stack_process_of(pid_t pid, struct stack_process *out, struct err *err)
{
    struct process_stat stat;
    if (process_boot_id(out->boot, err) < 0)
        return -1;
    if (process_stat_read(pid, &stat) < 0)
        return err_set(err, ERR_NOT_FOUND, "there is no process %d", (int)pid);
    out->pid = pid;
    out->start_time = stat.start_time;
    return 0;
}

int stack_process_write(const char *path, const struct stack_process *process, struct err *err)
{
    char text[128];
    int length =
        snprintf(text, sizeof text, "%d %" PRId64 " %s\n", (int)process->pid, process->start_time, process->boot);
    return file_replace(path, text, (size_t)length, 0600, err);
}

static int read_process(const char *path, struct stack_process *out, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    if (access(path, F_OK) < 0)
        return err_set(err, ERR_NOT_FOUND, "there is no '%.200s'", path);
    if (file_read(path, 256, &text, &length, err) < 0)
        return -1;
    int pid;
    if (sscanf(text, "%d %" SCNd64 " %36s", &pid, &out->start_time, out->boot) != 3 || pid <= 1)
        return err_set(err, ERR_INVALID, "'%.200s' does not name a process", path);
    out->pid = pid;
    return 0;
}

int stack_process_open(const char *path, int *pidfd, struct err *err)
{
    struct stack_process named, found;
    if (read_process(path, &named, err) < 0)
        return -1;
    AUTO_CLOSE int fd = pidfd_open(named.pid, 0); // held before it is compared, so that it cannot become another's
    if (fd < 0 || stack_process_of(named.pid, &found, NULL) < 0 || found.start_time != named.start_time ||
        strcmp(found.boot, named.boot) != 0)
        return err_set(err, ERR_NOT_FOUND, "process %d of '%.160s' has ended", (int)named.pid, path);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (poll(&ended, 1, 0) != 0) // nobody has asked for its exit status yet
        return err_set(err, ERR_NOT_FOUND, "process %d of '%.160s' has ended", (int)named.pid, path);
    *pidfd = TAKE_FD(fd);
    return 0;
}
