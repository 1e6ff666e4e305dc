// How long services take to stop, for /metrics. Thread-safe without locks.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stdint.h>

struct stops;
int stops_new(struct stops **out, struct err *err) WARN_UNUSED;
void stops_free(struct stops *stops); // takes NULL

// A service has stopped, so long after it was asked to. `stops` is a struct stops: for the settings of the lanes.
void stops_note(void *stops, int64_t milliseconds);
// Appends curfew_stop_latency_seconds in the Prometheus text format.
void stops_write(const struct stops *stops, struct strbuf *out);
