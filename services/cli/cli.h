// What every command has: its options, the connection to the manager, how it prints, and what its exit status means.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/version.h"
#include "services/common/http/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define DEFAULT_SERVER "http://127.0.0.1:19001"

// The exit status; exit_statuses says what each means. An outcome's status comes from the job's state, never from a
// stream that ended.
enum exit_status {
    EXIT_JOB_SUCCEEDED = 0, // and everything that is not about a job's outcome and went well
    EXIT_JOB_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_JOB_STOPPED = 3,
    EXIT_JOB_TIMED_OUT = 4,
    EXIT_UNFINISHED = 5,
    EXIT_UNAVAILABLE = 6,
    EXIT_REFUSED = 7,
    EXIT_ERROR = 8,
    EXIT_INTERRUPTED = 130, // what a shell makes of SIGINT
};
struct exit_meaning {
    int status;
    bool of_outcome; // only of commands that tell a job's outcome
    const char *text;
};
extern const struct exit_meaning exit_meanings[];
extern const size_t exit_meaning_count;

// An option, of a command or of all of them.
struct option {
    const char *name;   // "--detach"
    const char *letter; // "-d", or NULL
    const char *value;  // what its value is called, "N"; NULL: it has none
    const char *text;   // a sentence
};
#define COMMAND_OPTIONS_MAX 10

struct cli;
struct command {
    const char *name;
    const char *argument; // its one positional, "JOB"; NULL: it has none
    const char *summary;  // a line in the list of commands
    const char *more;     // what else there is to know; NULL: nothing
    bool tells_outcome;   // its exit status is that of a job's outcome
    int (*run)(struct cli *cli);
    struct option options[COMMAND_OPTIONS_MAX]; // ends with one without a name
    const char *second;                         // a second positional that may be left out; NULL: there is none
    bool is_local;                              // it asks no manager, so it needs neither address nor token of one
    const char *instead;                        // an option of it that stands for all positionals; NULL: there is none
};
extern const struct command commands[];
extern const size_t command_count;

#define GLOBAL_OPTIONS_MAX 7
extern const struct option global_options[GLOBAL_OPTIONS_MAX];

struct cli {
    const struct command *command; // NULL: none was named
    const char *argument, *second; // its positionals; NULL: not given
    // values of the options in the order of their tables; "" for one without a value, NULL for one that is absent
    const char *values[COMMAND_OPTIONS_MAX], *global_values[GLOBAL_OPTIONS_MAX];
    // how to print
    bool json;     // -o json
    bool terminal; // stdout and stderr are one that can move its cursor
    bool color;
    // the manager
    const char *server;
    char *token; // NULL: none
    struct http_client *client;
};

// ---- reading the command line

// Global options may stand before the command and behind it, a command's options and its argument in any order behind
// it; `--name value` and `--name=value` are the same, the last one counts, behind `--` there are no options. Nothing is
// required when --help or --version is given. ERR_INVALID names what is wrong; cli->command is set when it is known.
int cli_parse(struct cli *cli, int argc, char *const *argv, struct err *err) WARN_UNUSED;
// The value of an option of cli->command: "" for one without a value, NULL when it was not given. A name that is not in
// the command's table ends the program.
const char *cli_option(const struct cli *cli, const char *name);
const char *cli_global(const struct cli *cli, const char *name);

// ---- help

void cli_print_help(FILE *out);
void cli_print_command_help(FILE *out, const struct command *command);
void cli_print_markdown(FILE *out); // docs/reference/cli.md

// ---- exit status

// Exit status of an error; prints it as "curfew: ..." to stderr.
int cli_fail(const struct err *err);
// Says what is wrong with the arguments, and how they should be; command may be NULL. Returns EXIT_USAGE.
int cli_usage(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);
// The status of a job's outcome as the API names it; EXIT_UNFINISHED for "" and NULL.
int cli_outcome_status(const char *outcome);
