// stop, pause, resume, retry, extend, delete, drain.
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/one_job.h"
#include "services/common/base/parse.h"

#include <json-c/json.h>

#define PATH_SIZE 256

int cmd_stop(struct cli *cli)
{
    bool wait = cli_option(cli, "--wait") != NULL;
    struct cli silent = *cli;
    silent.json = false;
    int status = one_job_do(wait && cli->json ? &silent : cli, "/stop", NULL, "is being stopped");
    if (status != 0 || !wait)
        return status;
    const struct follow_settings settings = {.quiet = true, .is_known = true, .print = cli->json};
    status = follow_job(cli, cli->argument, &settings);
    return status == EXIT_JOB_FAILED || status == EXIT_JOB_STOPPED || status == EXIT_JOB_TIMED_OUT ? 0 : status;
}

int cmd_pause(struct cli *cli)
{
    return one_job_do(cli, "/pause", NULL, "is paused");
}

int cmd_resume(struct cli *cli)
{
    return one_job_do(cli, "/resume", NULL, "goes on");
}

int cmd_retry(struct cli *cli)
{
    return one_job_do(cli, "/retry", NULL, "runs the failed tasks again");
}

int cmd_extend(struct cli *cli)
{
    const char *by = cli_option(cli, "--by");
    char body[128];
    int64_t ms;
    struct err err;
    if (!by)
        return cli_usage(cli->command, "extend needs --by");
    if (parse_duration_ms(by, "--by", &ms, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    snprintf(body, sizeof body, "{\"for\":\"%lldms\"}", (long long)ms);
    return one_job_do(cli, "/extend", body, "keeps its services longer");
}

int cmd_delete(struct cli *cli)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    const char *suffix = cli_option(cli, "--force") ? "?force=true" : "";
    char path[PATH_SIZE];
    int status = 0;
    struct err err;
    if (api_job_path(cli->argument, suffix, path, sizeof path, &err) < 0 ||
        api_call(cli, "DELETE", path, NULL, NULL, 0, &answer, &status, &err) < 0)
        return cli_fail(&err);
    bool is_gone = status != 202;
    if (cli->json)
        printf("{\"id\": \"%s\", \"deleted\": %s}\n", cli->argument, is_gone ? "true" : "false");
    else
        printf("%s %s\n", cli->argument, is_gone ? "is deleted" : "is being stopped, and is deleted then");
    return 0;
}

int cmd_drain(struct cli *cli)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    bool undo = cli_option(cli, "--undo") != NULL;
    char path[PATH_SIZE];
    int64_t worker;
    struct err err;
    if (parse_i64(cli->argument, 1, INT64_MAX, "WORKER", &worker, NULL) < 0)
        return cli_usage(cli->command, "'%.80s' is no number of a worker: `curfew workers` lists them", cli->argument);
    snprintf(path, sizeof path, "/v1/workers/%lld/drain", (long long)worker);
    if (api_call(cli, "POST", path, undo ? "{\"drain\":false}" : "{\"drain\":true}", NULL, 0, &answer, NULL, &err) < 0)
        return cli_fail(&err);
    if (cli->json)
        api_print(answer.root);
    else
        printf("worker %lld %s\n", (long long)worker, undo ? "works again" : "gets nothing new");
    return 0;
}
