// What all steps of a batch use.
#include "services/common/store/hot_batch.h"

#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/states.h"

#include <string.h>

int batch_no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory in a batch of hot calls");
}

int batch_no_routine(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "a batch of hot calls is not what the lane took it for");
}

void params_add_text_or_null(struct params *params, const char *text)
{
    if (text)
        params_add_text(params, text, strlen(text));
    else
        params_add_null(params);
}

struct params *batch_params(struct batch *batch)
{
    params_clear(&batch->hot->params);
    return &batch->hot->params;
}

int batch_ask(struct batch *batch, enum statement statement, struct err *err)
{
    int index = pipeline_add(batch->pipeline, statement, &batch->hot->params, RESULT_BINARY, err);
    params_clear(&batch->hot->params);
    batch->asked = true;
    return index;
}

int batch_collect(struct batch *batch, struct err *err)
{
    if (!batch->asked)
        return 0;
    batch->asked = false;
    return pipeline_collect(batch->pipeline, err);
}

struct batch_job *batch_job(const struct batch *batch, int64_t id)
{
    size_t low = 0, high = batch->job_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (batch->jobs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < batch->job_count && batch->jobs[low].id == id && batch->jobs[low].found;
    return found ? &batch->jobs[low] : NULL;
}

struct batch_stage *batch_stage(const struct batch_job *job, int stage)
{
    return stage >= 0 && (size_t)stage < job->stage_count ? &job->stages[stage] : NULL;
}

int batch_lock_job(struct batch *batch, int64_t id, struct err *err)
{
    size_t count = batch->job_ids.count;
    if (count > 0 && batch->job_ids.items[count - 1] == id)
        return 0;
    int64_t *added = LIST_ADD(batch->arena, &batch->job_ids);
    if (!added)
        return batch_no_memory(err);
    *added = id;
    return 0;
}

static struct rank_row *find_rank(const struct batch *batch, int32_t demand, int16_t priority)
{
    for (size_t i = batch->ranks.count; i > 0; i--) {
        struct rank_row *row = &batch->ranks.items[i - 1];
        if (row->demand == demand && row->priority == priority)
            return row;
    }
    return NULL;
}

int batch_want_rank(struct batch *batch, int32_t demand, int16_t priority, struct err *err)
{
    if (find_rank(batch, demand, priority))
        return 0;
    struct rank_row *row = LIST_ADD(batch->arena, &batch->ranks);
    if (!row)
        return batch_no_memory(err);
    *row = (struct rank_row){.demand = demand, .priority = priority, .rank = -1};
    return 0;
}

int64_t batch_rank(const struct batch *batch, int32_t demand, int16_t priority)
{
    const struct rank_row *row = find_rank(batch, demand, priority);
    return row ? MAX(row->rank, (int64_t)0) : 0;
}

int batch_old_slice(struct batch *batch, const struct slice_row *old, struct err *err)
{
    struct slice_row *row = LIST_ADD(batch->arena, &batch->old_slices);
    if (!row)
        return batch_no_memory(err);
    *row = *old;
    return 0;
}

void batch_settle(struct batch_job *job)
{
    job->settles = true;
}

int batch_event(struct batch *batch, struct batch_job *job, const char *kind, const char *data, bool capped,
                struct err *err)
{
    if (capped && job->event_count >= batch->hot->settings.event_limit)
        return 0;
    struct event_row *row = LIST_ADD(batch->arena, &batch->events);
    if (!row)
        return batch_no_memory(err);
    job->changed = true;
    *row = (struct event_row){.job = job->id, .seq = ++job->event_count, .kind = kind, .data = data};
    wakes_add(batch->wakes, WAKE_JOB, job->id, 0);
    return 0;
}

int batch_copy(struct batch *batch, const struct strbuf *text, const char **out, struct err *err)
{
    *out = arena_copy(batch->arena, strbuf_text(text), text->length);
    return *out && !text->failed ? 0 : batch_no_memory(err);
}
