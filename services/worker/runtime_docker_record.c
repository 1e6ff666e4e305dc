// Which tasks can go on under a later life of their worker: a small file for each container in <state>/containers/,
// from the moment when its command has all of its input until it is asked to end, or is gone.
//
// No engine says whether input has arrived, and what a command makes of half of it must not count. Nor does it say of a
// command that has ended whether that was by its own will. The files are not synced: they are for the death of a
// process. That of the machine is told by the boot id.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/log.h"
#include "services/worker/runtime_docker_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX 256

int docker_records_open(struct docker_runtime *runtime, const char *state_directory, const char *boot, struct err *err)
{
    if (asprintf(&runtime->records, "%s/containers", state_directory) < 0)
        runtime->records = NULL;
    runtime->boot = strdup(boot);
    if (!runtime->records || !runtime->boot)
        return err_set(err, ERR_NO_MEMORY, "no memory for the records of containers");
    return dir_make(runtime->records, 0700, err);
}

static char *path_of(const struct docker_runtime *runtime, const char *name)
{
    char *path = NULL;
    return runtime->records && asprintf(&path, "%s/%s", runtime->records, name) >= 0 ? path : NULL;
}

// A record that cannot be written costs another run, should this life end now.
void docker_record_keep(const struct docker_instance *instance)
{
    const struct docker_runtime *runtime = instance->runtime;
    AUTO_FREE char *path = path_of(runtime, instance->container_name);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct err err;
    if (!path || instance->survives || instance->asked || instance->fenced)
        return;
    strbuf_add_format(&text, "%s %lld\n", runtime->boot, (long long)clock_boot_ms());
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        err_errno(&err, ERR_IO, errno, "open");
    if (fd < 0 || strbuf_ok(&text, &err) < 0 || fd_write_all(fd, text.data, text.length, &err) < 0)
        log_event(LOG_WARN, "no record of a container", "identity", instance->identity, "error", err.text, NULL);
}

void docker_record_drop(const struct docker_instance *instance)
{
    AUTO_FREE char *path = path_of(instance->runtime, instance->container_name);
    if (path && unlink(path) < 0 && errno != ENOENT)
        log_event(LOG_ERROR, "the record of a container is not removed", "path", path, "error", strerror(errno), NULL);
}

int64_t docker_record_begun_ms(const struct docker_runtime *runtime, const char *identity)
{
    char name[ENGINE_NAME_SIZE], boot[RECORD_MAX + 1];
    size_t length;
    long long begun_ms;
    engine_container_name(runtime->deployment, identity, name);
    AUTO_FREE char *path = path_of(runtime, name);
    AUTO_FREE char *text = NULL;
    if (!path || file_read(path, RECORD_MAX, &text, &length, NULL) < 0 ||
        sscanf(text, "%256s %lld", boot, &begun_ms) != 2 || strcmp(boot, runtime->boot) != 0)
        return 0;
    return begun_ms;
}

static bool is_listed(const struct docker_runtime *runtime, const char *record,
                      const struct engine_container *containers, size_t count)
{
    char name[ENGINE_NAME_SIZE];
    for (size_t i = 0; i < count; i++) {
        engine_container_name(runtime->deployment, containers[i].identity, name);
        if (strcmp(name, record) == 0)
            return true;
    }
    return false;
}

void docker_records_sweep(const struct docker_runtime *runtime, const struct engine_container *containers, size_t count)
{
    DIR *directory = runtime->records ? opendir(runtime->records) : NULL;
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        AUTO_FREE char *path = path_of(runtime, entry->d_name);
        if (path && entry->d_name[0] != '.' && !is_listed(runtime, entry->d_name, containers, count))
            unlink(path);
    }
    closedir(directory);
}
