// Commands of the form `curfew VERB JOB [options]`.
#pragma once

#include "services/cli/api.h"

// GET /v1/jobs/JOB + suffix, then `print`, or with -o json the answer as JSON. Returns the exit status.
int one_job_show(struct cli *cli, const char *suffix, void (*print)(struct json_object *answer));
// POST /v1/jobs/JOB + verb with `json` (or NULL), then prints the job as JSON with -o json, or its id and `said`, or
// that it is closed, when it is.
int one_job_do(struct cli *cli, const char *verb, const char *json, const char *said);
