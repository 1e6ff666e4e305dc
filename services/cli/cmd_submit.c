#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/job_file.h"
#include "services/cli/submit.h"
#include "services/common/base/backoff.h"
#include "services/common/base/id.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TRIES 8
#define KEY_SIZE 40

// A key of our own, so that a submit which is repeated after a lost answer is still one job.
static int make_key(char out[static KEY_SIZE], struct err *err)
{
    uint64_t words[2];
    if (random_bytes(words, sizeof words, err) < 0)
        return -1;
    snprintf(out, KEY_SIZE, "cli-%016" PRIx64 "%016" PRIx64, words[0], words[1]);
    return 0;
}

int submit_job(struct cli *cli, const struct job_file *file, const char *key, char job[static SUBMIT_ID_SIZE],
               struct err *err)
{
    struct backoff backoff = {.base_ms = 100, .max_ms = 3000};
    char own_key[KEY_SIZE];
    if (!key && make_key(own_key, err) < 0)
        return -1;
    for (int i = 0;; i++) {
        AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
        if (api_call(cli, "POST", "/v1/jobs", strbuf_text(&file->json), key ? key : own_key, 0, &answer, NULL, err) ==
            0) {
            snprintf(job, SUBMIT_ID_SIZE, "%s", api_text(answer.root, "id"));
            return *job ? 0 : err_set(err, ERR_INTERNAL, "the manager's answer has no id");
        }
        bool may_pass = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
        if (!may_pass || i + 1 == TRIES)
            return -1;
        poll(NULL, 0, (int)backoff_next_ms(&backoff));
    }
}

static int print_submitted(struct cli *cli, const char *job)
{
    char path[256];
    struct err err;
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    if (!cli->json) {
        printf("%s\n", job);
        return 0;
    }
    if (api_job_path(job, "", path, sizeof path, &err) < 0 || api_get(cli, path, &answer, &err) < 0)
        return cli_fail(&err);
    api_print(answer.root);
    return 0;
}

int cmd_submit(struct cli *cli)
{
    bool detach = false, quiet = false;
    const char *key = NULL;
    const struct option_spec options[] = {
        {"--detach", NULL, &detach}, {"-d", NULL, &detach}, {"--quiet", NULL, &quiet}, {"--key", &key, NULL}};
    struct err err;
    if (cli_options(cli, options, ARRAY_LEN(options), &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 2)
        return cli_usage(cli->command, "one job file is needed");
    AUTO_JOB_FILE struct job_file file = {0};
    char job[SUBMIT_ID_SIZE];
    if (job_file_read(cli->argv[1], &file, &err) < 0 || job_file_bundle(cli, &file, &err) < 0 ||
        submit_job(cli, &file, key, job, &err) < 0)
        return cli_fail(&err);
    int status = print_submitted(cli, job);
    fflush(stdout);
    if (detach || status != 0)
        return status;
    const struct follow_settings settings = {.quiet = quiet || cli->json};
    return follow_job(cli, job, &settings);
}
