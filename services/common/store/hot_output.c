// Outputs of tasks that succeeded: tasks of the stages that read `from` theirs, or results of the job.
#include "services/common/base/macros.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_batch.h"
#include "services/common/store/hot_items.h"

#include <string.h>

#define CHUNK_TASKS_MAX 1000
#define CHUNK_BYTES_MAX 65536

static bool feeds(const struct batch_stage *source, const struct batch_stage *stage)
{
    return stage->from_stage == source->stage && stage != source;
}

static int add_lines(struct batch *batch, const struct batch_lease *lease, const struct task_output *output, bool *read,
                     struct err *err)
{
    for (size_t i = 0; i < lease->job->stage_count; i++) {
        struct batch_stage *stage = &lease->job->stages[i];
        if (!feeds(lease->stage, stage))
            continue;
        struct output_line *line = LIST_ADD(batch->arena, &stage->appended);
        if (!line)
            return batch_no_memory(err);
        *line = (struct output_line){output->json, output->length};
        *read = true;
    }
    return 0;
}

static int add_result(struct batch *batch, const struct batch_lease *lease, const struct task_output *output,
                      int32_t ordinal, struct err *err)
{
    struct result_row *row = LIST_ADD(batch->arena, &batch->results);
    if (!row)
        return batch_no_memory(err);
    *row = (struct result_row){
        .job = lease->job->id,
        .stage = lease->stage->stage,
        .task = output->task,
        .ordinal = ordinal,
        .json = output->json,
        .length = output->length,
    };
    return 0;
}

// Parts and outputs both come by rising task: `*part` moves along.
static bool has_succeeded(const struct batch_lease *lease, int64_t task, size_t *part)
{
    while (*part < lease->part_count && lease->parts[*part].range.to <= task)
        ++*part;
    return *part < lease->part_count && lease->parts[*part].range.from <= task &&
           lease->parts[*part].state == SLICE_SUCCEEDED;
}

int hot_output_collect(struct batch *batch, const struct batch_lease *lease, struct err *err)
{
    size_t part = 0;
    int32_t ordinal = 0;
    for (size_t i = 0; i < lease->result->output_count; i++) {
        const struct task_output *output = &lease->result->outputs[i];
        bool read = false;
        ordinal = i > 0 && output[-1].task == output->task ? ordinal + 1 : 0;
        if (i > 0 && output[-1].task > output->task)
            return err_set(err, ERR_INTERNAL, "outputs are not ordered by task");
        if (!has_succeeded(lease, output->task, &part))
            continue;
        if (add_lines(batch, lease, output, &read, err) < 0)
            return -1;
        if (!read && add_result(batch, lease, output, ordinal, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < lease->job->stage_count; i++) {
        const struct batch_stage *stage = &lease->job->stages[i];
        if (stage->appended.count > 0 && batch_want_rank(batch, stage->demand, stage->priority, err) < 0)
            return -1;
    }
    return 0;
}

// ---- items

static char *join_lines(struct arena *arena, const struct output_line *lines, size_t count, size_t bytes)
{
    char *text = arena_alloc(arena, bytes + 1), *end = text;
    for (size_t i = 0; text && i < count; i++) {
        memcpy(end, lines[i].json, lines[i].length);
        end += lines[i].length;
        *end++ = '\n';
    }
    return text;
}

static int add_chunk(struct batch *batch, int64_t job, int16_t stage, int64_t first, const struct output_line *lines,
                     size_t count, size_t bytes, struct err *err)
{
    const char *text = join_lines(batch->arena, lines, count, bytes);
    struct item_row *row = text ? LIST_ADD(batch->arena, &batch->items) : NULL;
    if (!row)
        return batch_no_memory(err);
    *row = (struct item_row){job, stage, first, (int32_t)count, text, bytes};
    return 0;
}

int hot_items_add(struct batch *batch, int64_t job, int16_t stage, int64_t first, const struct output_line *lines,
                  size_t count, struct err *err)
{
    size_t begin = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t more = lines[i].length + 1;
        if (i > begin && (i - begin == CHUNK_TASKS_MAX || bytes + more > CHUNK_BYTES_MAX)) {
            if (add_chunk(batch, job, stage, first + (int64_t)begin, &lines[begin], i - begin, bytes, err) < 0)
                return -1;
            begin = i;
            bytes = 0;
        }
        bytes += more;
    }
    if (begin == count)
        return 0;
    return add_chunk(batch, job, stage, first + (int64_t)begin, &lines[begin], count - begin, bytes, err);
}

// ---- tasks

static int appended_state(const struct batch_job *job, const struct batch_stage *stage)
{
    if (job->outcome != OUTCOME_NONE)
        return SLICE_CANCELLED;
    // With max_parallel they wait until the job is settled, which knows how many may run.
    return job->runs && stage->released && stage->max_parallel == 0 ? SLICE_READY : SLICE_HELD;
}

static int add_slices(struct batch *batch, const struct batch_stage *stage, int state, int64_t rank, int64_t count,
                      struct err *err)
{
    int64_t width = slice_initial_width(count);
    for (int64_t done = 0; done < count; done += width) {
        struct slice_row *row = LIST_ADD(batch->arena, &batch->new_slices);
        if (!row)
            return batch_no_memory(err);
        *row = (struct slice_row){
            .job = stage->job,
            .stage = stage->stage,
            .first = stage->total + done,
            .count = MIN(width, count - done),
            .state = (int16_t)state,
            .rank = state == SLICE_READY ? rank + done : 0,
            .demand = stage->demand,
            .priority = stage->priority,
        };
    }
    return 0;
}

// A stage whose tasks come as outputs queues up behind what it was given before, but neither before the head of the
// queue nor farther behind it than it has tasks.
static int append(struct batch *batch, const struct batch_job *job, struct batch_stage *stage, struct err *err)
{
    int64_t count = (int64_t)stage->appended.count;
    int64_t head = batch_rank(batch, stage->demand, stage->priority);
    int64_t farthest = MIN(stage->rank, head + stage->open), rank = MAX(head, farthest);
    int state = appended_state(job, stage);
    stage->changed = true;
    stage->added = count;
    if (state == SLICE_CANCELLED)
        stage->cancelled += count;
    if (state == SLICE_READY) {
        stage->rank_after = rank + count;
        wakes_add(batch->wakes, WAKE_DEMAND, stage->demand, count);
    }
    if (hot_items_add(batch, stage->job, stage->stage, stage->total, stage->appended.items, stage->appended.count,
                      err) < 0)
        return -1;
    return add_slices(batch, stage, state, rank, count, err);
}

int hot_output_append(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->job_count; i++)
        for (size_t n = 0; n < batch->jobs[i].stage_count; n++) {
            struct batch_stage *stage = &batch->jobs[i].stages[n];
            if (stage->appended.count > 0 && append(batch, &batch->jobs[i], stage, err) < 0)
                return -1;
        }
    return 0;
}

