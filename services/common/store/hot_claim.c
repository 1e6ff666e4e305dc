// Claims: how many heads of which queues are locked, and how the cuts are written.
//
// A claim waits for nobody: what others have locked it passes over. It comes last in a transaction, or in a routine
// right behind the locks of the jobs, so that whoever waits for its slices waits for a commit and nothing else.
#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/store/hot_foreseen.h"

#define SLICES_MAX 2000 // of one demand in one batch
#define ROUNDS_MAX 4
#define WIDTH_WEIGHT 0.25

// All of a queue is looked at so often. In between a look begins where the head was: something that comes before it by
// a race (a rank is read, others go on, the slice is written) waits for so long at most, and only beside other work.
#define HEAD_MS 250

// ---- what is wanted

static struct demand_queue *find_queue(const struct batch *batch, int32_t demand)
{
    for (size_t i = 0; i < batch->queues.count; i++)
        if (batch->queues.items[i].demand == demand)
            return &batch->queues.items[i];
    return NULL;
}

static int want_tasks(struct batch *batch, int32_t demand, int64_t tasks, struct err *err)
{
    struct demand_queue *queue = find_queue(batch, demand);
    if (!queue)
        queue = LIST_ADD(batch->arena, &batch->queues);
    if (!queue)
        return batch_no_memory(err);
    queue->demand = demand;
    queue->wanted += tasks;
    return 0;
}

static int collect_want(struct batch *batch, struct batch_work *work, const struct queue_want *want, struct err *err)
{
    const struct worker_memory *memory = work->worker->memory;
    if (want->tasks <= 0)
        return 0;
    work->short_of_work = true;
    for (size_t i = 0; i < memory->count; i++)
        if (strcmp(memory->demands[i].queue, want->queue) == 0 &&
            want_tasks(batch, memory->demands[i].id, want->tasks, err) < 0)
            return -1;
    return 0;
}

static int collect_wants(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        for (size_t n = 0; hot_may_claim(work) && n < work->operation->want_count; n++)
            if (collect_want(batch, work, &work->operation->wants[n], err) < 0)
                return -1;
    }
    return 0;
}

static bool wants_queue(const struct work_operation *operation, const char *queue)
{
    if (!*queue)
        return operation->want_services > 0;
    for (size_t i = 0; i < operation->want_count; i++)
        if (operation->wants[i].tasks > 0 && strcmp(operation->wants[i].queue, queue) == 0)
            return true;
    return false;
}

// What a poll that was given nothing waits for.
static int tell_demands(struct batch_work *work, struct err *err)
{
    struct work_operation *operation = work->operation;
    const struct worker_memory *memory = work->worker->memory;
    int *demands = arena_alloc(operation->arena, (memory->count + 1) * sizeof *demands);
    if (!demands)
        return batch_no_memory(err);
    demands[operation->demand_count++] = HOT_DEMAND_NEW;
    for (size_t i = 0; i < memory->count; i++)
        if (wants_queue(operation, memory->demands[i].queue))
            demands[operation->demand_count++] = memory->demands[i].id;
    operation->demands = demands;
    return 0;
}

// ---- finding

static int ask_candidates(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    PARAM_I32_FIELD(params, &batch->queues, demand);
    PARAM_I32_FIELD(params, &batch->queues, limit);
    PARAM_I16_FIELD(params, &batch->queues, priority);
    PARAM_I64_FIELD(params, &batch->queues, rank);
    PARAM_I64_FIELD(params, &batch->queues, job);
    batch->at.candidates = batch_ask(batch, STATEMENT_HOT_CANDIDATES, err);
    return batch->at.candidates < 0 ? -1 : 0;
}

enum candidate_column {
    CANDIDATE_DEMAND,
    CANDIDATE_JOB,
    CANDIDATE_STAGE,
    CANDIDATE_FIRST,
    CANDIDATE_COUNT,
    CANDIDATE_ATTEMPT,
    CANDIDATE_FAILURES,
    CANDIDATE_PRIORITY,
    CANDIDATE_RANK,
    CANDIDATE_NOW,
};

static void read_candidate(struct result *rows, int row, struct candidate *candidate)
{
    *candidate = (struct candidate){
        .job = result_i64(rows, row, CANDIDATE_JOB),
        .stage = (int16_t)result_i32(rows, row, CANDIDATE_STAGE),
        .first = result_i64(rows, row, CANDIDATE_FIRST),
        .count = result_i64(rows, row, CANDIDATE_COUNT),
        .attempt = result_i32(rows, row, CANDIDATE_ATTEMPT),
        .failures = result_i32(rows, row, CANDIDATE_FAILURES),
        .demand = result_i32(rows, row, CANDIDATE_DEMAND),
        .priority = (int16_t)result_i32(rows, row, CANDIDATE_PRIORITY),
        .rank = result_i64(rows, row, CANDIDATE_RANK),
    };
    candidate->head = candidate->rank;
}

