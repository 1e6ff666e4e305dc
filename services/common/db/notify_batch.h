// The items of a notifier that wait to be sent: each once, bounded. Internal to common/db. Not thread-safe.
#pragma once

#include "services/common/db/params.h"

struct notify_batch;

struct notify_batch *notify_batch_new(void);        // NULL when memory runs out
void notify_batch_free(struct notify_batch *batch); // takes NULL
void notify_batch_clear(struct notify_batch *batch);
bool notify_batch_is_empty(const struct notify_batch *batch);
// Adds an item unless it is there. Beyond the bounds, or for an item that cannot be sent, everything is replaced by
// NOTIFIER_EVERYTHING.
void notify_batch_add(struct notify_batch *batch, const char *item);
// Adds one text[] parameter: payloads below PostgreSQL's limit, items separated by newlines.
void notify_batch_payloads(const struct notify_batch *batch, struct params *params);
