#include "tests/support/oracle.h"

#include "services/common/base/clock.h"
#include "tests/support/die.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 65536
#define ENVIRON_MAX (1024 * 1024)
#define FLAG_EXITING 0x4 // PF_EXITING of the kernel

struct seen {
    pid_t pid, parent;
    char state;
    char name[32];
    bool buried; // the kernel has taken its memory already: it does nothing any more, like a zombie
    bool marked;
};

struct look {
    struct seen *all;
    size_t count;
    char *buffer;
};

static ssize_t read_proc(pid_t pid, const char *file, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t count; fd >= 0 && (count = read(fd, out + length, size - 1 - length)) > 0;)
        length += (size_t)count;
    if (fd >= 0)
        close(fd);
    out[length] = '\0';
    return (ssize_t)length;
}

// VALUE between separators: "deployment/VALUE/cache/1", "VALUE+cache+1".
static bool has_component(const char *text, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = text; (at = strstr(at, value)); at++) {
        bool begins = at == text || strchr("/+", at[-1]);
        bool ends = at[length] == '\0' || strchr("/+\n", at[length]);
        if (begins && ends)
            return true;
    }
    return false;
}

static bool environment_marked(const char *environment, size_t length, const char *marker, const char *value)
{
    static const char INSTANCE[] = "CURFEW_INSTANCE=";
    for (const char *at = environment; at < environment + length; at += strlen(at) + 1) {
        if (strcmp(at, marker) == 0)
            return true;
        if (strncmp(at, INSTANCE, sizeof(INSTANCE) - 1) == 0 && has_component(at + sizeof(INSTANCE) - 1, value))
            return true;
    }
    return false;
}

static bool is_marked(struct look *look, pid_t pid, const char *marker)
{
    const char *value = strchr(marker, '=');
    if (!value)
        die("oracle: '%s' is no NAME=VALUE", marker);
    ssize_t length = read_proc(pid, "environ", look->buffer, ENVIRON_MAX);
    if (environment_marked(look->buffer, (size_t)length, marker, value + 1))
        return true;
    read_proc(pid, "cgroup", look->buffer, ENVIRON_MAX);
    const char *ours = strstr(look->buffer, "/curfew-");
    return ours && has_component(ours, value + 1);
}

static bool read_seen(pid_t pid, struct seen *out)
{
    char text[1024];
    int parent;
    unsigned flags;
    unsigned long bytes;
    if (read_proc(pid, "stat", text, sizeof(text)) <= 0)
        return false;
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')');
    if (!open || !close ||
        sscanf(close, ") %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %lu", &out->state,
               &parent, &flags, &bytes) != 4)
        return false;
    out->buried = (flags & FLAG_EXITING) && bytes == 0;
    snprintf(out->name, sizeof(out->name), "%.*s", (int)(close - open - 1), open + 1);
    out->pid = pid;
    out->parent = parent;
    return true;
}

static bool spread(struct look *look)
{
    bool changed = false;
    for (size_t i = 0; i < look->count; i++) {
        for (size_t k = 0; k < look->count && !look->all[i].marked; k++) {
            if (look->all[k].marked && look->all[k].pid == look->all[i].parent)
                look->all[i].marked = changed = true;
        }
    }
    return changed;
}

static void look_at(struct look *look, const char *marker)
{
    look->all = calloc(PROCESSES_MAX, sizeof(*look->all));
    look->buffer = malloc(ENVIRON_MAX);
    DIR *proc = opendir("/proc");
    if (!look->all || !look->buffer || !proc)
        die("oracle: cannot look at /proc");
    for (struct dirent *entry; (entry = readdir(proc)) && look->count < PROCESSES_MAX;) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;
        struct seen *seen = &look->all[look->count];
        if (pid == 0 || !read_seen(pid, seen) || seen->buried || seen->state == 'Z' || seen->state == 'X')
            continue;
        seen->marked = is_marked(look, pid, marker);
        look->count++;
    }
    closedir(proc);
    while (spread(look)) {
    }
}

static void look_release(struct look *look)
{
    free(look->all);
    free(look->buffer);
}

int64_t oracle_find(const char *marker, pid_t *pids, size_t capacity)
{
    struct look look = {0};
    int64_t found = 0;
    look_at(&look, marker);
    for (size_t i = 0; i < look.count; i++) {
        if (!look.all[i].marked)
            continue;
        if (pids && (size_t)found < capacity)
            pids[found] = look.all[i].pid;
        found++;
    }
    look_release(&look);
    return found;
}

int64_t oracle_wait_none(const char *marker, int64_t timeout_ms)
{
    int64_t deadline = clock_boot_ms() + timeout_ms;
    for (;;) {
        int64_t left = oracle_find(marker, NULL, 0);
        if (left == 0 || clock_boot_ms() >= deadline)
            return left;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
}

static void print_one(const struct seen *seen)
{
    char command[256], cgroups[8192];
    ssize_t length = read_proc(seen->pid, "cmdline", command, sizeof(command));
    read_proc(seen->pid, "cgroup", cgroups, sizeof(cgroups));
    for (ssize_t i = 0; i + 1 < length; i++) {
        if (!isprint((unsigned char)command[i]))
            command[i] = ' ';
    }
    const char *unified = strstr(cgroups, "0::");
    fprintf(stderr, "%d %c %s %s in %s", (int)seen->pid, seen->state, seen->name, command, unified ? unified : "?\n");
}

void oracle_print(const char *marker)
{
    struct look look = {0};
    look_at(&look, marker);
    for (size_t i = 0; i < look.count; i++) {
        if (look.all[i].marked)
            print_one(&look.all[i]);
    }
    look_release(&look);
}
