// Logs: each byte once, numbered by those that came before it, up to a limit per job. A source writes from its
// beginning to its end; what starts before the end of what has come repeats that much of it, in whatever pieces: a
// report whose reply was lost, or a task that runs again as the same attempt.
#include "services/common/base/macros.h"
#include "services/common/store/hot_batch.h"

#include <string.h>

static int collect_chunks(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        const struct batch_work *work = &batch->works[i];
        for (size_t n = 0; !work->dead && n < work->operation->log_count; n++) {
            struct asked_chunk *asked = LIST_ADD(batch->arena, &batch->chunks);
            if (!asked)
                return batch_no_memory(err);
            *asked = (struct asked_chunk){work, &work->operation->logs[n], 0};
        }
    }
    return 0;
}

int hot_log_ask(struct batch *batch, struct err *err)
{
    if (collect_chunks(batch, err) < 0)
        return -1;
    if (batch->chunks.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->chunks, chunk->job);
    PARAM_TEXT_FIELD(params, &batch->chunks, chunk->source);
    batch->at.logs_known = batch_ask(batch, STATEMENT_HOT_LOGS_KNOWN, err);
    return batch->at.logs_known < 0 ? -1 : 0;
}

static int add_row(struct batch *batch, struct batch_job *job, const struct log_chunk *chunk, const void *bytes,
                   size_t length, struct err *err)
{
    struct log_row *row = LIST_ADD(batch->arena, &batch->logs);
    if (!row)
        return batch_no_memory(err);
    *row = (struct log_row){job->id, chunk->source, chunk->position, job->log_bytes, bytes, length};
    job->log_bytes += (int64_t)length;
    job->changed = true;
    wakes_add(batch->wakes, WAKE_JOB, job->id, 0);
    return 0;
}

// The first chunk that does not fit becomes a marker, and fills the job's log for good.
static int add_chunk(struct batch *batch, struct batch_job *job, const struct log_chunk *chunk, struct err *err)
{
    static const char marker[] = "[the log's limit is reached: the rest is dropped]\n";
    int64_t limit = batch->hot->settings.log_limit_bytes;
    if (job->log_bytes >= limit || chunk->length == 0)
        return 0;
    if (job->log_bytes + (int64_t)chunk->length <= limit)
        return add_row(batch, job, chunk, chunk->bytes, chunk->length, err);
    if (add_row(batch, job, chunk, marker, strlen(marker), err) < 0)
        return -1;
    job->log_bytes = MAX(job->log_bytes, limit);
    return 0;
}

// Where the end of what has come is, of this batch too.
static int64_t reach_of(const struct batch *batch, const struct asked_chunk *asked)
{
    int64_t reach = asked->reach;
    for (size_t i = 0; i < batch->logs.count; i++) {
        const struct log_row *row = &batch->logs.items[i];
        if (row->job == asked->chunk->job && strcmp(row->source, asked->chunk->source) == 0)
            reach = MAX(reach, row->position + (int64_t)row->length);
    }
    return reach;
}

// The rest of a chunk, behind what has come.
static struct log_chunk new_part(const struct batch *batch, const struct asked_chunk *asked)
{
    struct log_chunk part = *asked->chunk;
    int64_t known = MAX(reach_of(batch, asked) - part.position, (int64_t)0);
    size_t skipped = MIN((size_t)known, part.length);
    part.position += (int64_t)skipped;
    part.bytes = (const char *)part.bytes + skipped;
    part.length -= skipped;
    return part;
}

int hot_log_read(struct batch *batch, struct err *err)
{
    if (batch->at.logs_known < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.logs_known);
    for (int row = 0; row < result_rows(rows); row++) {
        size_t at = (size_t)result_i64(rows, row, 0) - 1;
        if (at < batch->chunks.count)
            batch->chunks.items[at].reach = result_i64(rows, row, 1);
    }
    for (size_t i = 0; i < batch->chunks.count; i++) {
        const struct asked_chunk *asked = &batch->chunks.items[i];
        struct batch_job *job = batch_job(batch, asked->chunk->job);
        if (asked->work->dead || !job)
            continue;
        struct log_chunk part = new_part(batch, asked);
        if (add_chunk(batch, job, &part, err) < 0)
            return -1;
    }
    return result_ok(rows, err);
}

int hot_log_write(struct batch *batch, struct err *err)
{
    if (batch->logs.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->logs, job);
    PARAM_TEXT_FIELD(params, &batch->logs, source);
    PARAM_I64_FIELD(params, &batch->logs, position);
    PARAM_I64_FIELD(params, &batch->logs, seq);
    params_array_begin(params, PARAM_BYTEA);
    for (size_t i = 0; i < batch->logs.count; i++)
        params_add_bytea(params, batch->logs.items[i].bytes, batch->logs.items[i].length);
    params_array_end(params);
    return batch_ask(batch, STATEMENT_HOT_LOGS, err) < 0 ? -1 : 0;
}
