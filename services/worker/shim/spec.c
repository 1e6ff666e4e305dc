#include "services/worker/shim/spec.h"

#include "services/common/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cursor {
    char *at, *end;
};

// The next string, or NULL when there is none left. The last byte is known to be NUL.
static char *next_string(struct cursor *cursor)
{
    if (cursor->at >= cursor->end)
        return NULL;
    char *text = cursor->at;
    cursor->at += strlen(text) + 1;
    return text;
}

static int read_fully(int fd, char *out, size_t length, struct err *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t count = pread(fd, out + done, length - done, (off_t)done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_errno(err, ERR_IO, errno, "cannot read the spec");
        if (count == 0)
            return err_set(err, ERR_INVALID, "the spec ends after %zu of %zu bytes", done, length);
        done += (size_t)count;
    }
    return 0;
}

// `count` strings and a NULL into `out`.
static int take_strings(struct cursor *cursor, uint32_t count, char **out, struct err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = next_string(cursor);
        if (!out[i])
            return err_set(err, ERR_INVALID, "the spec has fewer strings than it says");
    }
    out[count] = NULL;
    return 0;
}

static int check_header(const struct shim_spec_header *header, struct err *err)
{
    if (header->magic != SHIM_MAGIC)
        return err_set(err, ERR_INVALID, "the spec is from another build");
    if (header->size <= sizeof(*header) || header->size > SHIM_SPEC_MAX)
        return err_set(err, ERR_INVALID, "the spec's size is %u", header->size);
    if (header->argument_count == 0 || header->argument_count > header->size || header->variable_count > header->size)
        return err_set(err, ERR_INVALID, "the spec's counts are %u and %u", header->argument_count,
                       header->variable_count);
    return 0;
}

static int parse(struct shim_spec *spec, struct err *err)
{
    const struct shim_spec_header *header = &spec->header;
    struct cursor cursor = {spec->bytes + sizeof(*header), spec->bytes + header->size};
    if (cursor.end[-1] != '\0')
        return err_set(err, ERR_INVALID, "the spec's last string has no end");
    spec->directory = next_string(&cursor);
    spec->cgroup = next_string(&cursor);
    size_t slots = (size_t)header->argument_count + header->variable_count + 2;
    spec->argv = calloc(slots, sizeof(*spec->argv));
    if (!spec->argv)
        return err_set(err, ERR_NO_MEMORY, "no memory for the spec");
    spec->env = spec->argv + header->argument_count + 1;
    if (!spec->cgroup || take_strings(&cursor, header->argument_count, spec->argv, err) < 0)
        return err_set(err, ERR_INVALID, "the spec has fewer strings than it says");
    if (take_strings(&cursor, header->variable_count, spec->env, err) < 0)
        return -1;
    return cursor.at == cursor.end ? 0 : err_set(err, ERR_INVALID, "the spec has more strings than it says");
}

int shim_spec_read(int fd, struct shim_spec *out, struct err *err)
{
    *out = (struct shim_spec){0};
    if (read_fully(fd, (char *)&out->header, sizeof(out->header), err) < 0 || check_header(&out->header, err) < 0)
        return -1;
    out->bytes = malloc(out->header.size);
    if (!out->bytes)
        return err_set(err, ERR_NO_MEMORY, "no memory for the spec");
    if (read_fully(fd, out->bytes, out->header.size, err) == 0 && parse(out, err) == 0)
        return 0;
    shim_spec_release(out);
    return -1;
}

void shim_spec_release(struct shim_spec *spec)
{
    free(spec->argv);
    free(spec->bytes);
    *spec = (struct shim_spec){0};
}
