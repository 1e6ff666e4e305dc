// Watches one container engine: finishes what lost workers have there, and removes what no row wants.
//
// Level-triggered, a round a second, or three in a term that is shorter than three seconds: what the engine shows under
// our deployment's label is held against the rows (store/engine.h). Of several reapers at an engine one works: it holds
// the row "engine/ID" of `leader`, which it renews only when the engine has answered. Keeps in memory only which
// signals it has sent when: killed at any moment, another one goes on from the engine and the database.
//
// Before anything is ended it is looked at once more, by its id. What no row wants has to be seen for `patience_ms`;
// and when more than half of at least ENGINE_GUARD_MIN containers are unknown to the database, it is the database that
// is not believed (a restored one): nothing unknown is removed, and that is said.
#pragma once

#include "services/common/base/err.h"
#include "services/reaper/engine_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct engine_seen;
struct wakes;

#define ENGINE_GUARD_MIN 5

struct engine_watch_settings {
    const char *url;          // of the engine: engine_client_new()
    const char *database_url; // for engine_thread.h
    int64_t term_ms;          // of the leadership
    int64_t patience_ms;
    int limit; // rows per transaction
};

struct engine_watch;

// Used by one thread; `db` is borrowed.
int engine_watch_new(const struct engine_watch_settings *settings, struct db *db, struct engine_watch **out,
                     struct err *err) WARN_UNUSED;
void engine_watch_free(struct engine_watch *watch); // takes NULL; gives the leadership up
// One look; takes everything one step further. Returns how many objects are still being ended, or were left since they
// are not believed; negative when the engine or the database does not answer.
int engine_watch_round(struct engine_watch *watch, struct wakes *wakes, struct err *err) WARN_UNUSED;

// True when so many unknown ones of all are more than can be believed.
bool engine_guard_refuses(size_t unknown, size_t all);
