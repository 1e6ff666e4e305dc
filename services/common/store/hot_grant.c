// What a worker is told with a slice: what to run, the items, where services are.
#include "services/common/store/hot_grant.h"
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/traceparent.h"
#include "services/common/store/hot_batch.h"
#include "services/common/store/hot_items.h"
#include "services/common/store/hot_runs.h"

// ---- asking for what is not remembered

static bool knows_items(struct hot *hot, const struct batch_grant *grant)
{
    for (int64_t task = grant->first; task < grant->end;) {
        const struct hot_chunk *chunk = hot_chunk_find(hot, grant->job, grant->stage, task);
        if (!chunk)
            return false;
        task = chunk->first + chunk->count;
    }
    return true;
}

// Grants of one stage mostly come one after the other.
static const struct hot_run *recall_run(struct batch *batch, const struct batch_grant *grant)
{
    bool is_first = grant == batch->grants.items;
    if (!is_first && grant[-1].run && grant[-1].job == grant->job && grant[-1].stage == grant->stage)
        return grant[-1].run;
    return hot_runs_recall(batch->hot->runs, grant->job, grant->stage, batch->arena);
}

static int note_run(struct batch *batch, struct batch_grant *grant, struct err *err)
{
    grant->run = recall_run(batch, grant);
    if (grant->run)
        return 0;
    size_t count = batch->runs_asked.count;
    const struct batch_grant *last = count > 0 ? &batch->runs_asked.items[count - 1] : NULL;
    if (!last || last->job != grant->job || last->stage != grant->stage) {
        struct batch_grant *asked = LIST_ADD(batch->arena, &batch->runs_asked);
        if (!asked)
            return batch_no_memory(err);
        *asked = *grant;
    }
    grant->run_at = batch->runs_asked.count - 1;
    return 0;
}

static int note_items(struct batch *batch, struct batch_grant *grant, struct err *err)
{
    if (grant->run && (!grant->run->has_items || knows_items(batch->hot, grant)))
        return 0;
    size_t count = batch->items_asked.count;
    struct batch_grant *last = count > 0 ? &batch->items_asked.items[count - 1] : NULL;
    if (last && last->job == grant->job && last->stage == grant->stage && last->end == grant->first) {
        last->end = grant->end;
    } else {
        struct batch_grant *asked = LIST_ADD(batch->arena, &batch->items_asked);
        if (!asked)
            return batch_no_memory(err);
        *asked = *grant;
    }
    grant->items_at = batch->items_asked.count; // plus 1
    return 0;
}

int hot_addresses_want(struct batch *batch, int64_t job, struct err *err)
{
    size_t count = batch->addresses_asked.count;
    if (count > 0 && batch->addresses_asked.items[count - 1] == job)
        return 0;
    int64_t *asked = LIST_ADD(batch->arena, &batch->addresses_asked);
    if (!asked)
        return batch_no_memory(err);
    *asked = job;
    return 0;
}

static int ask_runs(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->runs_asked, job);
    PARAM_I16_FIELD(params, &batch->runs_asked, stage);
    batch->at.runs = batch_ask(batch, STATEMENT_HOT_RUNS, err);
    return batch->at.runs < 0 ? -1 : 0;
}

static int ask_items(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->items_asked, job);
    PARAM_I16_FIELD(params, &batch->items_asked, stage);
    PARAM_I64_FIELD(params, &batch->items_asked, first);
    PARAM_I64_FIELD(params, &batch->items_asked, end);
    batch->at.items = batch_ask(batch, STATEMENT_HOT_ITEMS, err);
    return batch->at.items < 0 ? -1 : 0;
}

int hot_grant_ask(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->grants.count; i++) {
        struct batch_grant *grant = &batch->grants.items[i];
        if (note_run(batch, grant, err) < 0 || note_items(batch, grant, err) < 0)
            return -1;
        if ((!grant->run || grant->run->has_services) && hot_addresses_want(batch, grant->job, err) < 0)
            return -1;
    }
    if (batch->runs_asked.count > 0 && ask_runs(batch, err) < 0)
        return -1;
    return batch->items_asked.count > 0 ? ask_items(batch, err) : 0;
}

// ---- addresses

enum address_column { ADDRESS_JOB, ADDRESS_NAME, ADDRESS_HOST, ADDRESS_PORTS };

