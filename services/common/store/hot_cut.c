// How ready slices are cut and distributed among the polls of a batch. No I/O.
//
// Of one demand the slice of the highest priority and then of the lowest rank has its turn; a cut moves what is left of
// a slice back by as many ranks as it gave tasks, so that jobs take turns by tasks. Between demands, whose ranks are
// not comparable, the distance from the head of the queue decides, and where that is equal each has its turn first.
#include "services/common/base/macros.h"
#include "services/common/store/hot_batch.h"

bool hot_can_serve(const struct worker_memory *memory, const char *queue, int32_t demand)
{
    for (size_t i = 0; i < memory->count; i++)
        if (memory->demands[i].id == demand)
            return strcmp(memory->demands[i].queue, queue) == 0;
    return false;
}

bool hot_may_claim(const struct batch_work *work)
{
    return work->operation->polls && !work->dead && work->worker->takes_work && !work->operation->draining &&
           work->worker->memory;
}

// ---- the heap of a queue

static int64_t rank_now(const struct candidate *candidate)
{
    return candidate->rank + candidate->taken;
}

static bool goes_before(const struct candidate *left, const struct candidate *right)
{
    if (left->priority != right->priority)
        return left->priority > right->priority;
    if (rank_now(left) != rank_now(right))
        return rank_now(left) < rank_now(right);
    if (left->job != right->job)
        return left->job < right->job;
    return left < right;
}

static void sink(const struct batch *batch, struct demand_queue *queue, size_t at)
{
    const struct candidate *candidates = batch->candidates.items;
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < queue->count; child++)
            if (goes_before(&candidates[queue->heap[child]], &candidates[queue->heap[first]]))
                first = child;
        if (first == at)
            return;
        size_t moved = queue->heap[at];
        queue->heap[at] = queue->heap[first];
        queue->heap[first] = moved;
        at = first;
    }
}

static int make_heap(struct batch *batch, struct demand_queue *queue, struct err *err)
{
    queue->count = 0;
    queue->heap = arena_alloc(batch->arena, (batch->candidates.count + 1) * sizeof *queue->heap);
    if (!queue->heap)
        return batch_no_memory(err);
    for (size_t i = 0; i < batch->candidates.count; i++)
        if (batch->candidates.items[i].demand == queue->demand)
            queue->heap[queue->count++] = i; // they come in order
    return 0;
}

// ---- the choice between queues

static struct candidate *top_of(const struct batch *batch, const struct demand_queue *queue)
{
    return &batch->candidates.items[queue->heap[0]];
}

static bool is_better(const struct candidate *left, const struct candidate *right)
{
    if (left->priority != right->priority)
        return left->priority > right->priority;
    return rank_now(left) - left->head < rank_now(right) - right->head;
}

static struct demand_queue *choose_queue(const struct batch *batch, const struct worker_memory *memory,
                                         const char *name)
{
    struct demand_queue *best = NULL;
    size_t count = batch->queues.count;
    for (size_t i = 0; i < count; i++) {
        struct demand_queue *queue = &batch->queues.items[(i + batch->hot->rotation) % count];
        if (queue->count == 0 || !hot_can_serve(memory, name, queue->demand))
            continue;
        if (!best || is_better(top_of(batch, queue), top_of(batch, best)))
            best = queue;
    }
    return best;
}

// ---- cutting

static int cut(struct batch *batch, const struct batch_work *work, struct demand_queue *queue, int64_t most,
               int64_t *given, struct err *err)
{
    struct candidate *candidate = top_of(batch, queue);
    int64_t count = MIN(candidate->count - candidate->taken, most);
    struct batch_grant *grant = LIST_ADD(batch->arena, &batch->grants);
    if (!grant)
        return batch_no_memory(err);
    *grant = (struct batch_grant){
        .work = work,
        .candidate = queue->heap[0],
        .job = candidate->job,
        .stage = candidate->stage,
        .first = candidate->first + candidate->taken,
        .count = count,
        .end = candidate->first + candidate->taken + count,
        .attempt = candidate->attempt + 1,
        .failures = candidate->failures,
        .demand = candidate->demand,
        .priority = candidate->priority,
        .rank = rank_now(candidate),
    };
    candidate->taken += count;
    *given = count;
    if (candidate->taken == candidate->count)
        queue->heap[0] = queue->heap[--queue->count];
    sink(batch, queue, 0);
    return 0;
}

static int serve_want(struct batch *batch, struct batch_work *work, const struct queue_want *want, struct err *err)
{
    int64_t left = want->tasks;
    while (left > 0) {
        int64_t given = 0;
        struct demand_queue *queue = choose_queue(batch, work->worker->memory, want->queue);
        if (!queue)
            return 0;
        if (cut(batch, work, queue, left, &given, err) < 0)
            return -1;
        work->short_of_work = false;
        left -= given;
        batch->hot->rotation++;
    }
    return 0;
}

// A row that is given away as a whole becomes the first of its grants; what remains of another keeps its row.
static void mark_in_place(struct batch *batch)
{
    for (size_t i = 0; i < batch->grants.count; i++) {
        struct batch_grant *grant = &batch->grants.items[i];
        const struct candidate *candidate = &batch->candidates.items[grant->candidate];
        grant->in_place = candidate->taken == candidate->count && grant->first == candidate->first;
    }
}

int hot_cut(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->queues.count; i++)
        if (make_heap(batch, &batch->queues.items[i], err) < 0)
            return -1;
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        for (size_t n = 0; hot_may_claim(work) && n < work->operation->want_count; n++)
            if (serve_want(batch, work, &work->operation->wants[n], err) < 0)
                return -1;
    }
    mark_in_place(batch);
    return 0;
}
