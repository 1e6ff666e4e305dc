#include "services/worker/shim/cgroup.h"

#include "services/common/base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_member(const char *directory, const char *name, int flags)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (directory[0] == '\0' || length < 0 || (size_t)length >= sizeof(path))
        return -1;
    return open(path, flags | O_CLOEXEC);
}

int cgroup_open_procs(const char *directory)
{
    return open_member(directory, "cgroup.procs", O_WRONLY);
}

void cgroup_kill(const char *directory)
{
    AUTO_CLOSE int fd = open_member(directory, "cgroup.kill", O_WRONLY);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "1", 1);
    UNUSED(ignored);
}

bool cgroup_populated(const char *directory)
{
    char text[256];
    AUTO_CLOSE int fd = open_member(directory, "cgroup.events", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length < 0)
        return false;
    text[length] = '\0';
    return strstr(text, "populated 1") != NULL;
}

void cgroup_remove(const char *directory, bool with_home)
{
    char home[PATH_MAX];
    const char *end = strrchr(directory, '/');
    if (!end || rmdir(directory) < 0 || !with_home)
        return;
    int length = snprintf(home, sizeof(home), "%.*s", (int)(end - directory), directory);
    if (length > 0 && (size_t)length < sizeof(home))
        rmdir(home);
}
