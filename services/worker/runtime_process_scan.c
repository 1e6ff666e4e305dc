// The independent listing: who carries a marker in its environment, or descends from one that does. It relies on
// nothing that a shim said, no record and no parenthood of ours.
//
// Programs that write their title over their environment (redis-server, nginx) lose the marker; they are found as
// descendants of their shim or init, which keep it, and by their cgroup (see process_inspect).
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRON_MAX (256 * 1024)
#define DEPTH_MAX 4096

// A pid alone could be somebody else's a moment later.
struct entry {
    pid_t pid;
    int64_t start_time;
};

struct entries {
    struct entry *items;
    size_t count, capacity;
};

struct scan {
    const char *marker;
    char *environment; // buffer of ENVIRON_MAX bytes
    struct entries marked, found;
};

int process_marker(const struct process_runtime *runtime, const char *identity,
                   char out[static RUNTIME_IDENTITY_SIZE + 160], struct err *err)
{
    const int size = RUNTIME_IDENTITY_SIZE + 160;
    int length = snprintf(out, (size_t)size, "CURFEW_INSTANCE=%s/%s", runtime->deployment, identity);
    return length < size ? 0 : err_set(err, ERR_INVALID, "the name of the deployment is too long");
}

static int entries_add(struct entries *list, pid_t pid, int64_t start_time, struct err *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct entry *grown = realloc(list->items, capacity * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_NO_MEMORY, "no memory for a scan");
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct entry){pid, start_time};
    return 0;
}

static bool entries_have(const struct entries *list, pid_t pid, int64_t start_time)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].pid == pid && list->items[i].start_time == start_time)
            return true;
    }
    return false;
}

// The environment that a process started with (zombies and kernel threads have none).
static size_t read_environment(pid_t pid, char *out)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    while (fd >= 0 && length < ENVIRON_MAX) {
        ssize_t count = read(fd, out + length, ENVIRON_MAX - length);
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    return length;
}

static bool carries(const struct scan *scan, pid_t pid)
{
    size_t length = read_environment(pid, scan->environment);
    size_t wanted = strlen(scan->marker);
    for (const char *at = scan->environment, *end = at + length; at < end;) {
        size_t variable = strnlen(at, (size_t)(end - at));
        if (variable == wanted && memcmp(at, scan->marker, wanted) == 0)
            return true;
        at += variable + 1;
    }
    return false;
}

// Itself or an ancestor is marked; zombies do not count. *start_time is of `pid`.
static bool belongs(const struct scan *scan, pid_t pid, int64_t *start_time)
{
    for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
        struct process_stat stat;
        if (process_stat_read(pid, &stat) < 0 || (depth == 0 && stat.state == 'Z'))
            return false;
        if (depth == 0)
            *start_time = stat.start_time;
        if (entries_have(&scan->marked, pid, stat.start_time))
            return true;
        pid = stat.parent;
    }
    return false;
}

static int mark(struct scan *scan, pid_t pid, struct err *err)
{
    struct process_stat before, after;
    if (process_stat_read(pid, &before) < 0 || !carries(scan, pid) || process_stat_read(pid, &after) < 0 ||
        before.start_time != after.start_time)
        return 0;
    return entries_add(&scan->marked, pid, before.start_time, err);
}

static int find(struct scan *scan, pid_t pid, struct err *err)
{
    int64_t start_time;
    return belongs(scan, pid, &start_time) ? entries_add(&scan->found, pid, start_time, err) : 0;
}

static int for_each_process(struct scan *scan, int (*function)(struct scan *, pid_t, struct err *), struct err *err)
{
    struct process_walk walk;
    if (process_walk_begin(&walk, err) < 0)
        return -1;
    int result = 0;
    for (pid_t pid; result == 0 && (pid = process_walk_next(&walk)) > 0;)
        result = function(scan, pid, err);
    process_walk_end(&walk);
    return result;
}

static int scan_run(struct scan *scan, const char *marker, struct err *err)
{
    *scan = (struct scan){.marker = marker, .environment = malloc(ENVIRON_MAX)};
    if (!scan->environment)
        return err_set(err, ERR_NO_MEMORY, "no memory for a scan");
    if (for_each_process(scan, mark, err) < 0)
        return -1;
    return scan->marked.count ? for_each_process(scan, find, err) : 0;
}

static void scan_release(struct scan *scan)
{
    free(scan->environment);
    free(scan->marked.items);
    free(scan->found.items);
}

int64_t runtime_process_scan(const char *marker, pid_t *pids, size_t capacity, struct err *err)
{
    CLEANUP(scan_release) struct scan scan = {0};
    if (scan_run(&scan, marker, err) < 0)
        return -1;
    for (size_t i = 0; pids && i < scan.found.count && i < capacity; i++)
        pids[i] = scan.found.items[i].pid;
    return (int64_t)scan.found.count;
}

int64_t process_scan_kill(const char *marker, struct err *err)
{
    CLEANUP(scan_release) struct scan scan = {0};
    if (scan_run(&scan, marker, err) < 0)
        return -1;
    for (size_t i = 0; i < scan.found.count; i++) {
        const struct entry *entry = &scan.found.items[i];
        AUTO_CLOSE int held = process_open(entry->pid);
        int64_t start_time;
        // Held now, so what is read here is of the process that the signal would go to.
        if (held >= 0 && belongs(&scan, entry->pid, &start_time) && start_time == entry->start_time)
            process_send(held, SIGKILL);
    }
    return (int64_t)scan.found.count;
}
