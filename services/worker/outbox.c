#include "services/worker/outbox.h"

#include <stdlib.h>
#include <string.h>

enum entry_kind { ENTRY_OUTCOME, ENTRY_OBSERVATION };

struct entry {
    struct entry *next;
    enum entry_kind kind;
    int64_t token;     // outcome
    struct strbuf key; // observation: "job/service/epoch"
    struct strbuf json;
    bool under_way;
};

struct outbox {
    struct entry *first, **end; // in the order in which they came
};

int outbox_new(struct outbox **out, struct err *err)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return err_set(err, ERR_NO_MEMORY, "no memory for the outbox");
    outbox->end = &outbox->first;
    *out = outbox;
    return 0;
}

static void free_entry(struct entry *entry)
{
    strbuf_release(&entry->key);
    strbuf_release(&entry->json);
    free(entry);
}

void outbox_clear(struct outbox *outbox)
{
    while (outbox->first) {
        struct entry *entry = outbox->first;
        outbox->first = entry->next;
        free_entry(entry);
    }
    outbox->end = &outbox->first;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    outbox_clear(outbox);
    free(outbox);
}

// ---- JSON

static void add_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_add_text(out, name);
    if (text)
        strbuf_add_json_mended(out, text);
    else
        strbuf_add_text(out, "null");
}

static void add_number(struct strbuf *out, const char *name, int64_t number)
{
    strbuf_add_text(out, name);
    strbuf_add_i64(out, number);
}

static void add_number_or_null(struct strbuf *out, const char *name, int64_t number)
{
    strbuf_add_text(out, name);
    if (number >= 0)
        strbuf_add_i64(out, number);
    else
        strbuf_add_text(out, "null");
}

static const char *retry_name(enum slice_retry retry)
{
    switch (retry) {
    case SLICE_RETRY_COUNTED:
        return "counted";
    case SLICE_RETRY_UNCOUNTED:
        return "uncounted";
    case SLICE_RETRY_NEVER:
        return "never";
    }
    return "counted";
}

static void write_failed(struct strbuf *out, const struct slice_outcome *outcome)
{
    strbuf_add_text(out, ",\"failed\":[");
    for (size_t i = 0; i < outcome->failed_count; i++) {
        add_number(out, i ? ",{\"task\":" : "{\"task\":", outcome->failed[i].task);
        add_text(out, ",\"error\":", outcome->failed[i].error);
        add_number_or_null(out, ",\"exit\":", outcome->failed[i].exit);
        add_text(out, ",\"retry\":", retry_name(outcome->failed[i].retry));
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
}

static void write_outcome(struct strbuf *out, const struct slice_outcome *outcome)
{
    add_text(out, "{\"slice\":", outcome->slice);
    add_number(out, ",\"token\":", outcome->token);
    strbuf_add_text(out, ",\"succeeded\":[");
    for (size_t i = 0; i < outcome->succeeded_count; i++) {
        add_number(out, i ? ",[" : "[", outcome->succeeded[i].from);
        add_number(out, ",", outcome->succeeded[i].to);
        strbuf_add_char(out, ']');
    }
    strbuf_add_char(out, ']');
    write_failed(out, outcome);
    strbuf_add_text(out, ",\"outputs\":[");
    for (size_t i = 0; i < outcome->output_count; i++) {
        add_number(out, i ? ",{\"task\":" : "{\"task\":", outcome->outputs[i].task);
        strbuf_add_text(out, ",\"output\":");
        strbuf_add_text(out, outcome->outputs[i].json);
        strbuf_add_char(out, '}');
    }
    strbuf_add_text(out, "]}");
}

static void write_exit(struct strbuf *out, const struct observation *observation)
{
    if (observation->exit_code < 0 && observation->exit_signal <= 0) {
        strbuf_add_text(out, ",\"exit\":null");
        return;
    }
    add_number_or_null(out, ",\"exit\":{\"code\":", observation->exit_code);
    add_number_or_null(out, ",\"signal\":", observation->exit_signal > 0 ? observation->exit_signal : -1);
    strbuf_add_char(out, '}');
}

static void write_observation(struct strbuf *out, const struct observation *observation)
{
    add_text(out, "{\"job\":", observation->job);
    add_text(out, ",\"service\":", observation->service);
    add_number(out, ",\"epoch\":", observation->epoch);
    add_text(out, ",\"state\":", instance_state_name(observation->state));
    add_text(out, ",\"object\":", observation->object);
    add_text(out, ",\"host\":", observation->host);
    add_text(out, ",\"boundary\":", observation->boundary);
    add_text(out, ",\"error\":", observation->error);
    strbuf_add_format(out, ",\"ports\":%s,\"signals\":%s", observation->ports ? observation->ports : "null",
                      observation->signals ? observation->signals : "null");
    write_exit(out, observation);
    add_text(out, ",\"grade\":", observation->grade >= 0 ? grade_name(observation->grade) : NULL);
    strbuf_add_char(out, '}');
}

// ---- entries

static int append(struct outbox *outbox, struct entry *entry, struct err *err)
{
    if (strbuf_ok(&entry->key, err) < 0 || strbuf_ok(&entry->json, err) < 0) {
        free_entry(entry);
        return -1;
    }
    *outbox->end = entry;
    outbox->end = &entry->next;
    return 0;
}

static struct entry *new_entry(enum entry_kind kind, struct err *err)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        err_set(err, ERR_NO_MEMORY, "no memory for a report");
        return NULL;
    }
    entry->kind = kind;
    return entry;
}

