#include "services/cli/progress.h"

#include "services/cli/api.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define BAR_WIDEST 30
#define BAR_NARROWEST 8
#define STATE_WIDTH 9
#define PART_SIZE 64
#define PARTS 5

struct progress {
    int64_t total, done, failed, running;
    int64_t services, ready;
    const char *state, *cleanup;
};

static void count_stages(struct progress *progress, struct json_object *stages)
{
    for (size_t i = 0; stages && i < json_object_array_length(stages); i++) {
        struct json_object *stage = json_object_array_get_idx(stages, i);
        progress->total += api_number(stage, "total");
        progress->done += api_number(stage, "succeeded") + api_number(stage, "failed") + api_number(stage, "cancelled");
        progress->failed += api_number(stage, "failed");
        progress->running += api_number(stage, "running");
    }
}

static void count_services(struct progress *progress, struct json_object *services)
{
    for (size_t i = 0; services && i < json_object_array_length(services); i++) {
        progress->services++;
        progress->ready += strcmp(api_text(json_object_array_get_idx(services, i), "state"), "ready") == 0;
    }
}

// Adds a part when there is room for it; nothing comes behind one that had none.
static void add_part(char parts[PARTS][PART_SIZE], size_t *count, size_t *room, const char *text)
{
    if (*room < strlen(text)) {
        *room = 0;
        return;
    }
    *room -= strlen(text);
    snprintf(parts[(*count)++], PART_SIZE, "%s", text);
}

// What stands behind the bar.
static size_t compose(const struct progress *progress, char parts[PARTS][PART_SIZE], size_t *room)
{
    char text[PART_SIZE];
    size_t count = 0;
    snprintf(text, sizeof text, " %lld/%lld", (long long)progress->done, (long long)progress->total);
    add_part(parts, &count, room, text);
    if (progress->failed > 0) {
        snprintf(text, sizeof text, "  %lld failed", (long long)progress->failed);
        add_part(parts, &count, room, text);
    }
    if (progress->running > 0) {
        snprintf(text, sizeof text, "  %lld running", (long long)progress->running);
        add_part(parts, &count, room, text);
    }
    if (strcmp(progress->state, "starting") == 0) {
        snprintf(text, sizeof text, "  %lld/%lld services ready", (long long)progress->ready,
                 (long long)progress->services);
        add_part(parts, &count, room, text);
    }
    if (strcmp(progress->cleanup, "pending") == 0 || strcmp(progress->cleanup, "stuck") == 0) {
        snprintf(text, sizeof text, "  cleanup %.20s", progress->cleanup);
        add_part(parts, &count, room, text);
    }
    return count;
}

// With the width that is left, as " [###...]".
static void add_bar(struct strbuf *out, const struct progress *progress, size_t room)
{
    if (room < BAR_NARROWEST + 3)
        return;
    int64_t width = (int64_t)(room - 3 < BAR_WIDEST ? room - 3 : BAR_WIDEST);
    int64_t filled = progress->total > 0 ? progress->done * width / progress->total : 0;
    strbuf_add_text(out, " [");
    for (int64_t i = 0; i < width; i++)
        strbuf_add_char(out, i < filled ? '#' : '.');
    strbuf_add_char(out, ']');
}

void progress_line(struct strbuf *out, struct json_object *job, size_t columns)
{
    struct progress progress = {.state = api_text(job, "state"), .cleanup = api_text(job, "cleanup")};
    char parts[PARTS][PART_SIZE], state[PART_SIZE];
    count_stages(&progress, api_member(job, "stages"));
    count_services(&progress, api_member(job, "services"));
    snprintf(state, sizeof state, "%-*.20s", STATE_WIDTH, progress.state);
    if (columns <= strlen(state))
        return;
    size_t room = columns - 1 - strlen(state), count = compose(&progress, parts, &room);
    strbuf_add_text(out, state);
    add_bar(out, &progress, room);
    for (size_t i = 0; i < count; i++)
        strbuf_add_text(out, parts[i]);
}
