// What the reads have in common. Private to store/read_*.c.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/db/db.h"
#include "services/common/json/write.h"
#include "services/common/store/embedded.h"
#include "services/common/store/read.h"

// Several statements in one snapshot; `out` is cleared before each run.
typedef int (*snapshot_fn)(struct db *db, void *context, struct strbuf *out, struct err *err);
int snapshot_run(struct db *db, snapshot_fn function, void *context, struct strbuf *out, struct err *err) WARN_UNUSED;

int read_no_such_job(int64_t job, struct err *err); // ERR_NOT_FOUND
// One statement about one job, $1; `rows` is the caller's to release.
int read_of_job(struct db *db, enum statement statement, int64_t job, struct result *rows, struct err *err) WARN_UNUSED;
// The end of a read that wrote JSON from `rows`.
int read_done(const struct result *rows, const struct strbuf *out, struct err *err) WARN_UNUSED;

int64_t row_time(struct result *rows, int row, int column);                                   // 0 for null
void row_text(struct strbuf *out, const char *key, struct result *rows, int row, int column); // null for null
void row_i64(struct strbuf *out, const char *key, struct result *rows, int row, int column);
void row_when(struct strbuf *out, const char *key, struct result *rows, int row, int column); // a time
void row_raw(struct strbuf *out, const char *key, struct result *rows, int row, int column, const char *fallback);
void row_job(struct strbuf *out, const char *key, int64_t job); // "j01..."