// Rows come by demand, priority and rank: the head of a queue is the first row of its demand and priority.
static void find_heads(struct batch *batch)
{
    for (size_t i = 1; i < batch->candidates.count; i++) {
        struct candidate *candidate = &batch->candidates.items[i];
        if (candidate[-1].demand == candidate->demand && candidate[-1].priority == candidate->priority)
            candidate->head = candidate[-1].head;
    }
}

static int read_candidates(struct batch *batch, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.candidates);
    batch->candidates.count = 0;
    for (int row = 0; row < result_rows(rows); row++) {
        struct candidate *candidate = LIST_ADD(batch->arena, &batch->candidates);
        if (!candidate)
            return batch_no_memory(err);
        read_candidate(rows, row, candidate);
        batch->now_us = result_time_us(rows, row, CANDIDATE_NOW);
    }
    find_heads(batch);
    return result_ok(rows, err);
}

static struct queue_head *head_of(struct hot *hot, int32_t demand)
{
    return &hot->heads[(uint32_t)demand % HOT_HEADS];
}

// After a look at all of a queue that has found enough.
static void remember_head(struct hot *hot, const struct candidate *first)
{
    *head_of(hot, first->demand) = (struct queue_head){.demand = first->demand,
                                                       .priority = first->priority,
                                                       .rank = first->rank,
                                                       .job = first->job,
                                                       .until_ms = clock_boot_ms() + HEAD_MS};
}

static void begin_at_head(struct hot *hot, struct demand_queue *queue)
{
    const struct queue_head *head = head_of(hot, queue->demand);
    bool known = head->demand == queue->demand && clock_boot_ms() < head->until_ms;
    queue->priority = known ? head->priority : HOT_PRIORITY_ALL;
    queue->rank = known ? head->rank : 0;
    queue->job = known ? head->job : 0;
}

struct found {
    const struct candidate *first;
    int64_t tasks;
    int32_t slices;
};

static struct found find_of(const struct batch *batch, const struct demand_queue *queue)
{
    struct found found = {0};
    for (size_t i = 0; i < batch->candidates.count; i++) {
        const struct candidate *candidate = &batch->candidates.items[i];
        if (candidate->demand != queue->demand)
            continue;
        if (!found.first)
            found.first = candidate;
        found.tasks += candidate->count;
        found.slices++;
    }
    return found;
}

// Learns how wide slices are and where the head is, and whether more slices have to be locked to serve this queue: a
// longer look, or one from the beginning.
static bool needs_more(struct batch *batch, struct demand_queue *queue)
{
    struct found found = find_of(batch, queue);
    double *width = &batch->hot->tasks_per_slice;
    queue->seen_all = queue->priority == HOT_PRIORITY_ALL && found.slices < queue->limit;
    if (found.slices > 0)
        *width += WIDTH_WEIGHT * ((double)found.tasks / (double)found.slices - *width);
    if (found.tasks >= queue->wanted) {
        if (queue->priority == HOT_PRIORITY_ALL && found.first && !queue->seen_all)
            remember_head(batch->hot, found.first);
        return false;
    }
    bool longer = found.slices == queue->limit && queue->limit < SLICES_MAX;
    bool earlier = !longer && queue->priority != HOT_PRIORITY_ALL;
    if (longer)
        queue->limit = MIN(queue->limit * 4, SLICES_MAX);
    head_of(batch->hot, queue->demand)->demand = 0;
    queue->priority = HOT_PRIORITY_ALL;
    queue->rank = 0;
    return longer || earlier;
}

static void set_limits(struct batch *batch)
{
    for (size_t i = 0; i < batch->queues.count; i++) {
        struct demand_queue *queue = &batch->queues.items[i];
        double slices = (double)queue->wanted / MAX(batch->hot->tasks_per_slice, 1.0) + 1;
        queue->limit = (int32_t)MIN(slices, (double)SLICES_MAX);
        begin_at_head(batch->hot, queue);
    }
}

// Slices that are locked already are found again by a wider look. The first look may have been foreseen.
static int find_candidates(struct batch *batch, struct err *err)
{
    bool again = batch->queues.count > 0, is_asked = batch->at.candidates >= 0;
    if (!is_asked)
        set_limits(batch);
    for (int round = 0; again && round < ROUNDS_MAX; round++) {
        if (!(round == 0 && is_asked) && (ask_candidates(batch, err) < 0 || batch_collect(batch, err) < 0))
            return -1;
        if (read_candidates(batch, err) < 0)
            return -1;
        again = false;
        for (size_t i = 0; i < batch->queues.count; i++)
            again |= needs_more(batch, &batch->queues.items[i]);
    }
    return 0;
}