void hot_addresses_write(struct batch *batch, int64_t job, struct strbuf *out)
{
    bool any = false;
    struct result *rows = batch->at.addresses < 0 ? NULL : pipeline_result(batch->pipeline, batch->at.addresses);
    strbuf_add_char(out, '[');
    for (int row = 0; rows && row < result_rows(rows); row++) {
        if (result_i64(rows, row, ADDRESS_JOB) != job)
            continue;
        const char *name = result_text(rows, row, ADDRESS_NAME);
        const char *host = result_text_or_null(rows, row, ADDRESS_HOST);
        const char *ports = result_text_or_null(rows, row, ADDRESS_PORTS);
        strbuf_add_format(out, "%s{\"name\":\"%s\",\"host\":", any ? "," : "", name);
        if (host)
            strbuf_add_json(out, host, strlen(host));
        else
            strbuf_add_text(out, "null");
        strbuf_add_format(out, ",\"ports\":%s}", ports ? ports : "{}");
        any = true;
    }
    strbuf_add_char(out, ']');
}

// ---- answers

int hot_give_text(struct arena *arena, const char *text, const char **out, struct err *err)
{
    *out = text ? arena_copy(arena, text, strlen(text)) : NULL;
    return text && !*out ? batch_no_memory(err) : 0;
}

enum run_column { RUN_ORDINAL, RUN_NAME, RUN_RUN, RUN_BUNDLE, RUN_SERVICES, RUN_TRACEPARENT };

static int read_run(struct batch *batch, const struct batch_grant *grant, struct hot_run *out, struct err *err)
{
    if (grant->run) {
        *out = *grant->run;
        return 0;
    }
    struct result *rows = pipeline_result(batch->pipeline, batch->at.runs);
    int row = (int)grant->run_at;
    *out = (struct hot_run){
        .has_services = result_i32(rows, row, RUN_SERVICES) > 0,
        .name = result_text(rows, row, RUN_NAME),
        .run = result_text_or_null(rows, row, RUN_RUN),
        .bundle = result_text_or_null(rows, row, RUN_BUNDLE),
        .traceparent = result_text_or_null(rows, row, RUN_TRACEPARENT),
    };
    return result_ok(rows, err);
}

enum item_column { ITEM_ORDINAL, ITEM_FIRST, ITEM_COUNT, ITEM_LINES };

static struct hot_chunk read_chunk(struct result *rows, int row)
{
    struct hot_chunk chunk = {.first = result_i64(rows, row, ITEM_FIRST), .count = result_i64(rows, row, ITEM_COUNT)};
    chunk.lines = result_text_n(rows, row, ITEM_LINES, &chunk.length);
    return chunk;
}

// The row of the items that were asked for with this ordinal which holds `task`, or -1.
static int find_item_row(struct result *rows, size_t ordinal, int64_t task)
{
    int low = 0, high = result_rows(rows);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (result_i64(rows, middle, ITEM_ORDINAL) < (int64_t)ordinal)
            low = middle + 1;
        else
            high = middle;
    }
    for (int row = low; row < result_rows(rows) && result_i64(rows, row, ITEM_ORDINAL) == (int64_t)ordinal; row++)
        if (result_i64(rows, row, ITEM_FIRST) + result_i64(rows, row, ITEM_COUNT) > task)
            return row;
    return -1;
}

// Items that this very batch has written.
static struct hot_chunk *own_chunk(struct batch *batch, const struct batch_grant *grant, int64_t task,
                                   struct hot_chunk *fresh)
{
    for (size_t i = 0; i < batch->items.count; i++) {
        const struct item_row *item = &batch->items.items[i];
        if (item->job != grant->job || item->stage != grant->stage || task < item->first ||
            task >= item->first + item->count)
            continue;
        *fresh = (struct hot_chunk){
            .first = item->first, .count = item->count, .lines = item->lines, .length = item->length};
        return fresh;
    }
    return NULL;
}

// The chunk with the item of a task, remembered or in `fresh`; NULL when there is none.
static struct hot_chunk *chunk_of(struct batch *batch, const struct batch_grant *grant, int64_t task,
                                  struct hot_chunk *fresh)
{
    if (batch->at.direct >= 0)
        return own_chunk(batch, grant, task, fresh);
    if (grant->items_at == 0)
        return hot_chunk_find(batch->hot, grant->job, grant->stage, task);
    struct result *rows = pipeline_result(batch->pipeline, batch->at.items);
    int row = find_item_row(rows, grant->items_at, task);
    if (row < 0)
        return NULL;
    *fresh = read_chunk(rows, row);
    return fresh;
}

// Lines as the elements of an array: each newline becomes a comma.
static void add_lines(struct strbuf *out, const char *begin, const char *end)
{
    size_t at = out->length;
    strbuf_add(out, begin, (size_t)(end - begin));
    for (char *comma = out->failed ? NULL : memchr(out->data + at, '\n', out->length - at); comma;
         comma = memchr(comma, '\n', (size_t)(out->data + out->length - comma)))
        *comma = ',';
}

