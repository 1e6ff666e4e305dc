// What users of a whole system (system.h) do and see: submit, wait, look; and what must always hold.
//
// What goes wrong in a helper itself ends the test program with a message; system_expect...() do so with all that is
// known about the job.
#pragma once

#include "services/common/base/macros.h"
#include "tests/support/manager.h"
#include "tests/support/system.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define SYSTEM_ID_SIZE 32

// The path of the `nasty` service (tests/fixtures/nasty.c) and of other programs there; lives as long as the program.
const char *fixture_path(const char *name);
// Text with every ' made " and every @NAME@ the path of that fixture: specs are read and written so. Free with free().
char *quoted(const char *format, ...) PRINTF_LIKE(1, 2);

// One call with the first manager that answers; 0 and 503 are tried again for a minute, so `body` must be harmless
// twice.
int system_call(struct system *system, const char *method, const char *path, const char *body,
                struct json_object **out);
// The same with a path that is printed: GET, and the status has to be 200.
struct json_object *system_get(struct system *system, const char *format, ...) PRINTF_LIKE(2, 3);
// POST without a body; returns the status.
int system_post(struct system *system, const char *format, ...) PRINTF_LIKE(2, 3);
// GET of a stream (results, logs, events) as text; free with free().
char *system_stream(struct system *system, const char *format, ...) PRINTF_LIKE(2, 3);

// Submits a spec, quoted as above, under an idempotency key of its own, so that it may be tried again.
void system_submit(struct system *system, char id[SYSTEM_ID_SIZE], const char *format, ...) PRINTF_LIKE(3, 4);
void system_submit_text(struct system *system, const char *json, char id[SYSTEM_ID_SIZE]);
void system_stop(struct system *system, const char *id);

// Waits for `pointer` of the job's JSON to be `value`; dies with all that is known when it does not come.
void system_expect(struct system *system, const char *id, const char *pointer, const char *value, int64_t timeout_ms);
// Waits until the job is closed; returns its JSON (json_object_put).
struct json_object *system_wait_closed(struct system *system, const char *id, int64_t timeout_ms);
// Waits until the job has an outcome, or is closed. Another one than `outcome` fails the test, with all that is known.
struct json_object *system_wait_outcome_as(struct system *system, const char *id, const char *outcome,
                                           int64_t timeout_ms);
struct json_object *system_wait_closed_as(struct system *system, const char *id, const char *outcome,
                                          int64_t timeout_ms);
// Prints the job, why it is not further, its services, events and the programs' logs on stderr.
void system_explain(struct system *system, const char *id);

// ---- what must hold. Each returns how many violations there are and prints them.

// The SQL function `violations` over all jobs.
int system_violations(struct system *system);
// Of a closed job: nothing of it is left on this machine (now, not soon), there is a certificate for each of its
// instances, with grade, times and the signals that a stop needs.
int system_leftovers(struct system *system, const char *id);
// The first column of the first row as a number, by SQL.
int64_t system_sql(struct system *system, const char *format, ...) PRINTF_LIKE(2, 3);
int64_t system_job_number(const char *id);
// An hour passes for this job, and it is looked at: "1h" in its spec is over, however long anything took before.
void system_let_an_hour_pass(struct system *system, const char *id);
// Not for tests.
struct http_client *system_own_client(const struct system *system, int manager);
