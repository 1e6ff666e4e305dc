// The timers of one loop as a binary heap: the children of place p are 2p+1 and 2p+2.
#include "services/common/base/timer_heap.h"

#include <stdlib.h>

#define SMALLEST_CAPACITY 16

static int grow(struct timer_heap *heap, struct err *err)
{
    size_t capacity = MAX(heap->capacity * 2, (size_t)SMALLEST_CAPACITY);
    struct loop_timer **timers = reallocarray(heap->timers, capacity, sizeof(struct loop_timer *));
    if (!timers)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu timers", capacity);
    heap->timers = timers;
    heap->capacity = capacity;
    return 0;
}

static void put(struct timer_heap *heap, size_t place, struct loop_timer *timer)
{
    heap->timers[place] = timer;
    timer->place = place;
}

static void swap(struct timer_heap *heap, size_t one, size_t other)
{
    struct loop_timer *kept = heap->timers[one];
    put(heap, one, heap->timers[other]);
    put(heap, other, kept);
}

static void sift_up(struct timer_heap *heap, size_t place)
{
    while (place > 0 && heap->timers[place]->due_ms < heap->timers[(place - 1) / 2]->due_ms) {
        swap(heap, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void sift_down(struct timer_heap *heap, size_t place)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->armed)
            return;
        if (child + 1 < heap->armed && heap->timers[child + 1]->due_ms < heap->timers[child]->due_ms)
            child++;
        if (heap->timers[place]->due_ms <= heap->timers[child]->due_ms)
            return;
        swap(heap, place, child);
        place = child;
    }
}

// Restores the order when only the timer at `place` may be in the wrong one.
static void sift(struct timer_heap *heap, size_t place)
{
    if (place >= heap->armed)
        return;
    sift_up(heap, place);
    sift_down(heap, place);
}

int timer_heap_add(struct timer_heap *heap, struct loop_timer *timer, struct err *err)
{
    if (heap->count == heap->capacity && grow(heap, err) < 0)
        return -1;
    timer->heap = heap;
    put(heap, heap->count++, timer);
    return 0;
}

void timer_heap_arm(struct loop_timer *timer, int64_t due_ms)
{
    struct timer_heap *heap = timer->heap;
    timer->due_ms = due_ms;
    if (timer->place >= heap->armed) {
        swap(heap, timer->place, heap->armed);
        heap->armed++;
    }
    sift(heap, timer->place);
}

void timer_heap_disarm(struct loop_timer *timer)
{
    struct timer_heap *heap = timer->heap;
    size_t place = timer->place;
    if (place >= heap->armed)
        return;
    heap->armed--;
    swap(heap, place, heap->armed);
    sift(heap, place);
}

void timer_heap_remove(struct loop_timer *timer)
{
    struct timer_heap *heap = timer->heap;
    timer_heap_disarm(timer);
    heap->count--;
    swap(heap, timer->place, heap->count);
    free(timer);
}

struct loop_timer *timer_heap_earliest(const struct timer_heap *heap)
{
    return heap->armed > 0 ? heap->timers[0] : NULL;
}

void timer_heap_release(struct timer_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        free(heap->timers[i]);
    free(heap->timers);
    *heap = (struct timer_heap){0};
}
