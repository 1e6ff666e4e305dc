// The timers of one loop, the earliest armed one on top. Internal to the loop.
//
// One array holds all timers: the armed ones first, as a binary heap by due time, then the others. So arming needs no
// memory and cannot fail.
#pragma once

#include "services/common/base/loop.h"

#include <stddef.h>
#include <stdint.h>

struct loop_timer {
    struct timer_heap *heap;
    loop_timer_fn function;
    void *context;
    int64_t due_ms;
    size_t place; // in heap->timers; armed when below heap->armed
};

struct timer_heap {
    struct loop_timer **timers;
    size_t armed;
    size_t count;
    size_t capacity;
};

// Adds `timer`, not armed, which the heap owns from now on. Not taken when this fails.
int timer_heap_add(struct timer_heap *heap, struct loop_timer *timer, struct err *err) WARN_UNUSED;
void timer_heap_arm(struct loop_timer *timer, int64_t due_ms);
void timer_heap_disarm(struct loop_timer *timer);
void timer_heap_remove(struct loop_timer *timer);                      // frees it
struct loop_timer *timer_heap_earliest(const struct timer_heap *heap); // NULL when none is armed
void timer_heap_release(struct timer_heap *heap);                      // frees all timers
