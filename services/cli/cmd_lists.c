// list, tasks, services, workers, leaks, token list: pages of a list, fetched until it ends or the limit is reached.
#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/cli/print.h"
#include "services/common/base/parse.h"
#include "services/common/http/target.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define PAGE 500
#define PATH_SIZE 256
#define CURSOR_SIZE 256

struct column {
    const char *title, *member; // of the entry
    const char *inner;          // of the member, when that is an object; NULL: all of it
};

// A list to be shown: where from, what of it, in which columns.
struct listing {
    struct strbuf path; // with '?' and filters, without limit and cursor
    const char *member;
    const struct column *columns;
    size_t column_count;
    int64_t limit; // entries in all; 0: no limit
    bool paged;
};

static void add_filter(struct listing *listing, const char *name, const char *value)
{
    if (!value)
        return;
    strbuf_add_format(&listing->path, "%s=", name);
    http_escape(&listing->path, value);
    strbuf_add_char(&listing->path, '&');
}

static void add_cell(struct table *table, struct json_object *entry, const struct column *column)
{
    struct json_object *value = api_member(entry, column->member);
    table_add_json(table, column->inner ? api_member(value, column->inner) : value);
}

static int64_t add_entries(const struct listing *listing, struct cli *cli, struct json_object *entries, int64_t room,
                           struct table *table)
{
    int64_t count = entries ? (int64_t)json_object_array_length(entries) : 0;
    if (listing->limit > 0 && count > room)
        count = room;
    for (int64_t i = 0; i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(entries, (size_t)i);
        if (cli->json)
            printf("%s\n",
                   json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        for (size_t j = 0; !cli->json && j < listing->column_count; j++)
            add_cell(table, entry, &listing->columns[j]);
    }
    return count;
}

static int fetch(struct cli *cli, const struct listing *listing, const char *cursor, int64_t room,
                 struct json_document *page, struct err *err)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    strbuf_add(&path, listing->path.data, listing->path.length);
    if (listing->paged)
        strbuf_add_format(&path, "limit=%d", (int)(listing->limit > 0 && room < PAGE ? room : PAGE));
    if (*cursor) {
        strbuf_add_text(&path, "&cursor=");
        http_escape(&path, cursor);
    }
    return strbuf_ok(&path, err) < 0 ? -1 : api_get(cli, strbuf_text(&path), page, err);
}

// Takes the listing: its path is released.
static int show(struct cli *cli, struct listing *listing)
{
    char cursor[CURSOR_SIZE] = "";
    struct table table;
    struct err err;
    int outcome = 0;
    table_init(&table, listing->column_count, NULL);
    for (size_t i = 0; i < listing->column_count; i++)
        table_add(&table, listing->columns[i].title);
    int64_t shown = 0;
    do {
        AUTO_JSON_DOCUMENT struct json_document page = JSON_DOCUMENT_INIT;
        outcome = fetch(cli, listing, cursor, listing->limit - shown, &page, &err);
        if (outcome < 0)
            break;
        shown += add_entries(listing, cli, api_member(page.root, listing->member), listing->limit - shown, &table);
        snprintf(cursor, sizeof cursor, "%s", api_text(page.root, "next"));
    } while (*cursor && (listing->limit == 0 || shown < listing->limit));
    strbuf_release(&listing->path);
    if (!cli->json && outcome == 0)
        table_print(&table);
    table_release(&table);
    return outcome < 0 ? cli_fail(&err) : 0;
}

