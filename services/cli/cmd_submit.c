#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/job_file.h"
#include "services/cli/submit.h"
#include "services/common/base/backoff.h"
#include "services/common/base/clock.h"
#include "services/common/base/id.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 5000 // how long the manager may be away
#define KEY_SIZE 40
#define PATH_SIZE 256

// A key of our own, so that a submit which is repeated after a lost answer is still one job.
static int make_key(char out[static KEY_SIZE], struct err *err)
{
    uint64_t words[2];
    if (random_bytes(words, sizeof words, err) < 0)
        return -1;
    snprintf(out, KEY_SIZE, "cli-%016" PRIx64 "%016" PRIx64, words[0], words[1]);
    return 0;
}

static int try_submit(struct cli *cli, struct job_file *file, const char *key, char job[static SUBMIT_ID_SIZE],
                      struct err *err)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    if (job_file_bundle(cli, file, err) < 0 ||
        api_call(cli, "POST", "/v1/jobs", strbuf_text(&file->json), key, 0, &answer, NULL, err) < 0)
        return -1;
    snprintf(job, SUBMIT_ID_SIZE, "%s", api_text(answer.root, "id"));
    return *job ? 0 : err_set(err, ERR_INTERNAL, "the manager's answer has no id");
}

int submit_job(struct cli *cli, struct job_file *file, const char *key, char job[static SUBMIT_ID_SIZE],
               struct err *err)
{
    struct backoff backoff = {.base_ms = 100, .max_ms = 2000};
    char own_key[KEY_SIZE];
    if (!key && make_key(own_key, err) < 0)
        return -1;
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (try_submit(cli, file, key ? key : own_key, job, err) < 0) {
        bool may_pass = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT;
        if (!may_pass || clock_boot_ms() > until_ms)
            return -1;
        if (backoff.failures == 0)
            fprintf(stderr, "curfew: %s; trying again\n", err->text);
        poll(NULL, 0, (int)backoff_next_ms(&backoff));
    }
    return 0;
}

// -o json and not followed: the job as it is now.
static int print_job(struct cli *cli, const char *job)
{
    char path[PATH_SIZE];
    struct err err;
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    if (api_job_path(job, "", path, sizeof path, &err) < 0 || api_get(cli, path, &answer, &err) < 0)
        return cli_fail(&err);
    api_print(answer.root);
    return 0;
}

int cmd_submit(struct cli *cli)
{
    bool detach = cli_option(cli, "--detach") != NULL, quiet = cli_option(cli, "--quiet") != NULL;
    AUTO_JOB_FILE struct job_file file = {0};
    char job[SUBMIT_ID_SIZE];
    struct err err;
    if (job_file_read(cli->argument, &file, &err) < 0 ||
        submit_job(cli, &file, cli_option(cli, "--key"), job, &err) < 0)
        return cli_fail(&err);
    if (!cli->json)
        printf("%s\n", job);
    if (detach)
        return cli->json ? print_job(cli, job) : 0;
    fflush(stdout);
    const struct follow_settings settings = {.quiet = quiet || cli->json, .is_known = true, .print = cli->json};
    return follow_job(cli, job, &settings);
}
