// Events on their way into the database: collected, then inserted with one statement.
//
// Whoever adds events holds the job's row lock and keeps job.event_count in step: `*count` is moved by each event.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct db;

struct event_item {
    int64_t job;
    int seq;
    const char *kind; // static
    size_t data;      // offset in `texts`
};

struct event_list {
    struct event_item *items;
    size_t count, capacity;
    struct strbuf texts; // NUL-terminated one after the other
};
#define EVENT_LIST_INIT {0}
#define AUTO_EVENT_LIST CLEANUP(event_list_release)

void event_list_release(struct event_list *events);
// The data is a JSON object. Running out of memory shows in event_list_insert().
void event_list_add(struct event_list *events, int64_t job, int *count, const char *kind, const char *data, ...)
    PRINTF_LIKE(5, 6);
// Inserts what was collected; nothing collected costs nothing.
int event_list_insert(struct event_list *events, struct db *db, struct err *err) WARN_UNUSED;
