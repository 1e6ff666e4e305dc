#include "services/jobmanager/lane_queue.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/jobmanager/condition.h"
#include "services/jobmanager/lanes.h"

void lane_queue_init(struct lane_queue *queue, size_t limit, int64_t patience_ms)
{
    *queue = (struct lane_queue){.limit = limit, .patience_ms = patience_ms};
    pthread_mutex_init(&queue->mutex, NULL);
    condition_init(&queue->filled);
    condition_init(&queue->gathered);
}

void lane_queue_release(struct lane_queue *queue)
{
    pthread_cond_destroy(&queue->filled);
    pthread_cond_destroy(&queue->gathered);
    pthread_mutex_destroy(&queue->mutex);
}

bool lane_queue_add(struct lane_queue *queue, struct lane_entry *entry)
{
    entry->next = NULL;
    entry->queued_ms = clock_boot_ms();
    pthread_mutex_lock(&queue->mutex);
    bool full = queue->count >= queue->limit;
    if (!full) {
        *(queue->last ? &queue->last->next : &queue->first) = entry;
        queue->last = entry;
        queue->count++;
        queue->urgent += !entry->patient;
        // Within the lock: once the entry is done the queue may be gone.
        if (queue->count == 1 || (queue->urgent == 1 && !entry->patient))
            pthread_cond_signal(&queue->filled);
        if (queue->awaited > 0 && queue->count >= queue->awaited)
            pthread_cond_signal(&queue->gathered);
    }
    pthread_mutex_unlock(&queue->mutex);
    return !full;
}

// With the lock held: waits until there is something to run, or the queue stops. What is patient waits for company.
static void wait_for_entries(struct lane_queue *queue)
{
    while (!queue->stopping && !queue->urgent) {
        int64_t left_ms = queue->first ? queue->first->queued_ms + queue->patience_ms - clock_boot_ms() : -1;
        if (queue->first && left_ms <= 0)
            return;
        condition_wait(&queue->filled, &queue->mutex, left_ms);
    }
}

// With the lock held: waits for those who have just been answered. Another lane may take the queue meanwhile.
static void wait_for_company(struct lane_queue *queue)
{
    int64_t left_us;
    while (queue->first && !queue->stopping &&
           (left_us = gather_left_us(&queue->gather, queue->count, clock_boot_us())) > 0) {
        queue->awaited = queue->gather.expected;
        condition_wait_us(&queue->gathered, &queue->mutex, left_us);
    }
}

size_t lane_queue_take(struct lane_queue *queue, struct lane_entry **out, size_t most)
{
    size_t taken = 0;
    pthread_mutex_lock(&queue->mutex);
    do {
        wait_for_entries(queue);
        wait_for_company(queue);
    } while (!queue->first && !queue->stopping);
    while (queue->first && taken < most) {
        out[taken++] = queue->first;
        queue->urgent -= !queue->first->patient;
        queue->first = queue->first->next;
    }
    queue->count -= taken;
    if (queue->first)
        pthread_cond_signal(&queue->filled); // another lane may go on with it
    else
        queue->last = NULL;
    pthread_mutex_unlock(&queue->mutex);
    return taken;
}

void lane_queue_answered(struct lane_queue *queue, int64_t began_us, size_t answered, size_t most)
{
    pthread_mutex_lock(&queue->mutex);
    queue->gather = gather_after(began_us, clock_boot_us(), answered, queue->count);
    queue->gather.expected = MIN(queue->gather.expected, most);
    pthread_mutex_unlock(&queue->mutex);
}

void lane_queue_stop(struct lane_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->stopping = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_cond_broadcast(&queue->gathered);
    pthread_mutex_unlock(&queue->mutex);
}

size_t lane_queue_count(struct lane_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}
