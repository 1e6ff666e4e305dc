#include "services/jobmanager/meters.h"

#include "services/common/base/cleanup.h"

#include <inttypes.h>
#include <stdatomic.h>

static const int64_t bounds_us[] = {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000};
#define BUCKETS (ARRAY_LEN(bounds_us) + 1)
#define CLASSES 6 // of status: 1xx to 5xx, by its first digit

struct meter {
    _Atomic int64_t by_class[CLASSES];
    _Atomic int64_t buckets[BUCKETS]; // not cumulated
    _Atomic int64_t total_us;
};

struct meters {
    struct http_route_table routes;
    struct meter *list; // one per route, and one for requests without
};

int meters_new(const struct http_route_table *routes, struct meters **out, struct err *err)
{
    struct meters *meters = calloc(1, sizeof(*meters));
    struct meter *list = calloc(routes->count + 1, sizeof(*list));
    if (!meters || !list) {
        free(meters);
        free(list);
        return err_set(err, ERR_NO_MEMORY, "no memory for counters");
    }
    meters->routes = *routes;
    meters->list = list;
    *out = meters;
    return 0;
}

void meters_free(struct meters *meters)
{
    if (!meters)
        return;
    free(meters->list);
    free(meters);
}

static void count(_Atomic int64_t *counter, int64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void meters_observe(struct meters *meters, const struct http_route *route, int status, int64_t microseconds)
{
    size_t index = route ? (size_t)(route - meters->routes.routes) : meters->routes.count;
    struct meter *meter = &meters->list[index];
    size_t bucket = 0;
    while (bucket < ARRAY_LEN(bounds_us) && microseconds > bounds_us[bucket])
        bucket++;
    count(&meter->by_class[status >= 100 && status < 600 ? status / 100 : 0], 1);
    count(&meter->buckets[bucket], 1);
    count(&meter->total_us, microseconds);
}

static int64_t value(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void labels(struct strbuf *out, const struct meters *meters, size_t index)
{
    if (index < meters->routes.count)
        strbuf_add_format(out, "{method=\"%s\",route=\"%s\"", meters->routes.routes[index].method,
                          meters->routes.routes[index].pattern);
    else
        strbuf_add_text(out, "{method=\"\",route=\"\"");
}

static int64_t requests(const struct meter *meter)
{
    int64_t sum = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        sum += value(&meter->buckets[i]);
    return sum;
}

static void write_histogram(const struct meters *meters, size_t index, struct strbuf *out)
{
    const struct meter *meter = &meters->list[index];
    int64_t sum = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        sum += value(&meter->buckets[i]);
        strbuf_add_text(out, "curfew_http_request_seconds_bucket");
        labels(out, meters, index);
        if (i < ARRAY_LEN(bounds_us))
            strbuf_add_format(out, ",le=\"%g\"} %" PRId64 "\n", (double)bounds_us[i] / 1e6, sum);
        else
            strbuf_add_format(out, ",le=\"+Inf\"} %" PRId64 "\n", sum);
    }
    strbuf_add_text(out, "curfew_http_request_seconds_sum");
    labels(out, meters, index);
    strbuf_add_format(out, "} %.6f\ncurfew_http_request_seconds_count", (double)value(&meter->total_us) / 1e6);
    labels(out, meters, index);
    strbuf_add_format(out, "} %" PRId64 "\n", sum);
}

void meters_write(const struct meters *meters, struct strbuf *out)
{
    strbuf_add_text(out, "# HELP curfew_http_requests_total Answered requests by route and class of status.\n"
                         "# TYPE curfew_http_requests_total counter\n");
    for (size_t i = 0; i <= meters->routes.count; i++)
        for (size_t class = 0; class < CLASSES; class ++) {
            int64_t answered = value(&meters->list[i].by_class[class]);
            if (!answered)
                continue;
            strbuf_add_text(out, "curfew_http_requests_total");
            labels(out, meters, i);
            strbuf_add_format(out, ",status=\"%zuxx\"} %" PRId64 "\n", class, answered);
        }
    strbuf_add_text(out, "# HELP curfew_http_request_seconds From the request line to the last byte of the reply, "
                         "long-polls included.\n# TYPE curfew_http_request_seconds histogram\n");
    for (size_t i = 0; i <= meters->routes.count; i++)
        if (requests(&meters->list[i]))
            write_histogram(meters, i, out);
}
