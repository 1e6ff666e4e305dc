// Follows a job to its close: its history as lines, on a terminal a progress bar below them. What the exit status says
// is read from the job itself, again and again if the connection breaks; a stream that ends says nothing. When nothing
// happens for a while, standard error says why.
//
// A job is followed as far as it goes by itself: services that are kept end it, and so does one that cannot be stopped.
#pragma once

#include "services/cli/cli.h"

struct follow_settings {
    bool quiet;             // no lines and no bar
    bool until_outcome;     // else until it is closed
    bool is_known;          // that the job exists: a manager that does not answer at first is waited for as well
    bool stop_on_interrupt; // interrupt_noted() asks for a stop of the job; else Ctrl-C ends the following alone
    bool print;             // the job when it is over, as JSON
    int64_t timeout_ms;     // 0: none
};

// Returns the exit status of the job's outcome, EXIT_UNFINISHED, or that of an error.
int follow_job(struct cli *cli, const char *job, const struct follow_settings *settings);