// ---- writing

void hot_items_params(const struct batch *batch, struct params *params)
{
    PARAM_I64_FIELD(params, &batch->items, job);
    PARAM_I16_FIELD(params, &batch->items, stage);
    PARAM_I64_FIELD(params, &batch->items, first);
    PARAM_I32_FIELD(params, &batch->items, count);
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < batch->items.count; i++)
        params_add_text(params, batch->items.items[i].lines, batch->items.items[i].length);
    params_array_end(params);
}

static int write_items(struct batch *batch, struct err *err)
{
    if (batch->items.count == 0)
        return 0;
    hot_items_params(batch, batch_params(batch));
    return batch_ask(batch, STATEMENT_HOT_ITEMS_INSERT, err) < 0 ? -1 : 0;
}

static int write_results(struct batch *batch, struct err *err)
{
    if (batch->results.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->results, job);
    PARAM_I16_FIELD(params, &batch->results, stage);
    PARAM_I64_FIELD(params, &batch->results, task);
    PARAM_I32_FIELD(params, &batch->results, ordinal);
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < batch->results.count; i++)
        params_add_text(params, batch->results.items[i].json, batch->results.items[i].length);
    params_array_end(params);
    return batch_ask(batch, STATEMENT_HOT_RESULTS, err) < 0 ? -1 : 0;
}

static int write_errors(struct batch *batch, struct err *err)
{
    if (batch->errors.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->errors, job);
    PARAM_I16_FIELD(params, &batch->errors, stage);
    PARAM_I64_FIELD(params, &batch->errors, task);
    PARAM_I32_FIELD(params, &batch->errors, attempt);
    PARAM_TEXT_FIELD(params, &batch->errors, error);
    PARAM_I32_FIELD(params, &batch->errors, exit);
    return batch_ask(batch, STATEMENT_HOT_ERRORS, err) < 0 ? -1 : 0;
}

int hot_output_write(struct batch *batch, struct err *err)
{
    if (write_items(batch, err) < 0 || write_results(batch, err) < 0)
        return -1;
    return write_errors(batch, err);
}
