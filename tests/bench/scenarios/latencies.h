// Latencies in microseconds, all of them kept: percentiles are exact.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct latencies {
    uint32_t *values;
    size_t count, capacity;
};
void latencies_add(struct latencies *latencies, int64_t us);
// The value in milliseconds below which `part` (0..1) of them lie; sorts. 0 when there are none.
double latencies_at_ms(struct latencies *latencies, double part);
// Notes p50, p99 and the highest of them as "<name>, p50" and so on.
void latencies_note(struct latencies *latencies, const char *name);
void latencies_release(struct latencies *latencies);
