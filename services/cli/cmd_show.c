// show, wait, cleanup.
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/one_job.h"
#include "services/cli/print.h"
#include "services/common/base/parse.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static void print_line(const char *name, const char *value)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
    print_clean(&clean, value);
    if (*value)
        printf("%-12s%s\n", name, strbuf_text(&clean));
}

static void print_stages(struct json_object *stages)
{
    static const char *const titles[] = {"STAGE",   "STATE",     "TOTAL",  "READY",    "RUNNING",
                                         "DELAYED", "SUCCEEDED", "FAILED", "CANCELLED"};
    static const char *const members[] = {"total", "ready", "running", "delayed", "succeeded", "failed", "cancelled"};
    struct table table;
    table_init(&table, ARRAY_LEN(titles), titles);
    for (size_t i = 0; stages && i < json_object_array_length(stages); i++) {
        struct json_object *stage = json_object_array_get_idx(stages, i);
        table_add(&table, api_text(stage, "name"));
        table_add(&table, api_text(stage, "state"));
        for (size_t j = 0; j < ARRAY_LEN(members); j++)
            table_add_number(&table, api_number(stage, members[j]));
    }
    printf("\n");
    table_print(&table);
}

static void print_services(struct json_object *services)
{
    static const char *const titles[] = {"SERVICE", "EPOCH", "STATE", "HOST", "PORTS"};
    struct table table;
    if (!services || json_object_array_length(services) == 0)
        return;
    table_init(&table, ARRAY_LEN(titles), titles);
    for (size_t i = 0; i < json_object_array_length(services); i++) {
        struct json_object *service = json_object_array_get_idx(services, i);
        table_add(&table, api_text(service, "name"));
        table_add_number(&table, api_number(service, "epoch"));
        table_add(&table, api_text(service, "state"));
        table_add(&table, api_text(service, "host"));
        table_add_json(&table, api_member(service, "ports"));
    }
    printf("\n");
    table_print(&table);
}

static void print_job(struct json_object *job)
{
    struct json_object *reason = api_member(job, "reason");
    print_line("job", api_text(job, "id"));
    print_line("name", api_text(job, "name"));
    print_line("namespace", api_text(job, "namespace"));
    print_line("state", api_text(job, "state"));
    print_line("cleanup", api_text(job, "cleanup"));
    print_line("reason", api_text(reason, "message"));
    print_line("created", api_text(job, "created_at"));
    print_line("started", api_text(job, "started_at"));
    print_line("finished", api_text(job, "finished_at"));
    print_line("closed", api_text(job, "closed_at"));
    print_stages(api_member(job, "stages"));
    print_services(api_member(job, "services"));
}

int cmd_show(struct cli *cli)
{
    return one_job_show(cli, "", print_job);
}

int cmd_wait(struct cli *cli)
{
    const char *what = cli_option(cli, "--for"), *timeout = cli_option(cli, "--timeout");
    struct follow_settings settings = {.quiet = true, .print = cli->json};
    struct err err;
    settings.until_outcome = what && strcmp(what, "outcome") == 0;
    if (what && !settings.until_outcome && strcmp(what, "closed") != 0)
        return cli_usage(cli->command, "--for is outcome or closed");
    if (timeout && parse_duration_ms(timeout, "--timeout", &settings.timeout_ms, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (timeout && settings.timeout_ms == 0)
        settings.timeout_ms = 1; // a look without a wait
    return follow_job(cli, cli->argument, &settings);
}

// "TERM 12:00:00 KILL 12:00:05"
static void add_signals(struct table *table, struct json_object *signals)
{
    char text[512] = "";
    for (size_t i = 0; signals && i < json_object_array_length(signals); i++) {
        struct json_object *sent = json_object_array_get_idx(signals, i);
        const char *at = api_text(sent, "at");
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s %.8s", used ? ", " : "", api_text(sent, "signal"),
                 strlen(at) > 19 ? at + 11 : at);
    }
    table_add(table, text);
}

static void add_exit(struct table *table, struct json_object *exited)
{
    char text[64] = "";
    if (api_member(exited, "signal"))
        snprintf(text, sizeof text, "signal %s", json_object_get_string(api_member(exited, "signal")));
    else if (api_member(exited, "code"))
        snprintf(text, sizeof text, "exit %s", json_object_get_string(api_member(exited, "code")));
    table_add(table, text);
}

static void print_seconds(struct json_object *seconds)
{
    static const char *const parts[] = {"warming", "useful", "idle", "leaked"};
    printf("service-seconds:");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        printf("%s %.3f %s", i > 0 ? "," : "", json_object_get_double(api_member(seconds, parts[i])), parts[i]);
    printf("\n");
}

static void print_cleanup(struct json_object *answer)
{
    static const char *const titles[] = {"SERVICE", "EPOCH",    "STATE", "REASON",  "SIGNALS",
                                         "EXIT",    "BOUNDARY", "GRADE", "VERIFIED"};
    struct json_object *certificates = api_member(answer, "certificates");
    struct table table;
    table_init(&table, ARRAY_LEN(titles), titles);
    for (size_t i = 0; certificates && i < json_object_array_length(certificates); i++) {
        struct json_object *certificate = json_object_array_get_idx(certificates, i);
        table_add(&table, api_text(certificate, "service"));
        table_add_number(&table, api_number(certificate, "epoch"));
        table_add(&table, api_text(certificate, "state"));
        table_add(&table, api_text(certificate, "reason"));
        add_signals(&table, api_member(certificate, "signals"));
        add_exit(&table, api_member(certificate, "exit"));
        table_add(&table, api_text(certificate, "boundary"));
        table_add(&table, api_text(certificate, "grade"));
        table_add(&table, api_text(certificate, "verified_at"));
    }
    printf("cleanup: %s\n", api_text(answer, "cleanup"));
    print_seconds(api_member(answer, "seconds"));
    table_print(&table);
}

int cmd_cleanup(struct cli *cli)
{
    return one_job_show(cli, "/cleanup", print_cleanup);
}
