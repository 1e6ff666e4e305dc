// Things that are due at a time, the earliest first: an intrusive heap. Arming needs no memory once it was reserved.
// Not thread-safe.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline {
    int64_t due_ms;        // clock_boot_ms
    size_t place;          // in the heap, from 1; 0: not armed
    struct deadline *next; // free for the owner while it is not armed
};

struct deadlines {
    struct deadline **heap;
    size_t count, capacity;
};

void deadlines_release(struct deadlines *deadlines); // what is armed is forgotten
// Arms it, or moves it when it is armed. ERR_NO_MEMORY.
int deadlines_arm(struct deadlines *deadlines, struct deadline *deadline, int64_t due_ms, struct err *err) WARN_UNUSED;
void deadlines_disarm(struct deadlines *deadlines, struct deadline *deadline);
struct deadline *deadlines_first(const struct deadlines *deadlines); // NULL when nothing is armed
