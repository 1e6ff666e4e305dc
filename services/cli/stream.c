#include "services/cli/stream.h"

#include "services/cli/api.h"
#include "services/cli/patience.h"

#define PATH_SIZE 1024

struct copy {
    struct patience patience;
    int64_t written;
    int64_t known; // of this answer's bytes, those that an earlier one has brought
    bool failed;   // stdout takes no more
};

static int write_out(void *context, const char *bytes, size_t length)
{
    struct copy *copy = context;
    size_t skipped = (size_t)MIN(copy->known, (int64_t)length), rest = length - skipped;
    copy->known -= (int64_t)skipped;
    copy->failed = fwrite(bytes + skipped, 1, rest, stdout) != rest || fflush(stdout) != 0;
    copy->written += (int64_t)rest;
    if (rest > 0)
        patience_restored(&copy->patience);
    return copy->failed ? -1 : 0;
}

static int stream_once(struct cli *cli, const char *path, struct copy *copy, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_call call = {
        .method = "GET", .path = path, .timeout_ms = -1, .on_body = write_out, .on_body_context = copy};
    copy->known = copy->written;
    if (http_call(cli->client, &call, &response, err) < 0)
        return -1;
    return response.status == 200 ? 0 : api_problem(&response, err);
}

// A stream may be silent for long: whether there is a manager, and such a job, is asked beforehand.
static int look_first(struct cli *cli, const char *job_path, struct patience *patience, struct err *err)
{
    AUTO_JSON_DOCUMENT struct json_document job = JSON_DOCUMENT_INIT;
    int status = 0, outcome = api_call(cli, "GET", job_path, NULL, NULL, 0, &job, &status, err);
    if (status > 0)
        patience_answered(patience);
    return outcome;
}

int stream_job(struct cli *cli, const char *job, const char *suffix, bool follow, struct err *err)
{
    char job_path[PATH_SIZE], path[PATH_SIZE];
    struct copy copy = {.patience = patience_new(false)};
    if (api_job_path(job, "", job_path, sizeof job_path, err) < 0 ||
        api_job_path(job, suffix, path, sizeof path, err) < 0)
        return -1;
    if (!follow)
        return stream_once(cli, path, &copy, err);
    while (look_first(cli, job_path, &copy.patience, err) < 0 || stream_once(cli, path, &copy, err) < 0)
        if (copy.failed || !patience_wait(&copy.patience, err))
            return -1;
    return 0;
}
