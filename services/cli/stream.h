// What the manager streams about a job goes to stdout as it comes.
#pragma once

#include "services/cli/cli.h"

// Copies the body of GET /v1/jobs/<job><suffix>. With `follow` it is one that grows at its end only, and takes as long
// as it takes: when the manager goes away, the rest is fetched from it once it is back.
int stream_job(struct cli *cli, const char *job, const char *suffix, bool follow, struct err *err) WARN_UNUSED;
