// logs, events, results: what the manager streams goes to stdout as it comes.
#include "services/cli/commands.h"
#include "services/cli/one_job.h"
#include "services/common/http/target.h"

#include <stdio.h>

#define PATH_SIZE 1024

static int stream(struct cli *cli, const char *job, const char *suffix)
{
    char path[PATH_SIZE];
    struct err err;
    if (api_job_path(job, suffix, path, sizeof path, &err) < 0 || api_stream(cli, path, &err) < 0)
        return cli_fail(&err);
    return 0;
}

int cmd_logs(struct cli *cli)
{
    bool follow = false;
    const char *source = NULL, *job;
    const struct option_spec options[] = {
        {"-f", NULL, &follow}, {"--follow", NULL, &follow}, {"--source", &source, NULL}};
    AUTO_STRBUF struct strbuf suffix = STRBUF_INIT;
    struct err err;
    int status = one_job(cli, options, ARRAY_LEN(options), &job);
    if (status != 0)
        return status;
    strbuf_add_format(&suffix, "/logs?follow=%s%s", follow ? "true" : "false", cli->json ? "&format=json" : "");
    if (source) {
        strbuf_add_text(&suffix, "&source=");
        http_escape(&suffix, source);
    }
    if (strbuf_ok(&suffix, &err) < 0)
        return cli_fail(&err);
    return stream(cli, job, strbuf_text(&suffix));
}

int cmd_events(struct cli *cli)
{
    const char *job;
    int status = one_job(cli, NULL, 0, &job);
    return status != 0 ? status : stream(cli, job, "/events");
}

int cmd_results(struct cli *cli)
{
    const char *job;
    int status = one_job(cli, NULL, 0, &job);
    return status != 0 ? status : stream(cli, job, "/results");
}
