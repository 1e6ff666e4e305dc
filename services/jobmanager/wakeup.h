// Delivers wakes: to the polls and watches that are parked here, and by NOTIFY to those of other replicas; hears
// theirs.
//
// Lost notifications cost one poll interval: after an interruption everything is looked at once.
#pragma once

#include "services/common/base/err.h"
#include "services/common/store/wakes.h"
#include "services/jobmanager/polls.h"
#include "services/jobmanager/watches.h"

#define WAKE_CHANNEL "curfew"

struct wakeup;

// Starts the listening thread; `polls` and `watches` outlive it.
int wakeup_start(const char *database_url, struct polls *polls, struct watches *watches, struct wakeup **out,
                 struct err *err) WARN_UNUSED;
void wakeup_stop(struct wakeup *wakeup); // takes NULL
// From any thread; never waits for the database.
void wakeup_deliver(struct wakeup *wakeup, const struct wakes *wakes);
