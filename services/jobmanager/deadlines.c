#include "services/jobmanager/deadlines.h"

#include <stdlib.h>

void deadlines_release(struct deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct deadlines){0};
}

static void put(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
    deadlines->heap[place - 1] = deadline;
    deadline->place = place;
}

static void sift_up(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t place = deadline->place;
    for (; place > 1 && deadlines->heap[place / 2 - 1]->due_ms > deadline->due_ms; place /= 2)
        put(deadlines, place, deadlines->heap[place / 2 - 1]);
    put(deadlines, place, deadline);
}

static void sift_down(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t place = deadline->place;
    for (;;) {
        size_t child = place * 2;
        if (child > deadlines->count)
            break;
        if (child < deadlines->count && deadlines->heap[child]->due_ms < deadlines->heap[child - 1]->due_ms)
            child++;
        if (deadlines->heap[child - 1]->due_ms >= deadline->due_ms)
            break;
        put(deadlines, place, deadlines->heap[child - 1]);
        place = child;
    }
    put(deadlines, place, deadline);
}

static int reserve(struct deadlines *deadlines, struct err *err)
{
    if (deadlines->count < deadlines->capacity)
        return 0;
    size_t capacity = deadlines->capacity ? deadlines->capacity * 2 : 64;
    struct deadline **heap = reallocarray(deadlines->heap, capacity, sizeof(struct deadline *));
    if (!heap)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu deadlines", capacity);
    deadlines->heap = heap;
    deadlines->capacity = capacity;
    return 0;
}

int deadlines_arm(struct deadlines *deadlines, struct deadline *deadline, int64_t due_ms, struct err *err)
{
    deadlines_disarm(deadlines, deadline);
    if (reserve(deadlines, err) < 0)
        return -1;
    deadline->due_ms = due_ms;
    put(deadlines, ++deadlines->count, deadline);
    sift_up(deadlines, deadline);
    return 0;
}

void deadlines_disarm(struct deadlines *deadlines, struct deadline *deadline)
{
    if (!deadline->place)
        return;
    struct deadline *last = deadlines->heap[--deadlines->count];
    if (last != deadline) {
        put(deadlines, deadline->place, last);
        sift_up(deadlines, last);
        sift_down(deadlines, last);
    }
    deadline->place = 0;
}

struct deadline *deadlines_first(const struct deadlines *deadlines)
{
    return deadlines->count ? deadlines->heap[0] : NULL;
}
