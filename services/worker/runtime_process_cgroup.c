// Cgroups (version 2, also where it is mounted beside version 1): one per instance, as a second kill boundary, as a
// witness of absence, and for limits.
//
// They are made inside the worker's own cgroup, which needs the right to create directories there: root, or a delegated
// subtree. Limits work when the controllers can be handed down, which the kernel refuses while processes sit in the
// worker's cgroup itself (unless it is the root of the hierarchy): then instances run without and `started.limited`
// says so.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE_MAX (1024 * 1024)
// How often the home is made again: each time another worker of the deployment must have taken it away just then.
#define HOME_TRIES 1000

// Writes one value into a file of a cgroup. 0, or -1 with errno.
static int put(const char *directory, const char *name, const char *value)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return -1;
    }
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    return write(fd, value, strlen(value)) < 0 ? -1 : 0;
}

// Where version 2 is mounted, from a line of mountinfo: "... MOUNTPOINT OPTIONS ... - cgroup2 ...". Paths with spaces
// are not used by anybody.
static char *mount_point(void)
{
    AUTO_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
    AUTO_FREE char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0) {
        char path[4096];
        if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %4095s", path) == 1)
            return strdup(path);
    }
    return NULL;
}

// This process's own cgroup below the mount point, "" for the root; from the line "0::PATH".
static char *own_path(void)
{
    AUTO_FILE FILE *file = fopen("/proc/self/cgroup", "re");
    AUTO_FREE char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        return strdup(strcmp(line, "0::/") == 0 ? "" : line + 3);
    }
    return NULL;
}

static bool can_kill(const char *home)
{
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s/cgroup.kill", home) < 0) {
        path = NULL;
        return false;
    }
    return access(path, W_OK) == 0;
}

static bool make_home(const struct process_cgroups *cgroups)
{
    return mkdir(cgroups->home, 0755) == 0 || errno == EEXIST;
}

// Whether instances can have cgroups in the home.
static bool is_usable(const struct process_cgroups *cgroups)
{
    for (int tries = 0; tries < HOME_TRIES && make_home(cgroups); tries++)
        if (can_kill(cgroups->home))
            return true;
    return false;
}

void process_cgroups_find(struct process_cgroups *cgroups, const char *deployment)
{
    *cgroups = (struct process_cgroups){0};
    AUTO_FREE char *mount = mount_point();
    AUTO_FREE char *own = own_path();
    if (!mount || !own)
        return;
    if (asprintf(&cgroups->parent, "%s%s", mount, own) < 0)
        cgroups->parent = NULL;
    else if (asprintf(&cgroups->home, "%s/curfew-%s", cgroups->parent, deployment) < 0)
        cgroups->home = NULL;
    bool usable = cgroups->home && is_usable(cgroups);
    process_cgroups_tidy(cgroups); // made again when it is needed
    if (!usable)
        process_cgroups_release(cgroups);
}

void process_cgroups_tidy(const struct process_cgroups *cgroups)
{
    if (cgroups->home)
        rmdir(cgroups->home); // only works when nobody has anything in it
}

void process_cgroups_release(struct process_cgroups *cgroups)
{
    process_cgroups_tidy(cgroups);
    free(cgroups->home);
    free(cgroups->parent);
    *cgroups = (struct process_cgroups){0};
}

char *process_cgroup_path(const struct process_cgroups *cgroups, const char *identity)
{
    char name[RUNTIME_IDENTITY_SIZE];
    char *path = NULL;
    if (!cgroups->home)
        return strdup("");
    process_identity_to_name(identity, name);
    return asprintf(&path, "%s/%s", cgroups->home, name) < 0 ? NULL : path;
}

static bool hand_down(const struct process_cgroups *cgroups, const char *controller)
{
    return put(cgroups->parent, "cgroup.subtree_control", controller) == 0 &&
           put(cgroups->home, "cgroup.subtree_control", controller) == 0;
}

// Sets it in a cgroup of the home, to which the controller is handed down when it is not there yet.
static bool limit(const struct process_cgroups *cgroups, const char *directory, const char *controller,
                  const char *name, int64_t value, const char *suffix)
{
    if (value <= 0)
        return true;
    char text[64];
    snprintf(text, sizeof(text), "%lld%s", (long long)value, suffix);
    return put(directory, name, text) == 0 || (hand_down(cgroups, controller) && put(directory, name, text) == 0);
}

// The home is there only while somebody has an instance in it: until this one is, others may take it away.
static int make_directory(const struct process_cgroups *cgroups, const char *directory)
{
    for (int tries = 0; mkdir(directory, 0755) < 0 && errno != EEXIST; tries++) {
        bool home_is_gone = errno == ENOENT || errno == ENODEV;
        if (!home_is_gone || tries == HOME_TRIES || !make_home(cgroups))
            return -1;
    }
    return 0;
}

int process_cgroup_make(const struct process_cgroups *cgroups, const char *directory, const struct runtime_spec *spec,
                        bool *limited, struct err *err)
{
    *limited = spec->memory_bytes <= 0 && spec->cpu_millis <= 0 && spec->processes <= 0;
    if (directory[0] == '\0')
        return 0;
    if (make_directory(cgroups, directory) < 0)
        return err_errno(err, ERR_IO, errno, "cannot make cgroup '%s'", directory);
    bool memory = limit(cgroups, directory, "+memory", "memory.max", spec->memory_bytes, "");
    bool cpu = limit(cgroups, directory, "+cpu", "cpu.max", spec->cpu_millis * 100, " 100000"); // us of each 100 ms
    bool pids = limit(cgroups, directory, "+pids", "pids.max", spec->processes, "");
    if (memory && spec->memory_bytes > 0)
        put(directory, "memory.oom.group", "1");
    *limited = memory && cpu && pids;
    return 0;
}

void process_cgroup_kill(const char *directory)
{
    if (directory[0] != '\0')
        put(directory, "cgroup.kill", "1");
}

// A file of a cgroup as text, freed with free(); NULL when it cannot be read.
static char *get(const char *directory, const char *name)
{
    AUTO_FREE char *path = NULL;
    char *text = NULL;
    size_t length;
    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return NULL;
    }
    return file_read(path, SMALL_FILE_MAX, &text, &length, NULL) < 0 ? NULL : text;
}

int64_t process_cgroup_count(const char *directory)
{
    if (directory[0] == '\0')
        return 0;
    AUTO_FREE char *pids = get(directory, "cgroup.procs");
    AUTO_FREE char *events = get(directory, "cgroup.events");
    int64_t count = 0;
    for (const char *at = pids; at && (at = strchr(at, '\n')); at++)
        count++;
    // Who is just dying is not listed any more, but still counts as inside.
    return events && strstr(events, "populated 1") ? MAX(count, (int64_t)1) : count;
}

void process_cgroup_remove(const char *directory)
{
    if (directory[0] != '\0')
        rmdir(directory);
}
