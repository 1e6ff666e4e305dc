#include "services/common/engine/forgotten.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_DIGITS 64
#define CGROUPS_MAX 16384

bool engine_forgotten_is_in(const char *cgroups, const char *container)
{
    if (strspn(container, "0123456789abcdef") != ID_DIGITS || container[ID_DIGITS] != '\0')
        return false;
    for (const char *at = cgroups; (at = strstr(at, container)); at++) {
        bool begins = at > cgroups && strchr("/-", at[-1]); // ".../ID" or ".../docker-ID.scope"
        if (begins && (at[ID_DIGITS] == '\0' || strchr("/.\n", at[ID_DIGITS])))
            return true;
    }
    return false;
}

// Zombies run no more.
static bool runs_in(pid_t pid, const char *container)
{
    char path[40], text[CGROUPS_MAX];
    struct process_stat stat;
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (length <= 0)
        return false;
    text[length] = '\0';
    return engine_forgotten_is_in(text, container) && process_stat_read(pid, &stat) == 0 && stat.state != 'Z';
}

static void send_to(pid_t pid, const char *container, int signal_number, struct engine_forgotten *out)
{
    AUTO_CLOSE int held = process_open(pid);
    if (held < 0 || !runs_in(pid, container)) // held now: what is read is of the process that the signal would go to
        return;
    out->found++;
    if (process_send(held, signal_number) == 0 || errno != EPERM)
        return;
    if (out->refused++ == 0)
        out->refused_pid = pid;
}

static void say(const char *container, struct engine_forgotten *out)
{
    if (out->refused > 0)
        snprintf(out->text, sizeof out->text,
                 "process %d of container %.12s is there still, its engine has forgotten it, and this user may not end "
                 "it: `kill -9 %d` as root",
                 (int)out->refused_pid, container, (int)out->refused_pid);
}

static int send_to_all(const char *container, int signal_number, struct engine_forgotten *out, struct err *err)
{
    struct process_walk walk;
    *out = (struct engine_forgotten){0};
    if (process_walk_begin(&walk, err) < 0)
        return -1;
    for (pid_t pid; (pid = process_walk_next(&walk)) > 0;)
        if (runs_in(pid, container))
            send_to(pid, container, signal_number, out);
    process_walk_end(&walk);
    say(container, out);
    return 0;
}

int engine_forgotten_end(const char *container, struct engine_forgotten *out, struct err *err)
{
    return send_to_all(container, SIGKILL, out, err);
}

int engine_forgotten_look(const char *container, struct engine_forgotten *out, struct err *err)
{
    return send_to_all(container, 0, out, err);
}
