// Uploads the bundle of a job file and submits the job: once, however often the calls have to be made.
#pragma once

#include "services/cli/cli.h"

#define SUBMIT_ID_SIZE 32

struct job_file;

// `key`: the user's Idempotency-Key, or NULL for one of our own. *job becomes the job's id.
int submit_job(struct cli *cli, struct job_file *file, const char *key, char job[static SUBMIT_ID_SIZE],
               struct err *err) WARN_UNUSED;
