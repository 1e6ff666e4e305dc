// What tasks and services write, on its way to the manager: chunks with positions, capped.
//
// Each source keeps its head (up to head_bytes) and its tail (the last tail_bytes); what lies between is counted and
// dropped, with a line that says so. All sources together hold at most total_bytes: beyond that the largest are cut. So
// a service that writes a gigabyte costs neither memory nor database.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logs;
struct log_source;

struct logs_settings {
    int64_t head_bytes;  // shipped as it comes: 1 MiB
    int64_t tail_bytes;  // kept for the end: 64 KiB
    int64_t total_bytes; // in memory: 32 MiB
};

int logs_new(const struct logs_settings *settings, struct logs **out, struct err *err) WARN_UNUSED;
void logs_free(struct logs *logs); // takes NULL
// Called when there is something to ship and there was nothing before.
void logs_on_pending(struct logs *logs, void (*function)(void *context), void *context);

// `job` and `source` ("service/cache/1", "task/count/17/1") are copied. NULL when memory is out: the functions below
// take that.
struct log_source *logs_open(struct logs *logs, const char *job, const char *source);
// The same for a source of which the manager has `logged` bytes, which are written here once more: they are left out.
struct log_source *logs_open_again(struct logs *logs, const char *job, const char *source, int64_t logged);
void log_write(struct log_source *source, const char *bytes, size_t length);
// True while what is written now would be dropped anyway but for the tail: a runtime may then read lazily.
bool log_is_over_head(const struct log_source *source);
void log_close(struct log_source *source); // the tail becomes pending; the source frees itself once shipped

struct log_piece {
    const char *job, *source;
    int64_t position;
    const char *bytes;
    size_t length;
};
// Fills in pieces of at most max_bytes in all for one report, and marks them as under way until logs_shipped() or
// logs_not_shipped(); their bytes are valid until the next call of any function here. Returns how many.
size_t logs_collect(struct logs *logs, struct log_piece *pieces, size_t capacity, size_t max_bytes);
void logs_shipped(struct logs *logs);     // the report was accepted
void logs_not_shipped(struct logs *logs); // it may have been: the same pieces come again
bool logs_pending(const struct logs *logs);
