// A real job manager for one test program, on a free port, over a database of tests/support/pg.h.
//
// What goes wrong in a helper itself ends the test program with a message.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/http/client.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct manager;

// Starts `curfew-jobmanager serve` and waits until it listens. `extra`: more settings, ended by NULL; may be NULL.
struct manager *manager_start(const char *conninfo, const char *const extra[]);
// Settings with which a poll waits for as long as MANAGER_POLL_MS, and a job's watcher looks again by itself as rarely:
// who is answered in a small part of that was woken, on any machine.
extern const char *const manager_patient[];
#define MANAGER_POLL_MS 30000
void manager_free(struct manager *manager); // SIGTERM unless it has ended; it must end with 0. Takes NULL
DEFINE_CLEANUP(struct manager *, manager_free);
#define AUTO_MANAGER CLEANUP(cleanup_manager_free)

const char *manager_url(const struct manager *manager);
const char *manager_log(struct manager *manager);
int manager_pid(const struct manager *manager);
void manager_kill(struct manager *manager); // SIGKILL
// Starts one again on the same port, after manager_kill().
void manager_restart(struct manager *manager);
void manager_terminate(struct manager *manager);               // SIGTERM
int manager_wait(struct manager *manager, int64_t timeout_ms); // as process_wait()

// A client of one's own: one per thread.
struct http_client *manager_client(const struct manager *manager);

// One call with the manager's own client (for the thread that started it). Returns the status; the reply's JSON is put
// into *out (json_object_put) when out is not NULL, NULL when it is none.
int manager_call(struct manager *manager, const char *method, const char *path, const char *body,
                 struct json_object **out);
// The same with any client and with headers; 0 when no reply came.
int client_call(struct http_client *client, const char *method, const char *path, const struct http_header *headers,
                size_t header_count, const char *body, struct json_object **out);

// Members of JSON by a path "/stages/0/name"; "" or 0 when they are not there.
const char *json_text_at(struct json_object *json, const char *pointer);
int64_t json_number_at(struct json_object *json, const char *pointer);
size_t json_length_at(struct json_object *json, const char *pointer);
struct json_object *json_at(struct json_object *json, const char *pointer);

#define AUTO_JSON_OBJECT CLEANUP(cleanup_json_object)
void cleanup_json_object(struct json_object **object);

// Submits a spec and returns the job's id; free with free().
char *manager_submit(struct manager *manager, const char *spec);
// Waits until `state` or `cleanup` of the job have these values (NULL: any).
bool manager_wait_job(struct manager *manager, const char *id, const char *state, const char *cleanup,
                      int64_t timeout_ms);
