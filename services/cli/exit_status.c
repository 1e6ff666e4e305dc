#include "services/cli/cli.h"
#include "services/common/model/states.h"

#include <stdio.h>

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
    fflush(stdout);
    fprintf(stderr, "curfew: %s\n", err->text);
    return status_of_code(err->code);
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
