// Who of several reapers works: a row with an epoch and an expiry, by the database's clock.
//
// A leader trusts itself only until the start of its last renewal plus the term minus a margin; every transaction of a
// sweep checks the epoch besides, so that even a leader that was stopped in mid-sweep changes nothing afterwards.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

#define LEADERSHIP_HOLDER_SIZE 96

struct leadership {
    const char *name;
    char holder[LEADERSHIP_HOLDER_SIZE]; // unique for this process
    int64_t term_ms;
    int64_t epoch;            // 0: never led
    int64_t trusted_until_ms; // CLOCK_BOOTTIME; 0: does not lead
};

int leadership_init(struct leadership *leadership, const char *name, int64_t term_ms, struct err *err) WARN_UNUSED;

enum leadership_change { LEADERSHIP_SAME, LEADERSHIP_GAINED, LEADERSHIP_LOST };

// Takes or renews the leadership; call it about every third of the term. Returns an enum leadership_change. After a
// failure the leadership holds until its trust runs out.
int leadership_renew(struct leadership *leadership, struct db *db, struct err *err) WARN_UNUSED;
bool leadership_holds(const struct leadership *leadership);
// For long work in between: renews a leadership that holds when a third of its term has passed since it was renewed
// last. Outcomes as above.
int leadership_keep(struct leadership *leadership, struct db *db, struct err *err) WARN_UNUSED;
// A sweep found another leader (ERR_STALE).
void leadership_drop(struct leadership *leadership);
// For a planned end: another reaper need not wait for the term.
void leadership_give_up(struct leadership *leadership, struct db *db);
