// Records: one small file per instance in <state>/shims/. The worker writes the first lines before the start, the shim
// appends what it does and sees. They are not synced: what they protect against is the death of processes. After a
// power failure nothing runs any more, and the boot id says so.
#include "services/worker/runtime_process_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_MAX 65536

bool process_identity_valid(const char *identity)
{
    if (!isalnum((unsigned char)identity[0]))
        return false;
    for (const char *at = identity; *at; at++) {
        if (!isalnum((unsigned char)*at) && !strchr("._-/", *at))
            return false;
    }
    return strlen(identity) < RUNTIME_IDENTITY_SIZE;
}

static void copy_replaced(const char *text, char from, char to, char out[static RUNTIME_IDENTITY_SIZE])
{
    size_t i = 0;
    for (; i < RUNTIME_IDENTITY_SIZE - 1 && text[i]; i++)
        out[i] = text[i] == from ? to : text[i];
    out[i] = '\0';
}

void process_identity_to_name(const char *identity, char out[static RUNTIME_IDENTITY_SIZE])
{
    copy_replaced(identity, '/', '+', out);
}

void process_identity_from_name(const char *name, char out[static RUNTIME_IDENTITY_SIZE])
{
    copy_replaced(name, '+', '/', out);
}

char *process_record_path(const struct process_runtime *runtime, const char *identity)
{
    char name[RUNTIME_IDENTITY_SIZE];
    char *path = NULL;
    process_identity_to_name(identity, name);
    return asprintf(&path, "%s/%s", runtime->records, name) < 0 ? NULL : path;
}

int process_record_create(const struct process_instance *instance, struct err *err)
{
    AUTO_CLOSE int fd = open(instance->record, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "instance '%s' has a record of an earlier life", instance->identity);
    if (fd < 0)
        return err_errno(err, errno == EMFILE || errno == ENFILE ? ERR_LIMIT : ERR_IO, errno,
                         "cannot make the record of '%s'", instance->identity);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text, "marker %s/%s\nboot %s\ndirectory %s\ncgroup %s\n", process_owner(instance)->deployment,
                      instance->identity, process_owner(instance)->boot_id, instance->directory, instance->cgroup);
    if (strbuf_ok(&text, err) < 0 || fd_write_all(fd, text.data, text.length, err) < 0) {
        unlink(instance->record);
        return -1;
    }
    return TAKE_FD(fd);
}

void process_exit_from_status(int wait_status, int64_t at_wall_us, struct runtime_exit *out)
{
    *out = (struct runtime_exit){.known = true, .code = -1, .at_wall_us = at_wall_us};
    if (WIFEXITED(wait_status))
        out->code = WEXITSTATUS(wait_status);
    else
        out->signal = WTERMSIG(wait_status);
}

void process_signal_add(struct runtime_signal *signals, size_t *count, int signal_number, int64_t at_wall_us)
{
    size_t index = MIN(*count, (size_t)RUNTIME_SIGNALS_MAX - 1);
    signals[index] = (struct runtime_signal){signal_number, at_wall_us};
    *count = index + 1;
}

static void copy_value(char *out, size_t size, const char *value)
{
    snprintf(out, size, "%s", value);
}

// Two numbers of a line; absent ones are 0.
static void read_numbers(const char *value, long long *first, long long *second)
{
    *first = *second = 0;
    sscanf(value, "%lld %lld", first, second);
}

static void read_line(struct process_record *record, const char *key, const char *value)
{
    long long first, second;
    read_numbers(value, &first, &second);
    if (strcmp(key, "boot") == 0) {
        copy_value(record->boot_id, sizeof(record->boot_id), value);
    } else if (strcmp(key, "directory") == 0) {
        copy_value(record->directory, sizeof(record->directory), value);
    } else if (strcmp(key, "cgroup") == 0) {
        copy_value(record->cgroup, sizeof(record->cgroup), value);
    } else if (strcmp(key, "shim") == 0) {
        record->shim = (pid_t)first;
        record->shim_start = second;
    } else if (strcmp(key, "started") == 0) {
        record->started = true;
    } else if (strcmp(key, "signal") == 0) {
        process_signal_add(record->signals, &record->signal_count, (int)first, second);
    } else if (strcmp(key, "exited") == 0) {
        process_exit_from_status((int)first, second, &record->exit);
    } else if (strcmp(key, "gone") == 0) {
        record->ended = true;
        record->reason = (int)first;
        record->ended_wall_us = second;
    }
}

int process_record_read(const char *path, struct process_record *out, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    *out = (struct process_record){0};
    if (file_read(path, RECORD_MAX, &text, &length, err) < 0)
        return -1;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *value = strchr(line, ' ');
        if (!value || !rest) // a line without its end is half written
            continue;
        *value = '\0';
        read_line(out, line, value + 1);
    }
    return 0;
}
