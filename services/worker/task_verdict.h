// What the end of a task's process means for the task: its error's text, and how the failure counts. Pure.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/model/slice.h"
#include "services/worker/last_line.h"
#include "services/worker/runtime.h"

#include <stdbool.h>
#include <stdint.h>

#define TASK_EXIT_AGAIN 75 // asks for another attempt that is not counted
#define TASK_ERROR_SIZE 512

enum task_end {
    TASK_SUCCEEDED, // it exited with 0, by itself
    TASK_FAILED,
    TASK_UNTOUCHED, // it was cut off by us: nothing is said of it
};

struct task_verdict {
    enum task_end end;
    enum slice_retry retry;
    int exit;                    // -1: none
    char error[TASK_ERROR_SIZE]; // when it failed
};

// `command` is argv[0], `timed_out_ms` the timeout that had passed (0: none), `cancelled`: we had asked it to stop.
void task_verdict(const struct runtime_gone *gone, const char *command, const struct last_line *errors,
                  int64_t timed_out_ms, bool cancelled, struct task_verdict *out);
// Of a task that was adopted: nobody else may have ended it. An engine that was restarted ends what runs, and says of
// that no more than of a command that was killed otherwise.
bool task_end_is_its_own(const struct runtime_gone *gone);
// A process that could not be started at all, or has no working directory.
void task_verdict_of_error(const struct err *error, const char *what, struct task_verdict *out);
