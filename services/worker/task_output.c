#include "services/worker/task_output.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/scan.h"
#include "services/common/json/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct json_limits line_limits = {.bytes_max = SPEC_ITEM_BYTES_MAX, .any_top = true};

struct output_reading {
    struct arena *arena;
    struct task_outputs *out;
    size_t capacity;
    size_t line; // from 1
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "outputs: no memory");
}

static int add_line(struct output_reading *reading, const char *text, size_t length, struct err *err)
{
    struct task_outputs *out = reading->out;
    AUTO_STRBUF struct strbuf compact = STRBUF_INIT;
    if (out->count == TASK_OUTPUT_LINES_MAX)
        return err_set(err, ERR_TOO_LARGE, "outputs: more than %zu lines", TASK_OUTPUT_LINES_MAX);
    if (json_scan(text, length, &line_limits, NULL, err) < 0)
        return err_prefix(err, "outputs: line %zu", reading->line);
    json_compact(text, text + length, &compact);
    char *json = arena_copy(reading->arena, strbuf_text(&compact), compact.length);
    const char **grown = arena_grow(reading->arena, out->json, out->count, &reading->capacity, sizeof *out->json);
    if (compact.failed || !json || !grown)
        return no_memory(err);
    out->json = grown;
    out->json[out->count++] = json;
    return 0;
}

static bool is_blank(const char *text, size_t length)
{
    while (length > 0 && (*text == ' ' || *text == '\t' || *text == '\r')) {
        text++;
        length--;
    }
    return length == 0;
}

static int read_lines(struct output_reading *reading, const char *text, size_t length, struct err *err)
{
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t part = end ? (size_t)(end - text) : length;
        reading->line++;
        if (!is_blank(text, part) && add_line(reading, text, part, err) < 0)
            return -1;
        part += end != NULL;
        text += part;
        length -= part;
    }
    return 0;
}

// 1: *fd is open; 0: there is no file. Never waits for a FIFO that a task has put there.
static int open_file(const char *path, int *fd, struct err *err)
{
    struct stat status;
    AUTO_CLOSE int opened = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (opened < 0 && errno == ENOENT)
        return 0;
    if (opened < 0 || fstat(opened, &status) < 0)
        return err_errno(err, ERR_INVALID, errno, "outputs: cannot be read");
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID, "outputs: CURFEW_OUTPUT is no file any more");
    if (status.st_size > (off_t)TASK_OUTPUT_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "outputs: more than %zu bytes", TASK_OUTPUT_BYTES_MAX);
    *fd = TAKE_FD(opened);
    return 1;
}

int task_outputs_read(const char *path, struct arena *arena, struct task_outputs *out, struct err *err)
{
    struct output_reading reading = {.arena = arena, .out = out};
    AUTO_CLOSE int fd = -1;
    AUTO_FREE char *text = NULL;
    size_t length;
    *out = (struct task_outputs){0};
    int outcome = open_file(path, &fd, err);
    if (outcome <= 0)
        return outcome;
    if (fd_read_all(fd, TASK_OUTPUT_BYTES_MAX, &text, &length, err) < 0)
        return err_prefix(err, "outputs");
    return read_lines(&reading, text, length, err);
}
