#include "services/common/store/wakes.h"

#include "services/common/base/parse.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How far back an equal wake is looked for. A batch adds equal ones close together, and sending one twice does no harm.
#define MERGE_DEPTH 16

static const char letters[] = {[WAKE_DEMAND] = 'd', [WAKE_WORKER] = 'w', [WAKE_JOB] = 'j'};

void wakes_release(struct wakes *wakes)
{
    free(wakes->items);
    *wakes = (struct wakes)WAKES_INIT;
}

void wakes_clear(struct wakes *wakes)
{
    wakes->count = 0;
}

static struct wake *find_recent(const struct wakes *wakes, enum wake_kind kind, int64_t id)
{
    size_t first = wakes->count > MERGE_DEPTH ? wakes->count - MERGE_DEPTH : 0;
    for (size_t i = wakes->count; i > first; i--)
        if (wakes->items[i - 1].kind == kind && wakes->items[i - 1].id == id)
            return &wakes->items[i - 1];
    return NULL;
}

static bool make_room(struct wakes *wakes)
{
    if (wakes->count < wakes->capacity)
        return true;
    size_t capacity = wakes->capacity ? wakes->capacity * 2 : 32;
    struct wake *items = reallocarray(wakes->items, capacity, sizeof *items);
    if (!items)
        return false;
    wakes->items = items;
    wakes->capacity = capacity;
    return true;
}

void wakes_add(struct wakes *wakes, enum wake_kind kind, int64_t id, int64_t tasks)
{
    struct wake *known = find_recent(wakes, kind, id);
    if (known)
        known->tasks += tasks;
    else if (make_room(wakes))
        wakes->items[wakes->count++] = (struct wake){kind, id, tasks};
}

void wakes_drop(struct wakes *wakes, enum wake_kind kind, int64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < wakes->count; i++)
        if (wakes->items[i].kind != kind || wakes->items[i].id != id)
            wakes->items[kept++] = wakes->items[i];
    wakes->count = kept;
}

void wake_format(const struct wake *wake, char out[static WAKE_TEXT_SIZE])
{
    if (wake->kind == WAKE_DEMAND)
        snprintf(out, WAKE_TEXT_SIZE, "d%" PRId64 ":%" PRId64, wake->id, wake->tasks);
    else
        snprintf(out, WAKE_TEXT_SIZE, "%c%" PRId64, letters[wake->kind], wake->id);
}

static int parse_demand(const char *text, struct wake *out, struct err *err)
{
    char id[WAKE_TEXT_SIZE];
    const char *colon = strchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof id)
        return err_set(err, ERR_INVALID, "wake '%.40s' lacks its number of tasks", text);
    memcpy(id, text, (size_t)(colon - text));
    id[colon - text] = '\0';
    if (parse_i64(id, 0, INT64_MAX, "demand of a wake", &out->id, err) < 0)
        return -1;
    return parse_i64(colon + 1, 0, INT64_MAX, "tasks of a wake", &out->tasks, err);
}

int wake_parse(const char *text, struct wake *out, struct err *err)
{
    *out = (struct wake){0};
    for (size_t kind = 0; kind < ARRAY_LEN(letters); kind++)
        if (text[0] == letters[kind])
            out->kind = (enum wake_kind)kind;
    if (text[0] == '\0' || text[0] != letters[out->kind])
        return err_set(err, ERR_INVALID, "wake '%.40s' is of no known kind", text);
    if (out->kind == WAKE_DEMAND)
        return parse_demand(text + 1, out, err);
    return parse_i64(text + 1, 0, INT64_MAX, "id of a wake", &out->id, err);
}