static bool are_heads_known(const struct batch *batch)
{
    for (size_t i = 0; i < batch->queues.count; i++)
        if (batch->queues.items[i].priority == HOT_PRIORITY_ALL)
            return false;
    return batch->queues.count > 0;
}

// Where there has just been enough, and reports of nothing but success make nothing ready that had to come before it.
// What is not enough is followed by a look at everything, behind the reports. Nobody is waited for between this and the
// commit: the reports change only what is under the locks of their jobs, and no ready slices. What settles with them
// may: a timeout that has passed.
int hot_claim_foresee(struct batch *batch, struct err *err)
{
    if (batch->leases.count > 0 && batch->at.neighbours < 0)
        return 0;
    for (size_t i = 0; i < batch->worker_count; i++)
        batch->workers[i].takes_work = true; // until that is read
    if (collect_wants(batch, err) < 0)
        return -1;
    set_limits(batch);
    if (are_heads_known(batch))
        return ask_candidates(batch, err);
    batch->queues.count = 0;
    return 0;
}

int hot_claim_ask(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->worker_count; i++)
        batch->workers[i].takes_work = true; // until that is read
    if (collect_wants(batch, err) < 0)
        return -1;
    set_limits(batch);
    return batch->queues.count > 0 ? ask_candidates(batch, err) : 0;
}

// What was made ready here and given out here is nobody else's to look at.
static void drop_wakes(struct batch *batch)
{
    for (size_t i = 0; i < batch->queues.count; i++) {
        const struct demand_queue *queue = &batch->queues.items[i];
        if (queue->seen_all && queue->count == 0)
            wakes_drop(batch->wakes, WAKE_DEMAND, queue->demand);
    }
}

int hot_claim(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        work->short_of_work = work->short_of_work && hot_may_claim(work);
        if (work->operation->polls && !work->dead && work->worker->memory && tell_demands(work, err) < 0)
            return -1;
    }
    if (batch->at.candidates < 0 && collect_wants(batch, err) < 0)
        return -1;
    if (find_candidates(batch, err) < 0)
        return -1;
    if (batch->at.orders >= 0 && batch_collect(batch, err) < 0)
        return -1;
    if (hot_cut(batch, err) < 0)
        return -1;
    drop_wakes(batch);
    return 0;
}

// ---- writing

static int write_shrunk(struct batch *batch, struct err *err)
{
    LIST(struct candidate) shrunk = {0};
    for (size_t i = 0; i < batch->candidates.count; i++) {
        const struct candidate *candidate = &batch->candidates.items[i];
        if (candidate->taken == 0 || candidate->taken == candidate->count)
            continue;
        struct candidate *added = LIST_ADD(batch->arena, &shrunk);
        if (!added)
            return batch_no_memory(err);
        *added = *candidate;
    }
    if (shrunk.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &shrunk, job);
    PARAM_I16_FIELD(params, &shrunk, stage);
    PARAM_I64_FIELD(params, &shrunk, first);
    PARAM_I64_FIELD(params, &shrunk, taken);
    return batch_ask(batch, STATEMENT_HOT_SHRINK, err) < 0 ? -1 : 0;
}

struct grant_list {
    struct batch_grant *items;
    size_t count;
};

static int write_in_place(struct batch *batch, const struct grant_list *grants, struct err *err)
{
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, grants, job);
    PARAM_I16_FIELD(params, grants, stage);
    PARAM_I64_FIELD(params, grants, first);
    PARAM_I64_FIELD(params, grants, count);
    PARAM_I64_FIELD(params, grants, work->operation->worker);
    PARAM_I32_FIELD(params, grants, work->operation->incarnation);
    PARAM_I64_FIELD(params, grants, token);
    params_i64(params, batch->now_us);
    return batch_ask(batch, STATEMENT_HOT_LEASE, err) < 0 ? -1 : 0;
}

// Leases that lie side by side in what they were cut from, of the same width: one after the other their beginnings,
// ranks and tokens go on, and all else but the worker is the same.
struct cut_run {
    const struct batch_grant *grant; // the first
    int32_t from, to;                // of all leases, from 1
};

static bool goes_on(const struct cut_run *run, const struct batch_grant *grant)
{
    const struct batch_grant *first = run->grant;
    int64_t before = grant - first;
    return first->candidate == grant->candidate && first->count == grant->count &&
           first->first + before * first->count == grant->first && first->token + before == grant->token;
}

struct cut_run_list {
    struct cut_run *items;
    size_t count, capacity;
};

