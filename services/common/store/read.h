// What users read: every answer of the API's GET calls, written as JSON straight from the rows.
//
// The shape of these answers has its only home in store/read_*.c: a handler reads its arguments, calls one function,
// replies with `out`. On failure `out` holds nothing that may be used. Each answer is one consistent snapshot.
// ERR_NOT_FOUND when the job (task, worker) does not exist, ERR_INVALID for a cursor that is none of ours. One thread
// per connection.
//
// Lists are {"<what>": [...], "next": cursor|null}. Times are RFC 3339 in UTC.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/namespace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

#define READ_LIMIT_MAX 500
#define READ_CURSOR_SIZE 64

// ---- jobs

// How far a job is: what long-polls wait for, and what an ETag is made of.
struct job_progress {
    bool found;
    int outcome;     // enum outcome or OUTCOME_NONE
    int cleanup;     // enum cleanup
    bool closed;     // ended, and nothing of it is left; a kept job is not closed
    int event_count; // grows with every change of the job that users hear of
    int64_t log_bytes;
    char space[NAMESPACE_SIZE]; // its namespace
};

// out[i] is about jobs[i]; one that does not exist has `found` false. One statement for all.
int read_progress(struct db *db, const int64_t *jobs, size_t count, struct job_progress *out,
                  struct err *err) WARN_UNUSED;
// The job as in DESIGN 12. `progress` may be NULL.
int read_job(struct db *db, int64_t job, struct job_progress *progress, struct strbuf *out,
             struct err *err) WARN_UNUSED;
// The submitted spec, canonical, without inline items.
int read_spec(struct db *db, int64_t job, struct strbuf *out, struct err *err) WARN_UNUSED;

struct job_filter {
    int state;                 // enum job_state; -1: any
    const char *name;          // NULL: any
    const char *label, *value; // NULL: any
    const char *space;         // namespace; NULL: all
    int64_t since_us;          // created at or after; 0: any
    const char *cursor;        // NULL: from the newest
    int limit;                 // 1..READ_LIMIT_MAX
};
// {"jobs": [...], "next"}: newest first. A page may be shorter than the limit and still have a next one.
int read_jobs(struct db *db, const struct job_filter *filter, struct strbuf *out, struct err *err) WARN_UNUSED;

// {"code", "message", "evidence": {...}, "advice"}: the one reason why the job, or one task or service of it, or a
// worker is not further. See model/why.h.
int read_why(struct db *db, int64_t job, struct strbuf *out, struct err *err) WARN_UNUSED;
int read_why_task(struct db *db, int64_t job, const char *stage, int64_t index, struct strbuf *out,
                  struct err *err) WARN_UNUSED;
int read_why_service(struct db *db, int64_t job, const char *service, struct strbuf *out, struct err *err) WARN_UNUSED;
int read_why_worker(struct db *db, int64_t worker, struct strbuf *out, struct err *err) WARN_UNUSED;

// ---- tasks

struct task_filter {
    const char *stage;  // name; NULL: all
    int state;          // enum slice_state; -1: any
    bool single;        // one entry per task instead of per slice
    const char *cursor; // NULL: from the first
    int limit;
};
// {"slices": [{stage, first, count, state, attempt, failures, worker|null, due_at|null}], "next"}, or with `single`
// {"tasks": [{task, stage, index, state, attempt, worker|null, error|null}], "next"}.
int read_tasks(struct db *db, int64_t job, const struct task_filter *filter, struct strbuf *out,
               struct err *err) WARN_UNUSED;
// One task with its item and its last failure.
int read_task(struct db *db, int64_t job, const char *stage, int64_t index, struct strbuf *out,
              struct err *err) WARN_UNUSED;

// ---- services

// {"services": [...]}: every instance of the job, all epochs.
int read_services(struct db *db, int64_t job, struct strbuf *out, struct err *err) WARN_UNUSED;
// {"services": [...], "next"}: of all jobs, what may exist now.
int read_live_services(struct db *db, const char *cursor, int limit, struct strbuf *out, struct err *err) WARN_UNUSED;
// {"leaks": [...], "next"}: instances that may exist though their job is closed, or that should be gone since
// `overdue_ms`.
int read_leaks(struct db *db, int64_t overdue_ms, const char *cursor, int limit, struct strbuf *out,
               struct err *err) WARN_UNUSED;
// {"cleanup", "certificates": [...], "seconds": {warming, useful, idle, leaked}} as in DESIGN 12; the same seconds in
// each certificate: until it was ready, while the job worked, from the outcome on, and more than 60 s after its stop
// was asked for.
int read_cleanup(struct db *db, int64_t job, struct strbuf *out, struct err *err) WARN_UNUSED;

// ---- events, logs, results: streams. Each call appends what comes next and moves the position; nothing new appends
// nothing.

enum event_format {
    EVENT_JSON, // NDJSON: {"seq", "at", "kind", "data"} a line
    EVENT_SSE,  // id, event, data
};
// Events with a seq above *seq; *seq becomes the last one's. *end: the job is closed and there are no more.
int read_events(struct db *db, int64_t job, enum event_format format, int limit, int64_t *seq, bool *end,
                struct strbuf *out, struct err *err) WARN_UNUSED;

enum log_page_format {
    LOG_PAGE_RAW,  // the bytes as they came
    LOG_PAGE_JSON, // NDJSON: {"offset", "at", "source", "position", "text"} a line; what is not UTF-8 becomes U+FFFD
    LOG_PAGE_SSE,  // the same as event `log`; its id is the offset behind it
};
// What the job's merged log has at or behind byte *offset (only of `source` unless NULL), about `bytes` at most.
// *end: the job is closed and there are no more.
int read_logs(struct db *db, int64_t job, const char *source, enum log_page_format format, int64_t bytes,
              int64_t *offset, bool *end, struct strbuf *out, struct err *err) WARN_UNUSED;

// NDJSON: {"stage", "task", "output"} a line, of the stages that no other stage reads, behind `cursor` ("" at first),
// which is moved; as many as `limit` and some 256 KB allow. With `whole` only what no later result can come before, so
// that who goes on behind the cursor misses none; else all that is there now. *end: the job has ended and there are no
// more.
int read_results(struct db *db, int64_t job, int limit, bool whole, char cursor[static READ_CURSOR_SIZE], bool *end,
                 struct strbuf *out, struct err *err) WARN_UNUSED;

// ---- the fleet, and the books

// {"workers": [...], "next"}: by id, which is the cursor.
int read_workers(struct db *db, const char *cursor, int limit, struct strbuf *out, struct err *err) WARN_UNUSED;
int read_worker(struct db *db, int64_t worker, struct strbuf *out, struct err *err) WARN_UNUSED;
// Holds the slice invariant of a job (0: of all) against its rows: {"violations": [...]}. Returns how many there are.
int read_violations(struct db *db, int64_t job, struct strbuf *out, struct err *err) WARN_UNUSED;
