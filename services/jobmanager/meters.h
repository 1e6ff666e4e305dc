// Counters of requests, in memory, for /metrics. Thread-safe without locks.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/route.h"

#include <stdint.h>

struct meters;

int meters_new(const struct http_route_table *routes, struct meters **out, struct err *err) WARN_UNUSED;
void meters_free(struct meters *meters); // takes NULL
// A request was answered; `route` NULL when none matched.
void meters_observe(struct meters *meters, const struct http_route *route, int status, int64_t microseconds);
// Appends curfew_http_requests_total and curfew_http_request_seconds in the Prometheus text format.
void meters_write(const struct meters *meters, struct strbuf *out);
