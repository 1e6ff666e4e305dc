#include "services/cli/one_job.h"

#include <json-c/json.h>

#define PATH_SIZE 512

int one_job_show(struct cli *cli, const char *suffix, void (*print)(struct json_object *answer))
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    char path[PATH_SIZE];
    struct err err;
    if (api_job_path(cli->argument, suffix, path, sizeof path, &err) < 0 || api_get(cli, path, &answer, &err) < 0)
        return cli_fail(&err);
    if (cli->json)
        api_print(answer.root);
    else
        print(answer.root);
    return 0;
}

int one_job_do(struct cli *cli, const char *verb, const char *json, const char *said)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    char path[PATH_SIZE];
    struct err err;
    if (api_job_path(cli->argument, verb, path, sizeof path, &err) < 0 ||
        api_call(cli, "POST", path, json ? json : "{}", NULL, 0, &answer, NULL, &err) < 0)
        return cli_fail(&err);
    const char *id = api_text(answer.root, "id");
    if (cli->json && answer.root)
        api_print(answer.root);
    else
        printf("%s %s\n", *id ? id : cli->argument, *api_text(answer.root, "closed_at") ? "is closed" : said);
    return 0;
}
