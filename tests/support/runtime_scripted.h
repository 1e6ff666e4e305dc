// A runtime that does nothing: a test of the supervisor looks at what was asked of it and drives every callback by
// hand.
//
// It keeps the promises of runtime.h about order only as far as the test does. Every call is written to a log, one line
// each:
//   "start ID", "adopt ID", "adopt_task ID", "signal ID 15", "stop ID -1", "kill ID", "write ID 12", "close_stdin ID",
//   "exec ID argv0", "inspect ID", "list", "lease 12345", "output ID 0 2", "release ID"
#pragma once

#include "services/worker/runtime.h"

struct runtime *runtime_scripted_new(void); // aborts when out of memory

// The calls so far; runtime_scripted_forget() empties it. Valid until the next call.
const char *runtime_scripted_log(struct runtime *runtime);
void runtime_scripted_forget(struct runtime *runtime);
bool runtime_scripted_saw(struct runtime *runtime, const char *line); // a whole line of the log

// The next start fails with this code.
void runtime_scripted_fail_start(struct runtime *runtime, enum err_code code);
// runtime_write() takes at most this many bytes per call from now on; -1: everything, the default.
void runtime_scripted_limit_write(struct runtime *runtime, int64_t bytes);

// The live handle of an identity (started or adopted, not released), or NULL.
struct runtime_instance *runtime_scripted_find(struct runtime *runtime, const char *identity);
size_t runtime_scripted_count(struct runtime *runtime); // handles

// What the instance was started with; NULL when there is no such argument or variable.
const char *runtime_scripted_argument(struct runtime_instance *instance, size_t index);
const char *runtime_scripted_env(struct runtime_instance *instance, const char *name);
const char *runtime_scripted_directory(struct runtime_instance *instance); // of an adopted task: its output file
const char *
runtime_scripted_stdin(struct runtime_instance *instance); // stdin_bytes and everything written, NUL-terminated

// Callbacks, right now.
void runtime_scripted_tell_started(struct runtime_instance *base, pid_t pid, const char *address);
static inline void runtime_scripted_started(struct runtime_instance *base, pid_t pid) // 0: it has ended already
{
    runtime_scripted_tell_started(base, pid, NULL);
}
static inline void runtime_scripted_started_at(struct runtime_instance *base, const char *address) // as a container
{
    runtime_scripted_tell_started(base, 0, address);
}
void runtime_scripted_output(struct runtime_instance *base, enum runtime_stream stream, const char *text);
void runtime_scripted_writable(struct runtime_instance *base);
void runtime_scripted_exited(struct runtime_instance *base, int code, int signal_number);
void runtime_scripted_remains(struct runtime_instance *base, const char *text);
void runtime_scripted_gone(struct runtime_instance *base, enum runtime_reason reason); // with the exit told before
void runtime_scripted_not_started(struct runtime_instance *base, enum err_code code, const char *text);

// Answers the oldest unanswered inspect, exec or list. Aborts when there is none.
void runtime_scripted_inspected(struct runtime *runtime, int64_t remaining);
void runtime_scripted_executed(struct runtime *runtime, int code);          // -1: timed out
void runtime_scripted_unexecuted(struct runtime *runtime, const char *why); // it could not be made

// What runtime_resists_since_ms() says from now on; 1 and "" in the beginning.
void runtime_scripted_resists(struct runtime *runtime, int64_t since_ms, const char *why);
void runtime_scripted_listed(struct runtime *runtime, const struct runtime_found *found, size_t count);