int outbox_add_outcome(struct outbox *outbox, const struct slice_outcome *outcome, struct err *err)
{
    struct entry *entry = new_entry(ENTRY_OUTCOME, err);
    if (!entry)
        return -1;
    entry->token = outcome->token;
    write_outcome(&entry->json, outcome);
    return append(outbox, entry, err);
}

// Unlinks the entries for which `wanted` says so, and frees them. Returns how many.
static size_t drop_entries(struct outbox *outbox, bool (*wanted)(const struct entry *entry, const void *context),
                           const void *context)
{
    size_t dropped = 0;
    struct entry **link = &outbox->first;
    while (*link) {
        struct entry *entry = *link;
        if (!wanted(entry, context)) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        free_entry(entry);
        dropped++;
    }
    outbox->end = link;
    return dropped;
}

static bool is_earlier_look(const struct entry *entry, const void *context)
{
    return entry->kind == ENTRY_OBSERVATION && !entry->under_way && strcmp(entry->key.data, context) == 0;
}

int outbox_put_observation(struct outbox *outbox, const struct observation *observation, struct err *err)
{
    struct entry *entry = new_entry(ENTRY_OBSERVATION, err);
    if (!entry)
        return -1;
    strbuf_add_format(&entry->key, "%s/%s/%d", observation->job, observation->service, observation->epoch);
    write_observation(&entry->json, observation);
    if (strbuf_ok(&entry->key, NULL) == 0)
        drop_entries(outbox, is_earlier_look, strbuf_text(&entry->key));
    return append(outbox, entry, err);
}

bool outbox_pending(const struct outbox *outbox)
{
    for (const struct entry *entry = outbox->first; entry; entry = entry->next)
        if (!entry->under_way)
            return true;
    return false;
}

// `before` entries are in the report already: the first one fits always, so that a big one is not stuck.
static size_t collect_kind(struct outbox *outbox, enum entry_kind kind, size_t before, size_t limit, struct strbuf *out)
{
    size_t count = 0;
    for (struct entry *entry = outbox->first; entry; entry = entry->next) {
        if (entry->kind != kind || (before + count > 0 && out->length + entry->json.length > limit))
            continue;
        entry->under_way = true;
        if (count++ > 0)
            strbuf_add_char(out, ',');
        strbuf_add(out, entry->json.data, entry->json.length);
    }
    return count;
}

size_t outbox_collect(struct outbox *outbox, size_t max_bytes, struct strbuf *out)
{
    size_t limit = out->length + max_bytes;
    strbuf_add_text(out, "\"slices\":[");
    size_t count = collect_kind(outbox, ENTRY_OUTCOME, 0, limit, out);
    strbuf_add_text(out, "],\"instances\":[");
    count += collect_kind(outbox, ENTRY_OBSERVATION, count, limit, out);
    strbuf_add_char(out, ']');
    return count;
}

static bool is_under_way(const struct entry *entry, const void *context)
{
    UNUSED(context);
    return entry->under_way;
}

void outbox_delivered(struct outbox *outbox)
{
    drop_entries(outbox, is_under_way, NULL);
}

static bool is_older_than_another(const struct entry *entry, const void *context)
{
    UNUSED(context);
    if (entry->kind != ENTRY_OBSERVATION || !entry->under_way)
        return false;
    for (const struct entry *other = entry->next; other; other = other->next)
        if (other->kind == ENTRY_OBSERVATION && strcmp(other->key.data, entry->key.data) == 0)
            return true;
    return false;
}

void outbox_not_delivered(struct outbox *outbox)
{
    drop_entries(outbox, is_older_than_another, NULL);
    for (struct entry *entry = outbox->first; entry; entry = entry->next)
        entry->under_way = false;
}

size_t outbox_refused(struct outbox *outbox)
{
    return drop_entries(outbox, is_under_way, NULL);
}

size_t outbox_held(const struct outbox *outbox, int64_t *tokens, size_t capacity)
{
    size_t count = 0;
    for (const struct entry *entry = outbox->first; entry && count < capacity; entry = entry->next)
        if (entry->kind == ENTRY_OUTCOME)
            tokens[count++] = entry->token;
    return count;
}
