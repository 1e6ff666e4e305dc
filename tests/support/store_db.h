// Jobs and a pretended worker for tests of the store: writes the facts that submissions and reports would write, with
// plain SQL, and settles the job. Whatever goes wrong fails the cmocka test.
#pragma once

#include "services/common/base/macros.h"
#include "services/common/store/wakes.h"

#include <stdbool.h>
#include <stdint.h>

struct pg;
struct db;

// A fresh migrated database and a connection to it with the store's statements.
struct db *store_db_new(struct pg *pg);
struct db *store_db_again(const char *conninfo); // another connection to one that exists

// One statement or several; the first column of the first row as a number (0: no rows).
int64_t store_sql(struct db *db, const char *format, ...) PRINTF_LIKE(2, 3);
// The same as text; free with free().
char *store_sql_text(struct db *db, const char *format, ...) PRINTF_LIKE(2, 3);
// BEGIN, lock the job, the facts, settle, COMMIT; wakes may be NULL.
void store_settle(struct db *db, int64_t job, struct wakes *wakes, const char *facts, ...) PRINTF_LIKE(4, 5);

struct store_stage {
    const char *name;
    int64_t tasks;
    int from;       // number of the stage whose outputs are the tasks; -1: none
    uint64_t after; // a bit per stage
    bool goes_on;   // on_failure: continue
    int retries, max_parallel;
    const char *queue; // NULL: "default"
};
struct store_service {
    const char *name;
    uint64_t depends; // a bit per service
    int on_failure;   // enum service_failure
    int restarts;
};
struct store_job {
    const char *name;                                                   // NULL: "test"
    bool keeps;                                                         // autostop: false
    int64_t linger_ms, keep_on_failure_ms, timeout_ms, max_lifetime_ms; // 0: none; lifetime 0: a day
    int priority;
    int stage_count, service_count;
    struct store_stage stages[8]; // stage_count 0: one of 10 tasks, "main"
    struct store_service services[8];
};
// Inserts it as a submission does, and settles it. Its items are the numbers of its tasks.
int64_t store_submit(struct db *db, const struct store_job *job);

int64_t store_worker(struct db *db,
                     const char *name); // registers it: every queue that a test uses, host "host", boot "boot"
// Places the pending instances of the job and reports the state for those that are placed (INSTANCE_READY, ...).
void store_place(struct db *db, int64_t job, int64_t worker);
void store_observe(struct db *db, int64_t job, const char *service, int state, struct wakes *wakes);
// Leases up to `tasks` ready tasks of the stage, from one slice; returns how many.
int64_t store_claim(struct db *db, int64_t job, int stage, int64_t tasks, int64_t worker);
// Ends all leased slices of the stage in this state.
void store_report(struct db *db, int64_t job, int stage, int state, struct wakes *wakes);

// The invariant, and that settling once more changes nothing.
void store_check(struct db *db, int64_t job);
// The same, and how it has ended: enum outcome, enum cleanup.
void store_expect_ended(struct db *db, int64_t job, int outcome, const char *reason, int cleanup);
void store_expect_event(struct db *db, int64_t job, const char *kind, int times);
int64_t store_job_number(struct db *db, int64_t job, const char *column); // -1: NULL
