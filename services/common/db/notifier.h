// Sends NOTIFY from a thread and connection of its own: merged, at most once per interval, never in anybody's
// transaction.
//
// Items are short texts without newline. Equal items that wait are sent once. What cannot be sent (database away, too
// much) is dropped and followed by the item that makes listeners report LISTEN_MISSED.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"

#include <stdint.h>

#define NOTIFIER_ITEM_MAX 255 // bytes
// The payload that tells listeners to look at everything.
#define NOTIFIER_EVERYTHING "*"

struct notifier;

// Starts the thread. Sends at most every interval_ms (0: 2 ms); an item that comes after a quiet time goes at once.
int notifier_open(const char *conninfo, const char *channel, int64_t interval_ms, struct notifier **out,
                  struct err *err) WARN_UNUSED;
// Sends what waits, if the database is there, and ends the thread. Takes NULL.
void notifier_close(struct notifier *notifier);
DEFINE_CLEANUP(struct notifier *, notifier_close);
#define AUTO_NOTIFIER CLEANUP(cleanup_notifier_close)

// From any thread; never waits for the database. An item that is empty, too long or has a newline is sent as
// NOTIFIER_EVERYTHING.
void notifier_send(struct notifier *notifier, const char *item);
