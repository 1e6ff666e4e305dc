// why: of a job, a task, a service or a worker, in the manager's words.
#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/cli/print.h"
#include "services/common/base/parse.h"
#include "services/common/http/target.h"

#include <json-c/json.h>
#include <string.h>

#define FORMAT (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static void print_clean_line(const char *title, const char *text)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
    print_clean(&clean, text);
    if (*text)
        printf("%s%s\n", title, strbuf_text(&clean));
}

static void print_why(struct json_object *answer)
{
    struct json_object *evidence = api_member(answer, "evidence");
    print_clean_line("", api_text(answer, "message"));
    if (evidence && json_object_object_length(evidence) > 0)
        print_clean_line("evidence: ", json_object_to_json_string_ext(evidence, FORMAT));
    print_clean_line("reason:   ", api_text(answer, "code"));
    print_clean_line("do:       ", api_text(answer, "advice"));
}

static void add_segment(struct strbuf *path, const char *before, const char *text, size_t length)
{
    AUTO_STRBUF struct strbuf segment = STRBUF_INIT;
    strbuf_add(&segment, text, length);
    strbuf_add_text(path, before);
    http_escape(path, strbuf_text(&segment));
}

// "STAGE/INDEX" is a task, anything else a service.
static void add_part(struct strbuf *path, const char *part)
{
    const char *slash = strrchr(part, '/');
    if (slash) {
        add_segment(path, "/tasks/", part, (size_t)(slash - part));
        add_segment(path, "/", slash + 1, strlen(slash + 1));
    } else {
        add_segment(path, "/services/", part, strlen(part));
    }
}

int cmd_why(struct cli *cli)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    const char *worker = cli_option(cli, "--worker"), *first = worker ? worker : cli->argument;
    struct err err;
    if (worker && parse_i64(worker, 1, INT64_MAX, "--worker", &(int64_t){0}, NULL) < 0)
        return cli_usage(cli->command, "'%.80s' is no number of a worker: `curfew workers` lists them", worker);
    add_segment(&path, worker ? "/v1/workers/" : "/v1/jobs/", first, strlen(first));
    if (cli->second)
        add_part(&path, cli->second);
    strbuf_add_text(&path, "/why");
    if (strbuf_ok(&path, &err) < 0 || api_get(cli, strbuf_text(&path), &answer, &err) < 0)
        return cli_fail(&err);
    if (cli->json)
        api_print(answer.root);
    else
        print_why(answer.root);
    return 0;
}
