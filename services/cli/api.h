// Calls of the manager's API: failures become errors with the problem's own words, answers become JSON trees or are
// passed on.
#pragma once

#include "services/cli/cli.h"
#include "services/common/json/parse.h"

#include <stdint.h>

// The problem document of an answer that is no 2xx, as an error: code by status, text from `detail`. The faults of
// `errors[]` are printed to stderr.
int api_problem(const struct http_response *response, struct err *err);

// One call with an answer in JSON. `json` may be NULL for no body; `key`: Idempotency-Key or NULL. The tree is the
// caller's.
int api_call(struct cli *cli, const char *method, const char *path, const char *json, const char *key,
             int64_t timeout_ms, struct json_document *out, int *status, struct err *err) WARN_UNUSED;
int api_get(struct cli *cli, const char *path, struct json_document *out, struct err *err) WARN_UNUSED;
// "/v1/jobs/<id>" + suffix, escaped. ERR_INVALID when it does not fit.
int api_job_path(const char *job, const char *suffix, char *out, size_t size, struct err *err) WARN_UNUSED;

// Members of a tree for printing: "" or 0 when they are not there.
const char *api_text(struct json_object *object, const char *name);
int64_t api_number(struct json_object *object, const char *name);
bool api_true(struct json_object *object, const char *name);
struct json_object *api_member(struct json_object *object, const char *name); // NULL when absent or null
void api_print(struct json_object *object);                                   // as indented JSON
