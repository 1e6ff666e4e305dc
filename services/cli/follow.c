#include "services/cli/follow.h"

#include "services/cli/api.h"
#include "services/common/base/backoff.h"
#include "services/common/base/clock.h"

#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 250         // how often progress is looked at
#define WAIT_QUIET_MS 20000 // how long one long-poll lasts when nobody watches
#define PATIENCE_MS 120000  // how long the manager may be away
#define BAR_WIDTH 30
#define PATH_SIZE 256

struct follow {
    struct cli *cli;
    const char *job;
    const struct follow_settings *settings;
    int64_t seen_event;
    bool bar_shown;
    char outcome[32];
    bool over; // closed, or as far as it goes by itself
};

// ---- lines

static void hide_bar(struct follow *follow)
{
    if (follow->bar_shown)
        fprintf(stderr, "\r\033[K");
    follow->bar_shown = false;
}

static const char *color_of(const struct follow *follow, const char *kind, const char *outcome)
{
    bool bad = strstr(kind, "failed") || strstr(kind, "stuck") || strstr(kind, "lost") || strstr(kind, "unhealthy") ||
               (*outcome && strcmp(outcome, "succeeded") != 0);
    bool good = strstr(kind, "verified") || strstr(kind, "closed") || strcmp(outcome, "succeeded") == 0;
    if (!follow->cli->color)
        return "";
    return bad ? "\033[31m" : good ? "\033[32m" : "";
}

// "service cache verified" from "service.verified" and its data, with what else the data says.
static void print_event(struct follow *follow, struct json_object *event)
{
    const char *kind = api_text(event, "kind"), *at = api_text(event, "at");
    struct json_object *data = api_member(event, "data");
    const char *color = color_of(follow, kind, api_text(data, "outcome"));
    hide_bar(follow);
    printf("%.8s  %s%s%s", strlen(at) > 19 ? at + 11 : at, color, kind, *color ? "\033[0m" : "");
    if (data) {
        json_object_object_foreach(data, name, value)
        {
            if (value && !json_object_is_type(value, json_type_object) && !json_object_is_type(value, json_type_array))
                printf("  %s=%s", name, json_object_get_string(value));
        }
    }
    printf("\n");
}

struct lines {
    struct follow *follow;
    struct strbuf rest; // a line that is not whole yet
};

static int on_events(void *context, const char *bytes, size_t length)
{
    struct lines *lines = context;
    strbuf_add(&lines->rest, bytes, length);
    for (char *newline; lines->rest.length > 0 && (newline = memchr(lines->rest.data, '\n', lines->rest.length));) {
        AUTO_JSON_DOCUMENT struct json_document event = JSON_DOCUMENT_INIT;
        size_t line = (size_t)(newline - lines->rest.data);
        if (json_parse(lines->rest.data, line, NULL, &event, NULL, NULL) == 0) {
            lines->follow->seen_event = api_number(event.root, "seq");
            print_event(lines->follow, event.root);
        }
        strbuf_drop_front(&lines->rest, line + 1);
    }
    return 0;
}

static int print_events(struct follow *follow, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct lines lines = {.follow = follow};
    char path[PATH_SIZE], suffix[64];
    snprintf(suffix, sizeof suffix, "/events?after=%lld", (long long)follow->seen_event);
    if (api_job_path(follow->job, suffix, path, sizeof path, err) < 0)
        return -1;
    const struct http_call call = {.method = "GET", .path = path, .on_body = on_events, .on_body_context = &lines};
    int outcome = http_call(follow->cli->client, &call, &response, err);
    strbuf_release(&lines.rest);
    fflush(stdout);
    if (outcome < 0)
        return -1;
    return response.status == 200 ? 0 : api_problem(&response, err);
}

// ---- the bar

static void show_bar(struct follow *follow, struct json_object *job)
{
    struct json_object *stages = api_member(job, "stages");
    int64_t total = 0, done = 0, failed = 0, running = 0;
    for (size_t i = 0; stages && i < json_object_array_length(stages); i++) {
        struct json_object *stage = json_object_array_get_idx(stages, i);
        total += api_number(stage, "total");
        done += api_number(stage, "succeeded") + api_number(stage, "failed") + api_number(stage, "cancelled");
        failed += api_number(stage, "failed");
        running += api_number(stage, "running");
    }
    int filled = total > 0 ? (int)(done * BAR_WIDTH / total) : 0;
    char bar[BAR_WIDTH + 1];
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(BAR_WIDTH - filled));
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%-9s [%s] %lld/%lld", api_text(job, "state"), bar, (long long)done, (long long)total);
    if (running > 0)
        fprintf(stderr, "  %lld running", (long long)running);
    if (failed > 0)
        fprintf(stderr, "  %lld failed", (long long)failed);
    fprintf(stderr, "  services: %s", api_text(job, "cleanup"));
    follow->bar_shown = true;
}

// ---- the job

static int look(struct follow *follow, int64_t wait_ms, struct err *err)
{
    AUTO_JSON_DOCUMENT struct json_document job = JSON_DOCUMENT_INIT;
    char path[PATH_SIZE], suffix[64];
    snprintf(suffix, sizeof suffix, "?wait=%s&timeout=%lldms", follow->settings->until_outcome ? "outcome" : "closed",
             (long long)wait_ms);
    if (api_job_path(follow->job, suffix, path, sizeof path, err) < 0 || api_get(follow->cli, path, &job, err) < 0)
        return -1;
    snprintf(follow->outcome, sizeof follow->outcome, "%s", api_text(job.root, "outcome"));
    bool ended = follow->outcome[0] != '\0';
    bool kept = strcmp(api_text(job.root, "cleanup"), "kept") == 0;
    follow->over = *api_text(job.root, "closed_at") || (ended && (follow->settings->until_outcome || kept));
    if (follow->settings->quiet)
        return 0;
    if (print_events(follow, err) < 0)
        return -1;
    if (follow->cli->terminal && !follow->over)
        show_bar(follow, job.root);
    return 0;
}

static bool may_pass(const struct err *err)
{
    return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_IO || err->code == ERR_LIMIT;
}

int follow_job(struct cli *cli, const char *job, const struct follow_settings *settings)
{
    struct follow follow = {.cli = cli, .job = job, .settings = settings};
    struct backoff backoff = {.base_ms = 100, .max_ms = 2000};
    int64_t started_ms = clock_boot_ms(), answered_ms = started_ms;
    while (!follow.over) {
        struct err err;
        int64_t now_ms = clock_boot_ms(), wait_ms = settings->quiet ? WAIT_QUIET_MS : LOOK_MS;
        if (settings->timeout_ms > 0 && now_ms - started_ms >= settings->timeout_ms)
            break;
        if (settings->timeout_ms > 0 && wait_ms > settings->timeout_ms - (now_ms - started_ms))
            wait_ms = settings->timeout_ms - (now_ms - started_ms);
        if (look(&follow, wait_ms, &err) == 0) {
            answered_ms = clock_boot_ms();
            backoff_reset(&backoff);
            continue;
        }
        if (!may_pass(&err) || clock_boot_ms() - answered_ms > PATIENCE_MS) {
            hide_bar(&follow);
            return cli_fail(&err);
        }
        poll(NULL, 0, (int)backoff_next_ms(&backoff));
    }
    hide_bar(&follow);
    return follow.over ? cli_outcome_status(follow.outcome) : EXIT_UNFINISHED;
}
