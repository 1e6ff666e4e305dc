// What the worker has to tell the manager and has not been told that it arrived: outcomes of slices, observations of
// instances.
//
// Everything stays until a report that carried it was answered, and goes again when the answer was lost: the manager
// records an outcome once (its token is gone then), and an observation is level. Bounded by what the worker runs.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/worker/orders.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outbox;

int outbox_new(struct outbox **out, struct err *err) WARN_UNUSED;
void outbox_free(struct outbox *outbox); // takes NULL

// Both copy. Out of memory is reported: an outcome that cannot be kept leaves its slice to the manager's audit of what
// is held; an observation comes again with the next look.
int outbox_add_outcome(struct outbox *outbox, const struct slice_outcome *outcome, struct err *err) WARN_UNUSED;
// Takes the place of an earlier one of the same instance.
int outbox_put_observation(struct outbox *outbox, const struct observation *observation, struct err *err) WARN_UNUSED;

bool outbox_pending(const struct outbox *outbox); // something waits that is not under way
// Writes `"slices":[...],"instances":[...]` with as much as fits into about max_bytes (at least one entry), and marks
// it as under way. Returns the number of entries.
size_t outbox_collect(struct outbox *outbox, size_t max_bytes, struct strbuf *out);
void outbox_delivered(struct outbox *outbox);     // what is under way has arrived
void outbox_not_delivered(struct outbox *outbox); // it goes again
// The manager refused what is under way as wrong: outcomes of it are dropped, so that they do not stop everything else.
// Returns how many.
size_t outbox_refused(struct outbox *outbox);
// Tokens of the outcomes that wait or are under way. Returns how many were written.
size_t outbox_held(const struct outbox *outbox, int64_t *tokens, size_t capacity);
void outbox_clear(struct outbox *outbox); // a new incarnation owes nothing of the former one
