// Reports: the rows, counters, errors and events that they become.
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_foreseen.h"

#include <stdlib.h>
#include <string.h>

static int add_ranges(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->ranges.count; i++) {
        const struct succeeded_range *range = &batch->ranges.items[i];
        struct slice_row *row = LIST_ADD(batch->arena, &batch->new_slices);
        if (!row)
            return batch_no_memory(err);
        *row = (struct slice_row){
            .job = range->stage->job,
            .stage = range->stage->stage,
            .first = range->from,
            .count = range->to - range->from,
            .state = SLICE_SUCCEEDED,
            .attempt = range->attempt,
            .demand = range->stage->demand,
            .priority = range->stage->priority,
        };
    }
    return 0;
}

// ---- the other parts

static int add_part_row(struct batch *batch, const struct batch_lease *lease, const struct slice_part *part,
                        struct err *err)
{
    const struct batch_stage *stage = lease->stage;
    struct slice_row *row = LIST_ADD(batch->arena, &batch->new_slices);
    if (!row)
        return batch_no_memory(err);
    *row = (struct slice_row){
        .job = stage->job,
        .stage = stage->stage,
        .first = part->range.from,
        .count = part->range.to - part->range.from,
        .state = (int16_t)part->state,
        .attempt = part->attempt,
        .failures = part->failures,
        .delay_ms = part->delay_ms,
        .demand = stage->demand,
        .priority = stage->priority,
    };
    if (part->state != SLICE_READY)
        return 0;
    row->rank = batch_rank(batch, stage->demand, stage->priority);
    wakes_add(batch->wakes, WAKE_DEMAND, stage->demand, row->count);
    return 0;
}

static int add_error(struct batch *batch, const struct batch_lease *lease, const struct slice_part *part,
                     struct err *err)
{
    const struct task_failure *failure = &lease->result->failed[part->position];
    struct task_error_row *row = LIST_ADD(batch->arena, &batch->errors);
    if (!row)
        return batch_no_memory(err);
    *row = (struct task_error_row){
        .job = lease->job->id,
        .stage = lease->stage->stage,
        .task = failure->task,
        .attempt = lease->known.attempt,
        .error = failure->error ? failure->error : "",
        .exit = failure->exit,
    };
    return 0;
}

static int add_failed_event(struct batch *batch, const struct batch_lease *lease, const struct slice_part *part,
                            struct err *err)
{
    const struct task_failure *failure = &lease->result->failed[part->position];
    const char *error = failure->error ? failure->error : "", *data = NULL;
    if (lease->job->event_count >= batch->hot->settings.event_limit)
        return 0;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text, "{\"stage\":\"%s\",\"task\":%lld,\"attempt\":%d,\"error\":", lease->stage->name,
                      (long long)failure->task, lease->known.attempt);
    strbuf_add_json(&text, error, strlen(error));
    strbuf_add_char(&text, '}');
    if (batch_copy(batch, &text, &data, err) < 0)
        return -1;
    return batch_event(batch, lease->job, "task.failed", data, true, err);
}

static void count_part(struct batch_stage *stage, const struct slice_part *part)
{
    int64_t count = part->range.to - part->range.from;
    stage->changed |= part->state >= SLICE_SUCCEEDED;
    if (part->state == SLICE_SUCCEEDED)
        stage->succeeded += count;
    else if (part->state == SLICE_FAILED)
        stage->failed += count;
    else if (part->state == SLICE_CANCELLED)
        stage->cancelled += count;
}

static int apply_part(struct batch *batch, const struct batch_lease *lease, const struct slice_part *part,
                      struct err *err)
{
    count_part(lease->stage, part);
    if (part->position >= 0 && add_error(batch, lease, part, err) < 0)
        return -1;
    if (part->state == SLICE_FAILED && add_failed_event(batch, lease, part, err) < 0)
        return -1;
    return part->state == SLICE_SUCCEEDED ? 0 : add_part_row(batch, lease, part, err);
}

// A job without services has started when its first tasks were leased.
static void note_start(struct batch_job *job, const struct batch_lease *lease)
{
    if (!lease->result || job->started || job->has_services)
        return;
    if (job->started_us == 0 || lease->known.leased_us < job->started_us)
        job->started_us = lease->known.leased_us;
}

struct slice_row hot_lease_slice(const struct batch_lease *lease)
{
    return (struct slice_row){
        .job = lease->known.job,
        .stage = lease->known.stage,
        .first = lease->known.first,
        .count = lease->known.count,
        .token = lease->token,
        .incarnation = lease->known.incarnation,
    };
}

static int apply_lease(struct batch *batch, const struct batch_lease *lease, struct err *err)
{
    note_start(lease->job, lease);
    if (lease->job->outcome != OUTCOME_NONE)
        batch_settle(lease->job);
    for (size_t i = 0; i < lease->part_count; i++)
        if (apply_part(batch, lease, &lease->parts[i], err) < 0)
            return -1;
    const struct slice_row old = hot_lease_slice(lease);
    return batch_old_slice(batch, &old, err);
}

// ---- who has to be settled

int64_t hot_stage_open(const struct batch_stage *stage)
{
    return stage->open + stage->added - stage->succeeded - stage->failed - stage->cancelled;
}

// Nothing is left and nothing can come.
static bool may_close(const struct batch_job *job, const struct batch_stage *stage)
{
    const struct batch_stage *source = batch_stage(job, stage->from_stage);
    return hot_stage_open(stage) == 0 && (!source || hot_stage_open(source) == 0);
}

static void settle_for_stage(struct batch_job *job, const struct batch_stage *stage)
{
    bool has_room = stage->max_parallel > 0 && job->runs;
    if (may_close(job, stage) || (stage->failed > 0 && stage->fail_job) || has_room)
        batch_settle(job);
}

int hot_report_apply(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->leases.count; i++)
        if (batch->leases.items[i].found && apply_lease(batch, &batch->leases.items[i], err) < 0)
            return -1;
    if (add_ranges(batch, err) < 0 || hot_output_append(batch, err) < 0)
        return -1;
    for (size_t i = 0; i < batch->job_count; i++)
        for (size_t n = 0; n < batch->jobs[i].stage_count; n++)
            if (batch->jobs[i].stages[n].changed)
                settle_for_stage(&batch->jobs[i], &batch->jobs[i].stages[n]);
    return 0;
}
