// A whole Curfew for one test program: a private PostgreSQL, managers, workers and reapers, as real programs, and
// everything that can happen to them.
//
// Worker i talks to manager i modulo the number of managers. What goes wrong in the helper itself ends the test program
// with a message. One thread, but for system_client().
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/http/client.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct db;
struct engine;
struct pg;
struct system;

// The leases of these systems, unless they are patient.
#define SYSTEM_LEASE_MS 8000 // who is not scheduled for some seconds keeps its own

enum system_part { SYSTEM_MANAGER, SYSTEM_WORKER, SYSTEM_REAPER };
#define SYSTEM_PARTS 3

struct system_plan {
    int managers, workers, reapers;     // 0: one; -1: none
    int slots;                          // of each worker; 0: 8
    int lease_ms;                       // 0: SYSTEM_LEASE_MS; the fence is a second below
    bool patient;                       // leases as they are by default: for tests in which nobody dies, a slow
                                        // machine must not cost a worker its lease
    unsigned pg_flags;                  // enum pg_flag
    const char *const *worker_settings; // more of them, ended by NULL; may be NULL
    struct engine *engine;              // that workers and reapers use (tests/support/engine.h); may be NULL
};

// Returns when the managers answer and the workers are registered.
struct system *system_start(const struct system_plan *plan);
// Kills everything, and sees that nothing of it is left. Dies when something is, or when a program had a sanitizer's
// finding. Takes NULL.
void system_free(struct system *system);
DEFINE_CLEANUP(struct system *, system_free);
#define AUTO_SYSTEM CLEANUP(cleanup_system_free)

struct pg *system_pg(struct system *system);
const char *system_conninfo(const struct system *system); // of its database
// A connection of the harness; as superuser.
struct db *system_db(struct system *system);
int system_count(const struct system *system, enum system_part part);
const char *system_url(const struct system *system, int manager);
// The same for programs under test: what they are told is held against the API's document on the way.
const char *system_program_url(const struct system *system, int manager);
// A client of one's own, for a thread of one's own.
struct http_client *system_client(const struct system *system, int manager);
// "NAME=VALUE" for tests/support/oracle.h: finds whatever runs for any job of this system.
const char *system_marker(const struct system *system);
const char *system_deployment(const struct system *system); // the name of its installation

// ---- programs

pid_t system_pid(const struct system *system, enum system_part part, int index);
void system_signal(struct system *system, enum system_part part, int index, int signal_number);
bool system_is_running(struct system *system, enum system_part part, int index);
// SIGKILL, and waits for its end.
void system_kill(struct system *system, enum system_part part, int index);
// Starts one again that has ended; does not wait until it is ready.
void system_restart(struct system *system, enum system_part part, int index);
// SIGTERM, waits for the end and returns its status as process_wait() does.
int system_terminate(struct system *system, enum system_part part, int index, int64_t timeout_ms);
// Waits until the managers answer and this many workers are `ready`.
void system_wait_ready(struct system *system, int workers);
// The reaper that leads (its index), -1 when none does.
int system_leader(struct system *system);
// Resident bytes of a process now.
int64_t system_resident_bytes(pid_t pid);
// What it wrote since it was started last; valid until the next call for the same program.
const char *system_log(struct system *system, enum system_part part, int index);
// The last lines that every program wrote, on stderr.
void system_print_logs(struct system *system);
