#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void add_string(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text) + 1);
}

static uint32_t add_strings(struct strbuf *buf, const char *const *list)
{
    uint32_t count = 0;
    for (; list && list[count]; count++)
        add_string(buf, list[count]);
    return count;
}

// The marker comes first, so that a look into /proc finds it at once, and once: the spec cannot set another.
static uint32_t add_environment(struct strbuf *buf, const char *marker, const char *const *env)
{
    uint32_t count = 1;
    add_string(buf, marker);
    for (size_t i = 0; env && env[i]; i++) {
        if (strncmp(env[i], "CURFEW_INSTANCE=", 16) == 0)
            continue;
        add_string(buf, env[i]);
        count++;
    }
    return count;
}

static int encode(const struct process_instance *instance, const struct runtime_spec *spec, struct strbuf *out,
                  struct err *err)
{
    const struct process_runtime *runtime = process_owner(instance);
    char marker[RUNTIME_IDENTITY_SIZE + 160];
    if (process_marker(runtime, instance->identity, marker, err) < 0)
        return -1;
    struct shim_spec_header header = {
        .magic = SHIM_MAGIC,
        .flags = runtime->shim_flags,
        .stop_signal = spec->stop_signal ? spec->stop_signal : SIGTERM,
        .open_files = spec->open_files ? spec->open_files : runtime->open_files,
        .stop_grace_ms = spec->stop_grace_ms,
        .fence_grace_ms = runtime->fence_grace_ms,
        .lease_deadline_boot_ms = runtime->lease_boot_ms,
    };
    strbuf_add(out, &header, sizeof(header));
    add_string(out, spec->directory);
    add_string(out, instance->cgroup);
    header.argument_count = add_strings(out, spec->argv);
    header.variable_count = add_environment(out, marker, spec->env);
    if (strbuf_ok(out, err) < 0)
        return -1;
    if (out->length > SHIM_SPEC_MAX)
        return err_set(err, ERR_TOO_LARGE, "command and environment are larger than %d bytes", SHIM_SPEC_MAX);
    header.size = (uint32_t)out->length;
    memcpy(out->data, &header, sizeof(header));
    return 0;
}

int process_memory_file(const char *name, const void *bytes, size_t length, struct err *err)
{
    AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_errno(err, errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_IO, errno,
                         "cannot make a memory file");
    if (fd_write_all(fd, bytes, length, err) < 0)
        return -1;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, ERR_IO, errno, "cannot seal a memory file");
    return TAKE_FD(fd);
}

int process_spec_file(const struct process_instance *instance, const struct runtime_spec *spec, struct err *err)
{
    AUTO_STRBUF struct strbuf bytes = STRBUF_INIT;
    if (encode(instance, spec, &bytes, err) < 0)
        return -1;
    return process_memory_file("curfew-spec", bytes.data, bytes.length, err);
}
