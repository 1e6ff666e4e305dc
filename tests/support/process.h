// Helpers of tests: programs with captured output, waiting with deadlines, free ports.
//
// What goes wrong in a helper itself ends the test program with a message: tests need not check.
#pragma once

#include "services/common/base/cleanup.h"
#include "tests/support/temp_dir.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Asks until the predicate holds; false when it did not within timeout_ms. Instead of sleeping.
bool wait_until(bool (*predicate)(void *context), void *context, int64_t timeout_ms);

// A TCP port on 127.0.0.1 that was free a moment ago.
int free_port(void);
// One that is given to nobody else until the descriptor that it returns is closed; who connects is refused, and a
// listener with SO_REUSEADDR may have it.
int hold_port(int *port);
// The directory of this build ($(BUILD)), found from the running test program's path.
const char *build_dir(void);
// $(BUILD)/bin/NAME, or NAME found in PATH, in a static buffer per call site's thread; NULL when there is none.
const char *program_path(const char *name);

struct process_options {
    const char *const *environment; // "NAME=value", ..., NULL; added to ours. May be NULL
    const char *directory;          // working directory; NULL: ours
    const char *user;               // runs as this user when we are root; NULL: as ourselves
    bool survive;                   // do not kill it when the test program dies
};

struct process;

// Starts argv[0] (searched in PATH), with stdin from /dev/null and stdout and stderr captured. Unless `survive` it is
// killed when the test's thread that started it ends.
struct process *process_start(const char *const argv[], const struct process_options *options /* may be NULL */);
pid_t process_pid(const struct process *process);
void process_signal(struct process *process, int signal_number);
bool process_is_running(struct process *process);
// Waits for the end. Exit status 0..255, 256 + signal number (256 alone: somebody else reaped it), or -1 when it still
// runs after timeout_ms.
int process_wait(struct process *process, int64_t timeout_ms);
// What it wrote so far; valid until the next call for the same process and stream.
const char *process_stdout(struct process *process);
const char *process_stderr(struct process *process);
// Waits until stdout or stderr contains `text`.
bool process_wait_output(struct process *process, const char *text, int64_t timeout_ms);
void process_free(struct process *process); // kills and reaps it when it still runs; takes NULL
DEFINE_CLEANUP(struct process *, process_free);
#define AUTO_PROCESS CLEANUP(cleanup_process_free)

// Starts, waits (60 s) and returns what process_wait() returns.
int process_run(const char *const argv[], const struct process_options *options);
