#include "services/jobmanager/stops.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

static const int64_t bounds_ms[] = {10, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000};
#define BUCKETS (ARRAY_LEN(bounds_ms) + 1)

struct stops {
    _Atomic int64_t buckets[BUCKETS]; // not cumulated
    _Atomic int64_t total_ms;
};

int stops_new(struct stops **out, struct err *err)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for counters");
}

void stops_free(struct stops *stops)
{
    free(stops);
}

void stops_note(void *context, int64_t milliseconds)
{
    struct stops *stops = context;
    size_t bucket = 0;
    while (bucket < ARRAY_LEN(bounds_ms) && milliseconds > bounds_ms[bucket])
        bucket++;
    atomic_fetch_add_explicit(&stops->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stops->total_ms, milliseconds, memory_order_relaxed);
}

void stops_write(const struct stops *stops, struct strbuf *out)
{
    int64_t sum = 0;
    strbuf_add_text(out, "# HELP curfew_stop_latency_seconds From the order that a service stops to its worker's word "
                         "that it has.\n# TYPE curfew_stop_latency_seconds histogram\n");
    for (size_t i = 0; i < BUCKETS; i++) {
        sum += atomic_load_explicit(&stops->buckets[i], memory_order_relaxed);
        if (i < ARRAY_LEN(bounds_ms))
            strbuf_add_format(out, "curfew_stop_latency_seconds_bucket{le=\"%g\"} %" PRId64 "\n",
                              (double)bounds_ms[i] / 1e3, sum);
        else
            strbuf_add_format(out, "curfew_stop_latency_seconds_bucket{le=\"+Inf\"} %" PRId64 "\n", sum);
    }
    strbuf_add_format(out, "curfew_stop_latency_seconds_sum %g\ncurfew_stop_latency_seconds_count %" PRId64 "\n",
                      (double)atomic_load_explicit(&stops->total_ms, memory_order_relaxed) / 1e3, sum);
}
