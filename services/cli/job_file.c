#include "services/cli/job_file.h"

#include "services/cli/api.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/json/source.h"
#include "services/common/model/job_spec.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void job_file_release(struct job_file *file)
{
    strbuf_release(&file->json);
    free(file->directory);
    *file = (struct job_file){0};
}

static int read_text(const char *path, char **text, size_t *length, struct err *err)
{
    int outcome = strcmp(path, "-") == 0 ? fd_read_all(STDIN_FILENO, SPEC_BYTES_MAX, text, length, err)
                                         : file_read(path, SPEC_BYTES_MAX, text, length, err);
    if (outcome < 0 && err->code != ERR_NO_MEMORY)
        err->code = ERR_INVALID; // wrong arguments, whatever was wrong with the file
    return outcome;
}

// ---- faults, with the place in the file

static int refuse_syntax(const char *path, size_t line, size_t column, const struct err *reason, struct err *err)
{
    fprintf(stderr, "%s:%zu:%zu: %s\n", path, line, column, reason->text);
    return err_set(err, ERR_INVALID, "%s cannot be read", path);
}

static int read_source(const char *path, const char *text, size_t length, struct source *out, struct err *err)
{
    struct err reason;
    struct yaml_fault fault = {0};
    if (source_read(text, length, &job_spec_limits, out, &fault, &reason) < 0)
        return refuse_syntax(path, fault.line, fault.column, &reason, err);
    return 0;
}

static void print_faults(const char *path, const struct source *source, const struct faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        size_t line = 0, column = 0;
        source_locate(source, faults->list[i].pointer, &line, &column);
        fprintf(stderr, "%s:%zu:%zu: %s%s%s\n", path, line, column, faults->list[i].pointer,
                faults->list[i].pointer[0] ? ": " : "", faults->list[i].detail);
    }
    if (faults->dropped > 0)
        fprintf(stderr, "%s: and %zu more\n", path, faults->dropped);
}

static int check(const char *path, const struct source *source, struct job_spec *spec, struct err *err)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    if (job_spec_parse(source->json, source->length, spec, &faults, err) == 0)
        return 0;
    print_faults(path, source, &faults);
    return faults_total(&faults) == 0 ? -1
                                      : err_set(err, ERR_INVALID, "%s is wrong in %zu place%s", path,
                                                faults_total(&faults), faults_total(&faults) == 1 ? "" : "s");
}

// ---- the bundle

// An argument names a file of the directory when there is one.
static bool names_file(const char *directory, const struct text_list *command)
{
    for (size_t i = 0; i < command->count; i++) {
        char path[PATH_MAX];
        struct stat status;
        if (command->items[i][0] == '/' || command->items[i][0] == '\0')
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", directory, command->items[i]);
        if (length < (int)sizeof path && stat(path, &status) == 0 && S_ISREG(status.st_mode))
            return true;
    }
    return false;
}

static bool needs_bundle(const struct job_spec *spec, const char *directory)
{
    if (spec->bundle || !directory)
        return false;
    for (size_t i = 0; i < spec->stage_count; i++)
        if (names_file(directory, &spec->stages[i].run.command))
            return true;
    for (size_t i = 0; i < spec->service_count; i++)
        if (names_file(directory, &spec->services[i].run.command) ||
            names_file(directory, &spec->services[i].ready.exec))
            return true;
    return false;
}

static int directory_of(const char *path, char **out, struct err *err)
{
    if (strcmp(path, "-") == 0)
        return 0;
    const char *slash = strrchr(path, '/');
    *out = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for a job file");
}

int job_file_read(const char *path, struct job_file *out, struct err *err)
{
    AUTO_FREE char *text = NULL;
    AUTO_SOURCE struct source source = SOURCE_INIT;
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    AUTO_JOB_FILE struct job_file file = {0};
    size_t length;
    if (read_text(path, &text, &length, err) < 0 || read_source(path, text, length, &source, err) < 0 ||
        check(path, &source, &spec, err) < 0 || directory_of(path, &file.directory, err) < 0)
        return -1;
    strbuf_add(&file.json, source.json, source.length);
    file.needs_bundle = needs_bundle(&spec, file.directory);
    if (strbuf_ok(&file.json, err) < 0)
        return -1;
    *out = file;
    file = (struct job_file){0};
    return 0;
}

// ---- upload

static int upload(struct cli *cli, const char *path, int fd, int64_t length, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_call call = {.method = "PUT",
                                   .path = path,
                                   .content_type = "application/zstd",
                                   .has_upload = true,
                                   .upload_fd = fd,
                                   .upload_length = length,
                                   .timeout_ms = 300000};
    if (http_call(cli->client, &call, &response, err) < 0)
        return -1;
    return response.status >= 200 && response.status <= 299 ? 0 : api_problem(&response, err);
}

static int manager_has(struct cli *cli, const char *path, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_call call = {.method = "HEAD", .path = path};
    if (http_call(cli->client, &call, &response, err) < 0)
        return -1;
    return response.status == 200;
}

// The job is a checked object with at least one member, and none named bundle.
static int name_bundle(struct job_file *file, const char *hash, struct err *err)
{
    struct strbuf named = STRBUF_INIT;
    const char *inside = strchr(strbuf_text(&file->json), '{') + 1;
    strbuf_add_format(&named, "{\"bundle\":\"sha256:%s\",", hash);
    strbuf_add_text(&named, inside);
    strbuf_release(&file->json);
    file->json = named;
    file->needs_bundle = false;
    return strbuf_ok(&file->json, err);
}

int job_file_bundle(struct cli *cli, struct job_file *file, struct err *err)
{
    AUTO_CLOSE int fd = -1;
    int64_t length = 0;
    char hash[SHA256_HEX_SIZE], path[SHA256_HEX_SIZE + 32];
    if (!file->needs_bundle)
        return 0;
    if (job_file_pack(file->directory, &fd, &length, hash, err) < 0)
        return -1;
    snprintf(path, sizeof path, "/v1/bundles/%s", hash);
    int there = manager_has(cli, path, err);
    if (there < 0 || (there == 0 && upload(cli, path, fd, length, err) < 0))
        return -1;
    return name_bundle(file, hash, err);
}
