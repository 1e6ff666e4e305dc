#include "services/cli/one_job.h"

#include <json-c/json.h>
#include <stdio.h>

#define PATH_SIZE 512

int one_job(struct cli *cli, const struct option_spec *options, size_t count, const char **job)
{
    struct err err;
    if (cli_options(cli, options, count, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 2)
        return cli_usage(cli->command, "one job is needed");
    *job = cli->argv[1];
    return 0;
}

int one_job_show(struct cli *cli, const char *suffix, void (*print)(struct cli *cli, struct json_object *answer))
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    const char *job = NULL;
    char path[PATH_SIZE];
    struct err err;
    int status = one_job(cli, NULL, 0, &job);
    if (status != 0)
        return status;
    if (api_job_path(job, suffix, path, sizeof path, &err) < 0 || api_get(cli, path, &answer, &err) < 0)
        return cli_fail(&err);
    if (cli->json || !print)
        api_print(answer.root);
    else
        print(cli, answer.root);
    return 0;
}

int one_job_do(struct cli *cli, const char *job, const char *verb, const char *json, const char *said)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    char path[PATH_SIZE];
    struct err err;
    if (api_job_path(job, verb, path, sizeof path, &err) < 0 ||
        api_call(cli, "POST", path, json ? json : "{}", NULL, 0, &answer, NULL, &err) < 0)
        return cli_fail(&err);
    const char *id = api_text(answer.root, "id");
    if (cli->json && answer.root)
        api_print(answer.root);
    else
        printf("%s %s\n", *id ? id : job, said);
    return 0;
}
