// Traces of closed jobs, for whoever exports them: which are still to be exported, and each as OTLP in JSON.
//
// Level-triggered: a job is pending from when it is closed until traces_done(). What is exported twice is the same both
// times: a span's id follows from what it is about. One thread per connection.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct db;

// Jobs that are closed from the first call of this function on are pending. Harmless when it was called before.
int traces_start(struct db *db, struct err *err) WARN_UNUSED;
// Up to `limit` of the pending ones, those closed first before others. Returns how many.
int traces_pending(struct db *db, int limit, int64_t *jobs, struct err *err) WARN_UNUSED;
// An ExportTraceServiceRequest: spans of the job, of its stages with what failed in them, of the leases of their tasks
// as far as those were kept (hot_settings.trace_tasks), and of its service instances. ERR_NOT_FOUND: it was deleted, or
// is not closed.
int traces_read(struct db *db, int64_t job, struct strbuf *out, struct err *err) WARN_UNUSED;
int traces_done(struct db *db, int64_t job, struct err *err) WARN_UNUSED;
// For who has just found nothing pending: forgets what was exported long ago.
int traces_advance(struct db *db, struct err *err) WARN_UNUSED;
