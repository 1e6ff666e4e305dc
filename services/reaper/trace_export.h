// Exports the traces of closed jobs to an OpenTelemetry collector: OTLP over HTTP, in JSON.
//
// The address is the operator's. Level-triggered and at least once: a job is exported until the collector has taken its
// trace, whoever is killed meanwhile; twice is the same spans twice. A trace that the collector finds wrong (400, 413,
// 422) is dropped and said. Of several reapers one exports: it holds the row "traces" of `leader`.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

struct db;

struct trace_export_settings {
    const char *endpoint; // "http://collector:4318"; "/v1/traces" is added
    const char *token;    // sent as bearer token; NULL: none
    int64_t term_ms;      // of the leadership
    int limit;            // jobs per round
};

struct trace_export;

// Used by one thread; `db` is borrowed.
int trace_export_new(const struct trace_export_settings *settings, struct db *db, struct trace_export **out,
                     struct err *err) WARN_UNUSED;
void trace_export_free(struct trace_export *export); // takes NULL; gives the leadership up
// Exports what is pending, `limit` jobs at most; returns how many are done. Negative: the database does not answer, or
// the collector takes nothing now; what was taken until then is done.
int trace_export_round(struct trace_export *export, struct err *err) WARN_UNUSED;