int cmd_list(struct cli *cli)
{
    static const struct column columns[] = {{"JOB", "id", NULL},
                                            {"NAME", "name", NULL},
                                            {"STATE", "state", NULL},
                                            {"CLEANUP", "cleanup", NULL},
                                            {"CREATED", "created_at", NULL}};
    const char *limit = cli_option(cli, "--limit");
    struct listing listing = {.member = "jobs", .columns = columns, .column_count = ARRAY_LEN(columns), .paged = true};
    struct err err;
    if (parse_i64(limit ? limit : "50", 1, 1000000, "--limit", &listing.limit, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    strbuf_add_text(&listing.path, "/v1/jobs?");
    add_filter(&listing, "state", cli_option(cli, "--state"));
    add_filter(&listing, "name", cli_option(cli, "--name"));
    add_filter(&listing, "label", cli_option(cli, "--label"));
    add_filter(&listing, "namespace", cli_option(cli, "--namespace"));
    return show(cli, &listing);
}

// A list below a job.
static int show_of_job(struct cli *cli, struct listing *listing, const char *suffix)
{
    char path[PATH_SIZE];
    struct err err;
    if (api_job_path(cli->argument, suffix, path, sizeof path, &err) < 0)
        return cli_fail(&err);
    struct strbuf filters = listing->path;
    listing->path = (struct strbuf)STRBUF_INIT;
    strbuf_add_text(&listing->path, path);
    strbuf_add(&listing->path, strbuf_text(&filters), filters.length);
    strbuf_release(&filters);
    return show(cli, listing);
}

int cmd_tasks(struct cli *cli)
{
    static const struct column tasks[] = {{"STAGE", "stage", NULL},
                                          {"INDEX", "index", NULL},
                                          {"STATE", "state", NULL},
                                          {"ATTEMPT", "attempt", NULL},
                                          {"ERROR", "error", "error"}};
    static const struct column slices[] = {{"STAGE", "stage", NULL},     {"FIRST", "first", NULL},
                                           {"COUNT", "count", NULL},     {"STATE", "state", NULL},
                                           {"ATTEMPT", "attempt", NULL}, {"WORKER", "worker", NULL}};
    bool as_slices = cli_option(cli, "--slices") != NULL;
    struct listing listing = {.paged = true,
                              .member = as_slices ? "slices" : "tasks",
                              .columns = as_slices ? slices : tasks,
                              .column_count = as_slices ? ARRAY_LEN(slices) : ARRAY_LEN(tasks)};
    add_filter(&listing, "stage", cli_option(cli, "--stage"));
    add_filter(&listing, "state", cli_option(cli, "--state"));
    add_filter(&listing, "single", as_slices ? NULL : "true");
    return show_of_job(cli, &listing, "/tasks?");
}

int cmd_services(struct cli *cli)
{
    static const struct column columns[] = {
        {"SERVICE", "name", NULL}, {"EPOCH", "epoch", NULL}, {"STATE", "state", NULL}, {"WORKER", "worker", NULL},
        {"HOST", "host", NULL},    {"PORTS", "ports", NULL}, {"ERROR", "error", NULL}};
    struct listing listing = {.member = "services", .columns = columns, .column_count = ARRAY_LEN(columns)};
    return show_of_job(cli, &listing, "/services");
}

int cmd_workers(struct cli *cli)
{
    static const struct column columns[] = {
        {"WORKER", "id", NULL},   {"NAME", "name", NULL},     {"STATE", "state", NULL},  {"HOST", "host", NULL},
        {"SLOTS", "slots", NULL}, {"QUEUES", "queues", NULL}, {"LABELS", "labels", NULL}};
    struct listing listing = {
        .member = "workers", .columns = columns, .column_count = ARRAY_LEN(columns), .paged = true};
    strbuf_add_text(&listing.path, "/v1/workers?");
    return show(cli, &listing);
}

int cmd_leaks(struct cli *cli)
{
    static const struct column columns[] = {{"JOB", "job", NULL},
                                            {"SERVICE", "name", NULL},
                                            {"EPOCH", "epoch", NULL},
                                            {"STATE", "state", NULL},
                                            {"WORKER", "worker", NULL},
                                            {"OBJECT", "object", NULL},
                                            {"STOP ASKED", "stop_requested_at", NULL}};
    struct listing listing = {.member = "leaks", .columns = columns, .column_count = ARRAY_LEN(columns), .paged = true};
    strbuf_add_text(&listing.path, "/v1/leaks?");
    return show(cli, &listing);
}

int cmd_token_list(struct cli *cli)
{
    static const struct column columns[] = {{"TOKEN", "id", NULL},
                                            {"NAME", "name", NULL},
                                            {"ROLE", "role", NULL},
                                            {"STATE", "state", NULL},
                                            {"NAMESPACE", "namespace", NULL},
                                            {"CREATED", "created_at", NULL},
                                            {"BY", "created_by", NULL},
                                            {"EXPIRES", "expires_at", NULL},
                                            {"MAX JOBS", "max_jobs", NULL},
                                            {"TASKS", "max_tasks", NULL},
                                            {"SERVICES", "max_services", NULL},
                                            {"LOG BYTES", "max_log_bytes", NULL}};
    struct listing listing = {
        .member = "tokens", .columns = columns, .column_count = ARRAY_LEN(columns), .paged = true};
    strbuf_add_text(&listing.path, "/v1/tokens?");
    return show(cli, &listing);
}
