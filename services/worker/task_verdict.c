#include "services/worker/task_verdict.h"

#include "services/common/base/parse.h"
#include "services/common/model/signal_name.h"

#include <stdio.h>
#include <string.h>

#define SIGNALLED 128 // an engine says this and the signal's number, and 255 of what it has not seen

static void fail(struct task_verdict *out, enum slice_retry retry, int exit)
{
    out->end = TASK_FAILED;
    out->retry = retry;
    out->exit = exit;
}

// "<what>: <last line>", or "<what>".
static void describe(struct task_verdict *out, const char *what, const struct last_line *errors)
{
    char line[LAST_LINE_SIZE];
    last_line_text(errors, line);
    snprintf(out->error, sizeof out->error, line[0] ? "%s: %s" : "%s", what, line);
}

static void judge_exit(const struct runtime_exit *exit, const struct last_line *errors, struct task_verdict *out)
{
    char what[80];
    if (exit->known && exit->out_of_memory) {
        fail(out, SLICE_RETRY_COUNTED, exit->code);
        describe(out, "it ran out of memory, of which resources.memory gives it no more", errors);
    } else if (!exit->known) {
        fail(out, SLICE_RETRY_COUNTED, -1);
        describe(out, "its end was not seen", errors);
    } else if (exit->signal != 0) {
        fail(out, SLICE_RETRY_COUNTED, -1);
        snprintf(what, sizeof what, "killed by %s", signal_name(exit->signal));
        describe(out, what, errors);
    } else if (exit->code != 0) {
        fail(out, exit->code == TASK_EXIT_AGAIN ? SLICE_RETRY_UNCOUNTED : SLICE_RETRY_COUNTED, exit->code);
        snprintf(what, sizeof what, "exit %d%s", exit->code, runtime_exit_hint(exit));
        describe(out, what, errors);
    }
}

void task_verdict_of_error(const struct err *error, const char *what, struct task_verdict *out)
{
    bool passes = error->code == ERR_UNAVAILABLE || error->code == ERR_LIMIT || error->code == ERR_NO_MEMORY ||
                  error->code == ERR_TIMEOUT;
    *out = (struct task_verdict){0};
    fail(out, passes ? SLICE_RETRY_UNCOUNTED : SLICE_RETRY_COUNTED, -1);
    if (error->code == ERR_STALE) // no lease: whoever has it next starts it
        out->end = TASK_UNTOUCHED;
    snprintf(out->error, sizeof out->error, "%s: %s", what, error->text);
}

static void judge_start(const struct err *error, const char *command, struct task_verdict *out)
{
    char what[200];
    if (error->code == ERR_NOT_FOUND)
        snprintf(what, sizeof what, "no such command: %.160s", command);
    else if (error->code == ERR_FORBIDDEN)
        snprintf(what, sizeof what, "not executable: %.160s", command);
    else
        snprintf(what, sizeof what, "cannot start %.160s", command);
    task_verdict_of_error(error, what, out);
    if (error->code == ERR_NOT_FOUND || error->code == ERR_FORBIDDEN)
        snprintf(out->error, sizeof out->error, "%s", what);
}

static void judge_timeout(int64_t timeout_ms, const struct runtime_exit *exit, struct task_verdict *out)
{
    char duration[PARSE_DURATION_TEXT_SIZE];
    duration_format(timeout_ms, duration);
    fail(out, SLICE_RETRY_COUNTED, exit->known ? exit->code : -1);
    snprintf(out->error, sizeof out->error, "timed out after %s", duration);
}

bool task_end_is_its_own(const struct runtime_gone *gone)
{
    return gone->reason == RUNTIME_EXITED && gone->exit.known &&
           (gone->exit.out_of_memory || (gone->exit.signal == 0 && gone->exit.code < SIGNALLED));
}

void task_verdict(const struct runtime_gone *gone, const char *command, const struct last_line *errors,
                  int64_t timed_out_ms, bool cancelled, struct task_verdict *out)
{
    char what[320];
    *out = (struct task_verdict){.end = TASK_SUCCEEDED, .exit = -1};
    switch (gone->reason) {
    case RUNTIME_EXITED:
        judge_exit(&gone->exit, errors, out);
        return;
    case RUNTIME_NOT_STARTED:
        judge_start(&gone->start_error, command, out);
        break;
    case RUNTIME_STOPPED:
        out->end = TASK_UNTOUCHED;
        break;
    case RUNTIME_FENCED:
        fail(out, SLICE_RETRY_UNCOUNTED, -1);
        snprintf(out->error, sizeof out->error, "cut off: the worker's lease had passed");
        break;
    case RUNTIME_LOST:
        fail(out, SLICE_RETRY_COUNTED, -1);
        snprintf(what, sizeof what, "its end was not seen: %s",
                 gone->start_error.text[0] ? gone->start_error.text : "its shim was killed");
        describe(out, what, errors);
        break;
    }
    if (timed_out_ms > 0)
        judge_timeout(timed_out_ms, &gone->exit, out);
    else if (cancelled)
        out->end = TASK_UNTOUCHED;
}
