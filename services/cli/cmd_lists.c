// list, tasks, services, workers: pages of a list, fetched until it ends or the limit is reached.
#include "services/cli/commands.h"
#include "services/cli/one_job.h"
#include "services/cli/print.h"
#include "services/common/base/parse.h"
#include "services/common/http/target.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define PAGE 500

struct column {
    const char *title, *member; // a text or a number of the entry
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

static void add_cell(struct table *table, struct json_object *entry, const char *member)
{
    struct json_object *value = api_member(entry, member);
    table_add(table, value ? json_object_get_string(value) : "");
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
            add_cell(table, entry, listing->columns[j].member);
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

static int show(struct cli *cli, struct listing *listing)
{
    const char *titles[TABLE_COLUMNS_MAX];
    char cursor[256] = "";
    struct table table;
    struct err err;
    for (size_t i = 0; i < listing->column_count; i++)
        titles[i] = listing->columns[i].title;
    table_init(&table, listing->column_count, titles);
    int64_t shown = 0;
    do {
        AUTO_JSON_DOCUMENT struct json_document page = JSON_DOCUMENT_INIT;
        if (fetch(cli, listing, cursor, listing->limit - shown, &page, &err) < 0)
            return cli_fail(&err);
        shown += add_entries(listing, cli, api_member(page.root, listing->member), listing->limit - shown, &table);
        snprintf(cursor, sizeof cursor, "%s", api_text(page.root, "next"));
    } while (*cursor && (listing->limit == 0 || shown < listing->limit));
    if (!cli->json)
        table_print(&table);
    return 0;
}

int cmd_list(struct cli *cli)
{
    static const struct column columns[] = {
        {"JOB", "id"}, {"NAME", "name"}, {"STATE", "state"}, {"CLEANUP", "cleanup"}, {"CREATED", "created_at"}};
    const char *state = NULL, *name = NULL, *label = NULL, *limit = "50";
    const struct option_spec options[] = {
        {"--state", &state, NULL}, {"--name", &name, NULL}, {"--label", &label, NULL}, {"--limit", &limit, NULL}};
    struct listing listing = {.member = "jobs", .columns = columns, .column_count = ARRAY_LEN(columns), .paged = true};
    struct err err;
    if (cli_options(cli, options, ARRAY_LEN(options), &err) < 0 ||
        parse_i64(limit, 1, 1000000, "--limit", &listing.limit, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 1)
        return cli_usage(cli->command, "list takes options only");
    strbuf_add_text(&listing.path, "/v1/jobs?");
    add_filter(&listing, "state", state);
    add_filter(&listing, "name", name);
    add_filter(&listing, "label", label);
    int status = show(cli, &listing);
    strbuf_release(&listing.path);
    return status;
}

// A list below a job.
static int job_listing(struct listing *listing, const char *job, const char *suffix)
{
    char path[256];
    struct err err;
    if (api_job_path(job, suffix, path, sizeof path, &err) < 0)
        return cli_fail(&err);
    strbuf_add_text(&listing->path, path);
    return 0;
}

int cmd_tasks(struct cli *cli)
{
    static const struct column tasks[] = {
        {"STAGE", "stage"}, {"INDEX", "index"}, {"STATE", "state"}, {"ATTEMPT", "attempt"}, {"ERROR", "error"}};
    static const struct column slices[] = {{"STAGE", "stage"}, {"FIRST", "first"},     {"COUNT", "count"},
                                           {"STATE", "state"}, {"ATTEMPT", "attempt"}, {"WORKER", "worker"}};
    const char *stage = NULL, *state = NULL, *job;
    bool as_slices = false;
    const struct option_spec options[] = {
        {"--stage", &stage, NULL}, {"--state", &state, NULL}, {"--slices", NULL, &as_slices}};
    struct listing listing = {.paged = true};
    int status = one_job(cli, options, ARRAY_LEN(options), &job);
    if (status == 0)
        status = job_listing(&listing, job, "/tasks?");
    if (status != 0)
        return status;
    listing.member = as_slices ? "slices" : "tasks";
    listing.columns = as_slices ? slices : tasks;
    listing.column_count = as_slices ? ARRAY_LEN(slices) : ARRAY_LEN(tasks);
    add_filter(&listing, "stage", stage);
    add_filter(&listing, "state", state);
    add_filter(&listing, "single", as_slices ? NULL : "true");
    status = show(cli, &listing);
    strbuf_release(&listing.path);
    return status;
}

int cmd_services(struct cli *cli)
{
    static const struct column columns[] = {{"SERVICE", "name"},  {"EPOCH", "epoch"}, {"STATE", "state"},
                                            {"WORKER", "worker"}, {"HOST", "host"},   {"PORTS", "ports"},
                                            {"ERROR", "error"}};
    struct listing listing = {.member = "services", .columns = columns, .column_count = ARRAY_LEN(columns)};
    const char *job;
    int status = one_job(cli, NULL, 0, &job);
    if (status == 0)
        status = job_listing(&listing, job, "/services");
    if (status == 0)
        status = show(cli, &listing);
    strbuf_release(&listing.path);
    return status;
}

int cmd_workers(struct cli *cli)
{
    static const struct column columns[] = {{"WORKER", "id"},    {"NAME", "name"},   {"STATE", "state"},
                                            {"HOST", "host"},    {"SLOTS", "slots"}, {"QUEUES", "queues"},
                                            {"LABELS", "labels"}};
    struct listing listing = {.member = "workers", .columns = columns, .column_count = ARRAY_LEN(columns)};
    struct err err;
    if (cli_options(cli, NULL, 0, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 1)
        return cli_usage(cli->command, "workers takes no arguments");
    strbuf_add_text(&listing.path, "/v1/workers");
    int status = show(cli, &listing);
    strbuf_release(&listing.path);
    return status;
}