static int find_runs(struct batch *batch, const struct grant_list *grants, struct cut_run_list *runs, struct err *err)
{
    for (size_t i = 0; i < grants->count; i++) {
        const struct batch_grant *grant = &grants->items[i];
        struct cut_run *last = runs->count ? &runs->items[runs->count - 1] : NULL;
        if (!last || !goes_on(last, grant)) {
            last = LIST_ADD(batch->arena, runs);
            if (!last)
                return batch_no_memory(err);
            *last = (struct cut_run){.grant = grant, .from = (int32_t)i + 1};
        }
        last->to = (int32_t)i + 1;
    }
    return 0;
}

static int write_cut(struct batch *batch, const struct grant_list *grants, struct err *err)
{
    struct cut_run_list runs = {0};
    if (find_runs(batch, grants, &runs, err) < 0)
        return -1;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &runs, grant->job);
    PARAM_I16_FIELD(params, &runs, grant->stage);
    PARAM_I64_FIELD(params, &runs, grant->first);
    PARAM_I64_FIELD(params, &runs, grant->count);
    PARAM_I32_FIELD(params, &runs, grant->attempt);
    PARAM_I32_FIELD(params, &runs, grant->failures);
    PARAM_I32_FIELD(params, &runs, grant->demand);
    PARAM_I16_FIELD(params, &runs, grant->priority);
    PARAM_I64_FIELD(params, &runs, grant->rank);
    PARAM_I64_FIELD(params, &runs, grant->token);
    PARAM_I32_FIELD(params, &runs, from);
    PARAM_I32_FIELD(params, &runs, to);
    PARAM_I64_FIELD(params, grants, work->operation->worker);
    PARAM_I32_FIELD(params, grants, work->operation->incarnation);
    params_i64(params, batch->now_us);
    return batch_ask(batch, STATEMENT_HOT_LEASE_CUT, err) < 0 ? -1 : 0;
}

// Those in place come first, in the order in which they were given within each kind. Returns how many they are.
static int sort_grants(struct batch *batch, size_t *in_place, struct err *err)
{
    size_t count = batch->grants.count, next = 0;
    struct batch_grant *sorted = arena_alloc(batch->arena, (count + 1) * sizeof *sorted);
    if (!sorted)
        return batch_no_memory(err);
    for (int kind = 1; kind >= 0; kind--) {
        for (size_t i = 0; i < count; i++)
            if (batch->grants.items[i].in_place == (kind == 1))
                sorted[next++] = batch->grants.items[i];
        if (kind == 1)
            *in_place = next;
    }
    batch->grants.items = sorted;
    batch->grants.capacity = count;
    return 0;
}

static int number_grants(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->grants.count; i++)
        if (hot_token_take(batch, &batch->grants.items[i].token, err) < 0)
            return -1;
    return 0;
}

static int ask_ready_left(struct batch *batch, struct err *err)
{
    bool is_short = false;
    for (size_t i = 0; i < batch->work_count; i++)
        is_short |= batch->works[i].short_of_work;
    if (!is_short || batch->queues.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I32_FIELD(params, &batch->queues, demand);
    batch->at.ready_left = batch_ask(batch, STATEMENT_HOT_READY_LEFT, err);
    return batch->at.ready_left < 0 ? -1 : 0;
}

int hot_claim_write(struct batch *batch, struct err *err)
{
    size_t in_place = 0;
    if (sort_grants(batch, &in_place, err) < 0 || number_grants(batch, err) < 0 || write_shrunk(batch, err) < 0)
        return -1;
    struct grant_list first = {batch->grants.items, in_place};
    struct grant_list rest = {batch->grants.items + in_place, batch->grants.count - in_place};
    if (first.count > 0 && write_in_place(batch, &first, err) < 0)
        return -1;
    if (rest.count > 0 && write_cut(batch, &rest, err) < 0)
        return -1;
    return ask_ready_left(batch, err);
}

// ---- after the commit

static bool is_left(struct result *rows, const struct work_operation *operation)
{
    for (int row = 0; row < result_rows(rows); row++)
        for (size_t i = 0; i < operation->demand_count; i++)
            if (result_i32(rows, row, 0) == operation->demands[i])
                return true;
    return false;
}

// A poll that got nothing although there is something: others hold it locked right now. Or a demand is new, and this
// worker was not compared with it yet.
void hot_claim_finish(struct batch *batch)
{
    struct result *rows = batch->at.ready_left < 0 ? NULL : pipeline_result(batch->pipeline, batch->at.ready_left);
    for (size_t i = 0; i < batch->work_count; i++) {
        const struct batch_work *work = &batch->works[i];
        if (work->short_of_work)
            work->operation->again = batch->interned || (rows && is_left(rows, work->operation));
    }
}
