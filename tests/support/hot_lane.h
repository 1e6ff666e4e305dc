// Hot calls as a lane makes them, with pretended workers. Whatever goes wrong fails the cmocka test.
#pragma once

#include "services/common/store/hot.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct pg;

struct hot_lane {
    struct db *db;  // for looks from outside, with ordinary plans
    struct db *own; // the lane's
    struct hot *hot;
    struct wakes wakes;      // of all calls so far
    const char *traceparent; // of what is submitted next; NULL: none
};

struct hot_lane hot_lane_open(const char *conninfo);         // leases of 30 s, renewed after 5
struct hot_lane hot_lane_open_patient(const char *conninfo); // leases that nobody renews meanwhile
void hot_lane_close(struct hot_lane *of);

// Submits a job that is written as JSON with ' in place of ". Returns its id.
int64_t hot_lane_submit(struct hot_lane *of, const char *format, ...) PRINTF_LIKE(2, 3);
// The same with a key; the operation's outcome is the caller's to look at. Returns whether it failed.
bool hot_lane_submit_key(struct hot_lane *of, const char *key, const char *json, struct submit_operation *out);

// One call, that must be committed.
void hot_lane_run(struct hot_lane *of, struct work_operation **works, size_t count);
void hot_lane_work(struct hot_lane *of, struct work_operation *work);

struct hot_worker {
    int64_t id;
    int incarnation;
};
// Registers it: queues default and other, runtime process.
struct hot_worker hot_worker_new(struct db *db, const char *name);

// A poll for tasks of the queue "default"; to be released by work_operation_release().
struct work_operation hot_poll(struct hot_worker worker, const struct queue_want *want);
// A result that says that all of a grant has succeeded. `text` is for the slice's name.
struct slice_result hot_success(const struct grant *grant);

bool hot_woken(const struct hot_lane *of, enum wake_kind kind, int64_t id);
// Fails the test when the invariant does not hold.
void hot_check(struct hot_lane *of);

// Setup and teardown of cmocka groups and tests with one cluster, and a fresh database and lane for each test. After
// each test the invariant is asked for.
extern struct pg *hot_pg;
extern struct hot_lane lane;
int hot_group_setup(void **state);
int hot_group_teardown(void **state);
int hot_test_setup(void **state);
int hot_test_teardown(void **state);
#define hot_test(function) cmocka_unit_test_setup_teardown(function, hot_test_setup, hot_test_teardown)