// False when there are no items.
static bool write_items(struct batch *batch, const struct batch_grant *grant, struct strbuf *out)
{
    struct hot_chunk fresh, *chunk;
    int64_t task = grant->first;
    strbuf_add_char(out, '[');
    while (task < grant->end && (chunk = chunk_of(batch, grant, task, &fresh))) {
        int64_t to = MIN(chunk->first + chunk->count, grant->end);
        const char *begin = hot_chunk_line(chunk, task);
        add_lines(out, begin, hot_chunk_line(chunk, to));
        task = to;
    }
    if (out->length > 1 && !out->failed)
        out->data[out->length - 1] = ']';
    return task == grant->end && out->length > 1;
}

static int give_items(struct batch *batch, const struct batch_grant *grant, struct grant *out, struct err *err)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    if (grant->run && !grant->run->has_items)
        return 0;
    if (!write_items(batch, grant, &text))
        return strbuf_ok(&text, err);
    if (strbuf_ok(&text, err) < 0)
        return -1;
    out->items = arena_copy(grant->work->operation->arena, text.data, text.length);
    return out->items ? 0 : batch_no_memory(err);
}

static int give_services(struct batch *batch, const struct batch_grant *grant, bool has_services, struct grant *out,
                         struct err *err)
{
    out->services = "[]";
    if (!has_services)
        return 0;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    hot_addresses_write(batch, grant->job, &text);
    if (strbuf_ok(&text, err) < 0)
        return -1;
    return hot_give_text(grant->work->operation->arena, text.data, &out->services, err);
}

static int give_trace(struct arena *arena, const struct hot_run *run, struct grant *out, struct err *err)
{
    struct traceparent parent;
    char text[TRACEPARENT_SIZE];
    if (!traceparent_read(run->traceparent, &parent))
        return 0;
    traceparent_of_job(&parent, out->job, text);
    return hot_give_text(arena, text, &out->traceparent, err);
}

static int give(struct batch *batch, const struct batch_grant *grant, struct grant *out, struct err *err)
{
    struct hot_run run = {0};
    struct arena *arena = grant->work->operation->arena;
    *out = (struct grant){
        .job = grant->job,
        .token = grant->token,
        .stage = grant->stage,
        .first = grant->first,
        .count = grant->count,
        .attempt = grant->attempt,
    };
    if (read_run(batch, grant, &run, err) < 0 || hot_give_text(arena, run.name, &out->stage_name, err) < 0 ||
        hot_give_text(arena, run.run, &out->run, err) < 0 || hot_give_text(arena, run.bundle, &out->bundle, err) < 0)
        return -1;
    if (give_trace(arena, &run, out, err) < 0 || give_items(batch, grant, out, err) < 0)
        return -1;
    return give_services(batch, grant, run.has_services, out, err);
}

static int make_room(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->grants.count; i++)
        batch->grants.items[i].work->operation->grant_count++;
    for (size_t i = 0; i < batch->work_count; i++) {
        struct work_operation *operation = batch->works[i].operation;
        if (operation->grant_count == 0)
            continue;
        operation->grants = arena_alloc_zero(operation->arena, operation->grant_count, sizeof *operation->grants);
        if (!operation->grants)
            return batch_no_memory(err);
        operation->grant_count = 0;
    }
    return 0;
}

// ---- remembering, once nothing of the memory is in use any more

// All tasks of a stage have items, or none has.
static bool has_items(struct batch *batch, const struct batch_grant *asked)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.items);
    for (size_t i = 0; i < batch->items_asked.count; i++) {
        const struct batch_grant *grant = &batch->items_asked.items[i];
        if (grant->job == asked->job && grant->stage == asked->stage)
            return find_item_row(rows, i + 1, grant->first) >= 0;
    }
    return false;
}

static int remember(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->runs_asked.count; i++) {
        struct hot_run run = {0};
        struct batch_grant asked = batch->runs_asked.items[i];
        asked.run_at = i;
        if (read_run(batch, &asked, &run, err) < 0)
            return -1;
        run.has_items = has_items(batch, &asked);
        hot_runs_remember(batch->hot->runs, asked.job, asked.stage, &run);
    }
    if (batch->at.items < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.items);
    for (int row = 0; row < result_rows(rows); row++) {
        const struct batch_grant *asked = &batch->items_asked.items[result_i64(rows, row, ITEM_ORDINAL) - 1];
        struct hot_chunk chunk = read_chunk(rows, row);
        hot_chunk_remember(batch->hot, asked->job, asked->stage, &chunk);
    }
    return result_ok(rows, err);
}

int hot_grant_finish(struct batch *batch, struct err *err)
{
    if (make_room(batch, err) < 0)
        return -1;
    for (size_t i = 0; i < batch->grants.count; i++) {
        const struct batch_grant *grant = &batch->grants.items[i];
        struct work_operation *operation = grant->work->operation;
        if (give(batch, grant, &operation->grants[operation->grant_count++], err) < 0)
            return -1;
    }
    return remember(batch, err);
}
