#include "tests/bench/scenarios/latencies.h"

#include "services/common/base/macros.h"
#include "tests/bench/scenarios/measures.h"
#include "tests/support/die.h"

#include <stdio.h>
#include <stdlib.h>

void latencies_add(struct latencies *latencies, int64_t us)
{
    if (latencies->count == latencies->capacity) {
        latencies->capacity = latencies->capacity ? latencies->capacity * 2 : 4096;
        latencies->values = reallocarray(latencies->values, latencies->capacity, sizeof *latencies->values);
        if (!latencies->values)
            die("bench: no memory");
    }
    latencies->values[latencies->count++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

double latencies_at_ms(struct latencies *latencies, double part)
{
    if (latencies->count == 0)
        return 0;
    qsort(latencies->values, latencies->count, sizeof *latencies->values, by_value);
    size_t at = (size_t)((double)(latencies->count - 1) * part);
    return (double)latencies->values[at] / 1000;
}

void latencies_note(struct latencies *latencies, const char *name)
{
    static const struct {
        const char *name;
        double part;
    } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"highest", 1}};
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        char full[128];
        snprintf(full, sizeof full, "%s, %s", name, points[i].name);
        note(full, "ms", latencies_at_ms(latencies, points[i].part));
    }
}

void latencies_release(struct latencies *latencies)
{
    free(latencies->values);
    *latencies = (struct latencies){0};
}
