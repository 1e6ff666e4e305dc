// token: make, list, revoke.
#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/common/base/parse.h"
#include "services/common/http/target.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

// Appends the limits that are given.
static int add_limits(const struct cli *cli, struct strbuf *body, struct err *err)
{
    static const char *const names[] = {"--max-jobs", "--max-tasks", "--max-services"};
    static const char *const members[] = {"max_jobs", "max_tasks", "max_services"};
    const char *bytes = cli_option(cli, "--max-log-bytes");
    int64_t limit;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *text = cli_option(cli, names[i]);
        if (!text)
            continue;
        if (parse_i64(text, 0, INT64_MAX, names[i], &limit, err) < 0)
            return -1;
        strbuf_add_format(body, ",\"%s\":%lld", members[i], (long long)limit);
    }
    if (!bytes)
        return 0;
    if (parse_size_bytes(bytes, "--max-log-bytes", &limit, err) < 0)
        return -1;
    strbuf_add_format(body, ",\"max_log_bytes\":%lld", (long long)limit);
    return 0;
}

static int make(struct cli *cli)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    const char *name = cli_option(cli, "--name"), *role = cli_option(cli, "--role");
    const char *expires_in = cli_option(cli, "--expires-in"), *space = cli_option(cli, "--namespace");
    int64_t lifetime_ms;
    struct err err;
    if (!name || !role)
        return cli_usage(cli->command, "token create needs --name and --role");
    if (expires_in && parse_duration_ms(expires_in, "--expires-in", &lifetime_ms, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    strbuf_add_text(&body, "{\"name\":");
    strbuf_add_json(&body, name, strlen(name));
    strbuf_add_text(&body, ",\"role\":");
    strbuf_add_json(&body, role, strlen(role));
    if (expires_in)
        strbuf_add_format(&body, ",\"expires_in\":\"%s\"", expires_in);
    if (space) {
        strbuf_add_text(&body, ",\"namespace\":");
        strbuf_add_json(&body, space, strlen(space));
    }
    if (add_limits(cli, &body, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    strbuf_add_char(&body, '}');
    if (strbuf_ok(&body, &err) < 0 ||
        api_call(cli, "POST", "/v1/tokens", strbuf_text(&body), NULL, 0, &answer, NULL, &err) < 0)
        return cli_fail(&err);
    if (cli->json)
        api_print(answer.root);
    else
        printf("%s\n", api_text(answer.root, "token"));
    fprintf(stderr, "token %s of role %s, shown this once: keep it in a file that only its user can read\n",
            api_text(answer.root, "id"), api_text(answer.root, "role"));
    return 0;
}

static int revoke(struct cli *cli)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    const char *id = cli_option(cli, "--id");
    struct err err;
    if (!id || !*id)
        return cli_usage(cli->command, "token revoke needs --id");
    strbuf_add_text(&path, "/v1/tokens/");
    http_escape(&path, id);
    if (strbuf_ok(&path, &err) < 0 ||
        api_call(cli, "DELETE", strbuf_text(&path), NULL, NULL, 0, &answer, NULL, &err) < 0)
        return cli_fail(&err);
    if (cli->json)
        api_print(answer.root);
    else
        printf("%s is revoked\n", id);
    return 0;
}

int cmd_token(struct cli *cli)
{
    if (strcmp(cli->argument, "create") == 0)
        return make(cli);
    if (strcmp(cli->argument, "list") == 0)
        return cmd_token_list(cli);
    if (strcmp(cli->argument, "revoke") == 0)
        return revoke(cli);
    return cli_usage(cli->command, "token knows create, list and revoke, not '%.40s'", cli->argument);
}
