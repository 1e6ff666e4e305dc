// When a busy lane waits a moment for company.
//
// Whoever has just been answered is likely to call again at once, as workers do that report and ask for more. A
// transaction costs about the same whether eight or sixteen calls share it, so a lane that has ended one gives them
// the time that it took, 2 ms at most, to come back. A lane that had few calls, or none for a while, waits for
// nobody. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gather {
    size_t expected;  // calls that were under way at the end of the transaction; 0: there is nothing to wait for
    int64_t until_us; // CLOCK_BOOTTIME
};

// After a transaction that began and ended at these times, answered so many calls and found so many others in the
// queue.
struct gather gather_after(int64_t began_us, int64_t ended_us, size_t answered, size_t queued);
// How long to wait at most, in microseconds, for more than the calls that are in the queue; 0: not at all.
int64_t gather_left_us(const struct gather *gather, size_t queued, int64_t now_us);
