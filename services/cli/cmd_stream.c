// logs, events, results: streamed to stdout.
#include "services/cli/commands.h"
#include "services/cli/stream.h"
#include "services/common/http/target.h"

static int stream(struct cli *cli, const char *suffix)
{
    struct err err;
    return stream_job(cli, cli->argument, suffix, cli_option(cli, "--follow"), &err) < 0 ? cli_fail(&err) : 0;
}

int cmd_logs(struct cli *cli)
{
    const char *source = cli_option(cli, "--source");
    AUTO_STRBUF struct strbuf suffix = STRBUF_INIT;
    struct err err;
    strbuf_add_format(&suffix, "/logs?follow=%s%s", cli_option(cli, "--follow") ? "true" : "false",
                      cli->json ? "&format=json" : "");
    if (source) {
        strbuf_add_text(&suffix, "&source=");
        http_escape(&suffix, source);
    }
    return strbuf_ok(&suffix, &err) < 0 ? cli_fail(&err) : stream(cli, strbuf_text(&suffix));
}

int cmd_events(struct cli *cli)
{
    return stream(cli, cli_option(cli, "--follow") ? "/events?follow=true" : "/events");
}

int cmd_results(struct cli *cli)
{
    return stream(cli, cli_option(cli, "--follow") ? "/results?follow=true" : "/results");
}
