// Commands of the form `curfew VERB JOB [options]`.
#pragma once

#include "services/cli/api.h"

// Reads the options and requires exactly one positional, the job. 0, or the exit status of a usage error.
int one_job(struct cli *cli, const struct option_spec *options, size_t count, const char **job);
// GET /v1/jobs/JOB + suffix, then `print` (NULL: or -o json: the answer as JSON). Returns the exit status.
int one_job_show(struct cli *cli, const char *suffix, void (*print)(struct cli *cli, struct json_object *answer));
// POST /v1/jobs/JOB/verb with `json` (or NULL), then prints the job as JSON with -o json, or `said` and the job's id.
int one_job_do(struct cli *cli, const char *job, const char *verb, const char *json, const char *said);
