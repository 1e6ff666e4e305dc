// Demands: what stages and services ask of workers, interned. A lane remembers them, because they never change.
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/store/hot_submit.h"

#include <stdlib.h>

#define WAKE_EVERYBODY INT32_MAX

void hot_pairs_write(const struct text_pairs *pairs, struct strbuf *out)
{
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < pairs->count; i++) {
        if (i > 0)
            strbuf_add_char(out, ',');
        strbuf_add_json(out, pairs->items[i].name, strlen(pairs->items[i].name));
        strbuf_add_char(out, ':');
        strbuf_add_json(out, pairs->items[i].value, strlen(pairs->items[i].value));
    }
    strbuf_add_char(out, '}');
}

// ---- the lane's memory

struct known_demand {
    int32_t id;
    char text[];
};

static struct hot_key key_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return (struct hot_key){(int64_t)hash, 0, 0};
}

static bool has_text(const void *value, const void *context)
{
    const struct known_demand *demand = value;
    return strcmp(demand->text, context) == 0;
}

static int32_t recall(struct hot *hot, const char *text)
{
    const struct known_demand *demand = hot_cache_find(&hot->demands, key_of(text), has_text, text);
    return demand ? demand->id : 0;
}

static void remember(struct hot *hot, const struct demand_need *need)
{
    size_t length = strlen(need->text);
    struct known_demand *demand = malloc(sizeof *demand + length + 1);
    if (!demand)
        return;
    demand->id = need->id;
    memcpy(demand->text, need->text, length + 1);
    hot_cache_put(&hot->demands, key_of(need->text), demand, sizeof *demand + length + 1);
}

// ---- needs

static bool find_need(const struct batch *batch, const char *text, size_t *index)
{
    for (size_t i = 0; i < batch->needs.count; i++)
        if (strcmp(batch->needs.items[i].text, text) == 0) {
            *index = i;
            return true;
        }
    return false;
}

// The labels as JSON, and all that it asks of a worker in one text.
static void write_text(const char *queue, const struct run_spec *run, const char *runtime, struct strbuf *labels,
                       struct strbuf *text)
{
    hot_pairs_write(&run->where, labels);
    strbuf_add_format(text, "%s %s %s", queue, runtime, strbuf_text(labels));
}

int32_t hot_demand_recall(struct hot *hot, const char *queue, const struct run_spec *run, const char *runtime)
{
    AUTO_STRBUF struct strbuf labels = STRBUF_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    write_text(queue, run, runtime, &labels, &text);
    return recall(hot, strbuf_text(&text));
}

int hot_demand_need(struct batch *batch, const char *queue, const struct run_spec *run, const char *runtime,
                    size_t *index, struct err *err)
{
    const char *kept_labels = NULL, *kept_text = NULL;
    AUTO_STRBUF struct strbuf labels = STRBUF_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    write_text(queue, run, runtime, &labels, &text);
    if (find_need(batch, strbuf_text(&text), index))
        return 0;
    if (batch_copy(batch, &labels, &kept_labels, err) < 0 || batch_copy(batch, &text, &kept_text, err) < 0)
        return -1;
    struct demand_need *need = LIST_ADD(batch->arena, &batch->needs);
    if (!need)
        return batch_no_memory(err);
    *need = (struct demand_need){queue, runtime, kept_labels, kept_text, recall(batch->hot, kept_text)};
    *index = batch->needs.count - 1;
    return 0;
}

static size_t unknown_needs(const struct batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->needs.count; i++)
        count += batch->needs.items[i].id == 0;
    return count;
}

static int ask(struct batch *batch, enum statement statement, struct err *err)
{
    struct params *params = batch_params(batch);
    PARAM_TEXT_FIELD(params, &batch->needs, queue);
    PARAM_TEXT_FIELD(params, &batch->needs, runtime);
    PARAM_TEXT_FIELD(params, &batch->needs, labels);
    return batch_ask(batch, statement, err);
}

int hot_demands_ask(struct batch *batch, struct err *err)
{
    batch->at.demand_find = -1;
    if (unknown_needs(batch) == 0)
        return 0;
    batch->at.demand_find = ask(batch, STATEMENT_HOT_DEMAND_FIND, err);
    return batch->at.demand_find < 0 ? -1 : 0;
}

int hot_demands_read(struct batch *batch, struct err *err)
{
    if (batch->at.demand_find < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.demand_find);
    for (int row = 0; row < result_rows(rows); row++) {
        size_t at = (size_t)result_i64(rows, row, 0) - 1;
        if (at >= batch->needs.count || batch->needs.items[at].id != 0)
            continue;
        batch->needs.items[at].id = result_i32(rows, row, 1);
        remember(batch->hot, &batch->needs.items[at]);
    }
    return result_ok(rows, err);
}

int hot_demands_intern(struct batch *batch, struct err *err)
{
    if (unknown_needs(batch) == 0)
        return 0;
    batch->interned = true;
    batch_params(batch);
    if (batch_ask(batch, STATEMENT_HOT_DEMAND_LOCK, err) < 0 || ask(batch, STATEMENT_HOT_DEMAND_INSERT, err) < 0 ||
        hot_demands_ask(batch, err) < 0 || batch_collect(batch, err) < 0 || hot_demands_read(batch, err) < 0)
        return -1;
    wakes_add(batch->wakes, WAKE_DEMAND, HOT_DEMAND_NEW, WAKE_EVERYBODY);
    return unknown_needs(batch) == 0 ? 0 : err_set(err, ERR_INTERNAL, "a demand could not be interned");
}
