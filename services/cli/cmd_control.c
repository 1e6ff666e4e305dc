// stop, pause, resume, retry, extend, delete.
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/one_job.h"
#include "services/common/base/parse.h"

#include <stdio.h>

int cmd_stop(struct cli *cli)
{
    bool wait = false;
    const struct option_spec options[] = {{"--wait", NULL, &wait}};
    const char *job;
    int status = one_job(cli, options, ARRAY_LEN(options), &job);
    if (status == 0)
        status = one_job_do(cli, job, "/stop", NULL, "is being stopped");
    if (status != 0 || !wait)
        return status;
    const struct follow_settings settings = {.quiet = cli->json};
    int outcome = follow_job(cli, job, &settings);
    return outcome == EXIT_JOB_STOPPED ? 0 : outcome; // that is what was asked for
}

static int simple(struct cli *cli, const char *verb, const char *said)
{
    const char *job;
    int status = one_job(cli, NULL, 0, &job);
    return status != 0 ? status : one_job_do(cli, job, verb, NULL, said);
}

int cmd_pause(struct cli *cli)
{
    return simple(cli, "/pause", "is paused");
}

int cmd_resume(struct cli *cli)
{
    return simple(cli, "/resume", "goes on");
}

int cmd_retry(struct cli *cli)
{
    return simple(cli, "/retry", "runs the failed tasks again");
}

int cmd_extend(struct cli *cli)
{
    const char *by = NULL, *job;
    const struct option_spec options[] = {{"--by", &by, NULL}};
    char body[128];
    int64_t ms;
    struct err err;
    int status = one_job(cli, options, ARRAY_LEN(options), &job);
    if (status != 0)
        return status;
    if (!by)
        return cli_usage(cli->command, "--by is needed");
    if (parse_duration_ms(by, "--by", &ms, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    snprintf(body, sizeof body, "{\"for\":\"%lldms\"}", (long long)ms);
    return one_job_do(cli, job, "/extend", body, "keeps its services longer");
}

int cmd_delete(struct cli *cli)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    bool force = false;
    const struct option_spec options[] = {{"--force", NULL, &force}};
    const char *job;
    char path[256];
    int http_status = 0;
    struct err err;
    int status = one_job(cli, options, ARRAY_LEN(options), &job);
    if (status != 0)
        return status;
    if (api_job_path(job, force ? "?force=true" : "", path, sizeof path, &err) < 0 ||
        api_call(cli, "DELETE", path, NULL, NULL, 0, &answer, &http_status, &err) < 0)
        return cli_fail(&err);
    printf("%s %s\n", job, http_status == 202 ? "is being stopped, and is deleted then" : "is deleted");
    return 0;
}
