// What every command has: global options, the connection to the manager, how it prints, and what its exit status means.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/client.h"

#include <stdbool.h>

struct json_object;

// The exit status, also of `curfew --help`. An outcome's status comes from the job's state, never from a stream that
// ended.
enum exit_status {
    EXIT_JOB_SUCCEEDED = 0, // and everything that is not about a job's outcome and went well
    EXIT_JOB_FAILED = 1,
    EXIT_USAGE = 2, // wrong arguments, or a job file that is wrong
    EXIT_JOB_STOPPED = 3,
    EXIT_JOB_TIMED_OUT = 4,
    EXIT_UNFINISHED = 5,  // a wait ended before the job did
    EXIT_UNAVAILABLE = 6, // no answer from the manager
    EXIT_REFUSED = 7,     // the manager says no: not found, conflict, not allowed
    EXIT_ERROR = 8,       // anything else
};

struct cli {
    const char *server;
    char *token; // NULL: none
    bool json;   // -o json
    bool color, terminal;
    struct http_client *client;
    const struct command *command; // that runs
    // the command's own arguments
    int argc;
    char **argv; // argv[0] is the command's name; ends with NULL
};

struct command {
    const char *name, *arguments, *summary;
    int (*run)(struct cli *cli);
};
extern const struct command commands[];
extern const size_t command_count;

// Exit status of an error; prints it as "curfew: ..." to stderr.
int cli_fail(const struct err *err);
int cli_usage(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3); // EXIT_USAGE
// The status of a job's outcome as the API names it; EXIT_UNFINISHED for null.
int cli_outcome_status(const char *outcome);

// ---- options of a command: `--name value`, `--name=value`, flags, in any order; what is left are the positionals

struct option_spec {
    const char *name;   // "--detach", also "-f"
    const char **value; // NULL: a flag
    bool *flag;
};
// Moves positionals to the front of cli->argv (from index 1) and sets cli->argc. ERR_INVALID names what is wrong.
int cli_options(struct cli *cli, const struct option_spec *options, size_t count, struct err *err) WARN_UNUSED;
