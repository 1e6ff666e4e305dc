// One child of the guard: started with its output in a log file, ended with the guard whatever happens to that.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>
#include <sys/types.h>

// The programs of a stack, in the order of starting; they end in reverse.
enum { STACK_POSTGRES, STACK_JOBMANAGER, STACK_REAPER, STACK_WORKER, STACK_PROGRAM_COUNT };
struct stack_kind {
    const char *name;    // "jobmanager": also of its log
    int stop_signal;     // asks it to end
    int64_t patience_ms; // how long that may take before it is killed
};
extern const struct stack_kind stack_kinds[STACK_PROGRAM_COUNT];

struct stack_program {
    const char *name;  // "jobmanager": also of its log
    char *const *argv; // ends with NULL
    uid_t uid;         // whom it runs as
    gid_t gid;
    int stop_signal;
    // state
    pid_t pid; // 0: does not run
    int pidfd; // readable when it has ended; -1
    int64_t started_at_ms;
    unsigned failures; // ends in a row, each soon after its start
};

// Starts it. The kernel sends it its stop signal when the caller dies. From a single-threaded process only.
int stack_program_start(struct stack_program *program, const char *log_directory, struct err *err) WARN_UNUSED;
// Reaps it when it has ended: 1 and its wait status; 0: it still runs.
int stack_program_reap(struct stack_program *program, int *status);
void stack_program_signal(struct stack_program *program, int signal_number);
// Runs it to its end. 0: it exited with 0. ERR_INTERNAL with its status and the last line of its log; ERR_TIMEOUT.
int stack_program_run(struct stack_program *program, const char *log_directory, int64_t timeout_ms,
                      struct err *err) WARN_UNUSED;
// Writes into the program's log how it has ended, and that it is started again.
void stack_program_note_restart(const struct stack_program *program, const char *log_directory, int status);
// Adds the last line of the program's log to an error.
int stack_program_explain(const struct stack_program *program, const char *log_directory, int status, struct err *err);
