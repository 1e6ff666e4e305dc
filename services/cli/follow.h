// Follows a job to its close: its history as lines, on a terminal a progress bar below them. What the exit status says
// is read from the job itself, again and again if the connection breaks; a stream that ends says nothing.
#pragma once

#include "services/cli/cli.h"

struct follow_settings {
    bool quiet;         // no lines and no bar
    bool until_outcome; // else until it is closed, or its services are kept
    int64_t timeout_ms; // 0: none
};

// Returns the exit status of the job's outcome, EXIT_UNFINISHED after the timeout, or that of an error.
int follow_job(struct cli *cli, const char *job, const struct follow_settings *settings);
