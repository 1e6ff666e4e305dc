#include "services/cli/cli.h"
#include "services/cli/print.h"
#include "services/common/model/states.h"

#include <stdarg.h>
#include <stdio.h>

const struct exit_meaning exit_meanings[] = {
    {EXIT_JOB_SUCCEEDED, false, "done; where an outcome is told: the job succeeded"},
    {EXIT_JOB_FAILED, true, "the job failed"},
    {EXIT_USAGE, false, "the arguments or the job file are wrong"},
    {EXIT_JOB_STOPPED, true, "the job was stopped"},
    {EXIT_JOB_TIMED_OUT, true, "the job timed out"},
    {EXIT_UNFINISHED, true,
     "the wait is over and the job is not closed: the timeout of the wait has passed, or a "
     "service could not be stopped"},
    {EXIT_UNAVAILABLE, false, "no answer from the manager"},
    {EXIT_REFUSED, false,
     "the manager says no: there is no such job, it is not in a state for that, the token is not valid or of "
     "another role"},
    {EXIT_ERROR, false, "another error"},
    {EXIT_INTERRUPTED, false, "interrupted by Ctrl-C"},
};
const size_t exit_meaning_count = ARRAY_LEN(exit_meanings);

static int status_of_code(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
    case ERR_TOO_LARGE:
        return EXIT_USAGE;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_LIMIT:
        return EXIT_UNAVAILABLE;
    case ERR_UNAUTHORIZED:
    case ERR_FORBIDDEN:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_STALE:
        return EXIT_REFUSED;
    case ERR_NO_MEMORY:
    case ERR_IO:
    case ERR_UNSUPPORTED:
    case ERR_INTERNAL:
        return EXIT_ERROR;
    }
    return EXIT_ERROR;
}

int cli_fail(const struct err *err)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT; // it may quote what others wrote
    print_clean(&clean, err->text);
    fflush(stdout);
    fprintf(stderr, "curfew: %s\n", strbuf_text(&clean));
    return status_of_code(err->code);
}

int cli_usage(const struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "curfew: ");
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n`curfew %s%s--help` says what there is\n", command ? command->name : "", command ? " " : "");
    return EXIT_USAGE;
}

int cli_outcome_status(const char *outcome)
{
    if (!outcome || !*outcome)
        return EXIT_UNFINISHED;
    switch (outcome_from_name(outcome)) {
    case OUTCOME_SUCCEEDED:
        return EXIT_JOB_SUCCEEDED;
    case OUTCOME_FAILED:
        return EXIT_JOB_FAILED;
    case OUTCOME_STOPPED:
        return EXIT_JOB_STOPPED;
    case OUTCOME_TIMED_OUT:
        return EXIT_JOB_TIMED_OUT;
    }
    return EXIT_ERROR;
}
