// A runtime: how a worker runs a command, as a struct of functions.
//
// Implementations: `process` (runtime_process.h: a curfew-shim per instance), containers later, and `scripted`
// (tests/support/runtime_scripted.h: a fake for tests of the supervisor, which drives every callback by hand).
//
// An *instance* here is one start of one command: a service's epoch, or a task's attempt, or a stream slot. It is named
// by its identity, a text that never comes twice: "JOB/SERVICE/EPOCH" or "JOB/STAGE/TASK/TOKEN".
//
// Promises of every implementation:
//  - Single-threaded: all functions and callbacks run on the thread of the event loop that the runtime was made with.
//  - Nothing blocks. What takes time is reported by callback, and no callback runs before the function that caused it
//  has
//    returned, so that callers need not be re-entrant. Inside a callback every function may be called,
//    runtime_release() of the same instance too (nothing is called back for it afterwards).
//  - Order of callbacks: started? output* exited? output* remains* gone. After a successful start or adopt `gone` comes
//  exactly once
//    and last, and only when nothing that belongs to the instance is left, double-forked and setsid children included.
//    All output that was ever written to a stream in mode DELIVER has been delivered before `gone`.
//  - `gone` without `started` before it means that the command never ran: gone.start_error says why (no such
//  command...).
//  - Intent before effect: a record is on disk (or a label at the engine) before the effect, so that list() of a later
//    life of the worker shows whatever this one has left behind.
//  - Fencing: instances live only while the lease holds. When the lease's deadline passes, or the worker dies, is
//  stopped
//    or hangs, they are ended without the worker's help (process runtime), or carry the deadline as a label for others.
//  - Nothing that the deployment did not start is ever signalled or removed.
// What they do not do: restart, readiness, deciding that an instance is stuck (the supervisor's timer does, when `gone`
// does not come after a kill), removing working directories (the supervisor does, after `gone`).
//
// Sequence for one service or task:
//   runtime_choose_ports(runtime, container, ports, n, err)         numbers to put into ${PORT}
//   runtime_start(runtime, &spec, &events, context, &instance, err)
//     -> events.started, events.output..., runtime_stop(instance, -1, err), events.exited, events.gone
//   runtime_inspect(runtime, identity, ...)                the later, independent look: grade `verified`
//   runtime_release(instance)                              forgets it, with its record
// After a restart of the worker: runtime_list(), then for each that is not `live` and does not survive its worker
// runtime_adopt() and wait for `gone`. What survives is adopted when the manager has said what becomes of it.
#pragma once

#include "services/common/base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RUNTIME_IDENTITY_SIZE 256 // bytes with NUL; characters: letters, digits, '.', '_', '-', '/'
#define RUNTIME_OBJECT_SIZE 128
#define RUNTIME_BOUNDARY_SIZE 24
#define RUNTIME_SIGNALS_MAX 16 // of a certificate; later ones replace the last

struct runtime_ops;
struct service_address; // orders.h

// Implementations embed these as their first member.
struct runtime {
    const struct runtime_ops *ops;
};
struct runtime_instance {
    struct runtime *runtime;
};

enum runtime_stream { RUNTIME_STDOUT, RUNTIME_STDERR };
#define RUNTIME_STREAM_COUNT 2

// What happens to output as it comes.
enum runtime_output {
    RUNTIME_DELIVER, // events.output is called; the mode at the start
    RUNTIME_PAUSE,   // nothing is read: the command blocks when its pipe is full (backpressure)
    RUNTIME_DISCARD, // read and dropped at the least cost: the command never blocks, nothing is called
};

enum runtime_stdin {
    RUNTIME_STDIN_EMPTY, // reads end of file at once
    RUNTIME_STDIN_BYTES, // spec.stdin_bytes, then end of file
    RUNTIME_STDIN_PIPE,  // runtime_write() until runtime_close_stdin()
};

// Strength of the evidence that an instance is gone; the words of the certificate.
enum runtime_grade {
    RUNTIME_GRADE_EXIT,     // "exit": its exit was observed by its own parent, and that nothing below is left
    RUNTIME_GRADE_ABSENT,   // "absent": looked for and not found
    RUNTIME_GRADE_VERIFIED, // "verified": not found again, later and by other means
};

// Why an instance ended.
enum runtime_reason {
    RUNTIME_EXITED,      // by itself: nobody had asked
    RUNTIME_STOPPED,     // a stop or kill was asked for before its exit was seen, whatever its exit says
    RUNTIME_FENCED,      // the lease passed, or its worker was gone
    RUNTIME_NOT_STARTED, // see gone.start_error
    RUNTIME_LOST,        // its shim was killed (or its container vanished), or it is from an earlier life of the worker
};

struct runtime_port {
    const char *name;
    int container; // the port that a container listens on; 0: the runtime chooses
    int number;    // out, runtime_choose_ports(): the port that the command shall listen on, ${PORT}
};

// What to start. Everything is copied by runtime_start(); strings are UTF-8 without NUL.
struct runtime_spec {
    const char *identity;
    const char *job;   // for labels and the network of containers
    const char *name;  // of the service or stage: alias in the job's network
    bool container;    // runs in a container: with `image`, if the runtime has such
    const char *image; // containers; NULL otherwise
    bool survives;     // it may outlive its worker where the runtime can: services, not tasks

    const char *const *argv; // ends with NULL, at least one; argv[0] without '/' is looked up in PATH of `env`
    const char *const
        *env; // "NAME=value", ends with NULL: the whole environment (CURFEW_INSTANCE is added by the runtime)
    const char *directory; // working directory: absolute, exists
    const char *output;    // a file beside it that the command may write, there at `gone` if it has; NULL: none
    // What CURFEW_SERVICE_* in `env` was made of: a container may reach the same services by other addresses.
    const struct service_address *services;
    size_t service_count;

    enum runtime_stdin stdin_mode;
    const char *stdin_bytes; // RUNTIME_STDIN_BYTES
    size_t stdin_length;

    int stop_signal;       // 0: SIGTERM
    int64_t stop_grace_ms; // between the stop signal and SIGKILL

    int64_t memory_bytes; // 0: no limit. Applied where the machine can (see runtime_process.h), never by RLIMIT_AS
    int64_t cpu_millis;   // thousandths of a CPU; 0: no limit
    int64_t processes;    // 0: no limit
    int open_files;       // RLIMIT_NOFILE; 0: the worker's own soft limit

    const struct runtime_port *ports; // as runtime_choose_ports() filled them in; copied
    size_t port_count;
};

struct runtime_started {
    pid_t pid;                        // of the command, as this machine sees it; 0 for containers
    int64_t start_time;               // of that pid, clock ticks since boot: (boot id, pid, start time) is its identity
    char object[RUNTIME_OBJECT_SIZE]; // the same for certificates: "BOOTID:PID:STARTTIME", or the container's id
    char boundary[RUNTIME_BOUNDARY_SIZE]; // what holds its process tree: "pidns+cgroup" "pidns" "cgroup" "descendants"
                                          // "container"
    bool limited;            // memory, CPU and process limits of the spec are in force (true when none was asked for)
    const char *host;        // address on which its ports are reached; NULL: the worker's `advertise`
    const char *address;     // the same for the worker itself, numeric; NULL: as above
    bool is_over;            // of an adopted one: its command has ended by itself while nobody was there
    const int *port_numbers; // spec.port_count of them, in the order of spec.ports, as others reach them
};

struct runtime_exit {
    bool known;         // false: nobody saw it (its shim was killed, or it timed out)
    int code;           // exit status, -1 when a signal ended it
    bool out_of_memory; // its memory limit was what ended it
    int signal;         // 0 when it exited
    int64_t at_wall_us;
};

// What to say behind an exit status; "" mostly. Not every engine notices each time that the memory was full.
static inline const char *runtime_exit_hint(const struct runtime_exit *exit)
{
    return exit->code == 128 + SIGKILL ? " (SIGKILL: from somebody else, or for want of memory)" : "";
}

struct runtime_signal {
    int signal;
    int64_t at_wall_us;
};

struct runtime_gone {
    enum runtime_reason reason;
    enum runtime_grade grade;
    // RUNTIME_NOT_STARTED: ERR_NOT_FOUND no such command, ERR_FORBIDDEN not executable, else other. RUNTIME_LOST: what
    // has become of it, if the text is not empty.
    struct err start_error;
    struct runtime_exit exit;
    struct runtime_signal signals[RUNTIME_SIGNALS_MAX]; // what was sent, in order
    size_t signal_count;
    int64_t at_wall_us; // when nothing was left
};

// Callbacks of one instance. Any may be NULL. Pointers in arguments are valid during the call only.
struct runtime_events {
    void (*started)(void *context, struct runtime_instance *instance, const struct runtime_started *started);
    // 1 to 65536 bytes as they came, no line structure.
    void (*output)(void *context, struct runtime_instance *instance, enum runtime_stream stream, const char *bytes,
                   size_t length);
    // After a runtime_write() that took less than it was given: there is room again.
    void (*writable)(void *context, struct runtime_instance *instance);
    // The command itself has ended; the runtime is ending whatever it left behind. Not the end: wait for `gone`.
    void (*exited)(void *context, struct runtime_instance *instance, const struct runtime_exit *exit);
    // Something of it is known to be there, and the runtime may not end it: `text` says what, and what to do. Each time
    // that it looks, until somebody else has ended it: then `gone` comes.
    void (*remains)(void *context, struct runtime_instance *instance, const char *text);
    void (*gone)(void *context, struct runtime_instance *instance, const struct runtime_gone *gone);
};

// One instance that list() found.
struct runtime_found {
    const char *identity;
    bool live;             // this runtime has a handle for it
    int64_t remaining;     // processes (containers: 1 or 0) that are still there
    const char *directory; // its working directory; "" when unknown
    bool survives;         // it goes on without its worker (a container): whether it is wanted is the manager's to say
    // Of a task that survives: since when its command has all of its input, clock_boot_ms(), and nobody had asked it to
    // end. 0: that is not known, so that whatever it does is worth nothing.
    int64_t begun_boot_ms;
};

// `found` is an array of `count`, valid during the call; on failure error is not NULL and count is 0.
typedef void (*runtime_list_fn)(void *context, const struct runtime_found *found, size_t count,
                                const struct err *error);
// `remaining`: how many processes or containers of the instance an independent listing shows (0: absent), -1 with
// `error`.
typedef void (*runtime_inspect_fn)(void *context, int64_t remaining, const struct err *error);
// The exit of a probe; exit->known is false when it did not end in time. With `trouble` nothing is known of the
// command: what carries the instance did not run it, or did not see its end, and why.
typedef void (*runtime_exec_fn)(void *context, const struct runtime_exit *exit, const struct err *trouble);

struct runtime_ops {
    const char *name; // "process", "docker"
    int (*choose_ports)(struct runtime *, bool container, struct runtime_port *ports, size_t count, struct err *);
    int (*extend_lease)(struct runtime *, int64_t deadline_boot_ms, struct err *);
    int (*start)(struct runtime *, const struct runtime_spec *, const struct runtime_events *, void *context,
                 struct runtime_instance **out, struct err *);
    int (*adopt)(struct runtime *, const char *identity, const struct runtime_events *, void *context,
                 struct runtime_instance **out, struct err *);
    // NULL: no task survives.
    int (*adopt_task)(struct runtime *, const char *identity, const char *output, const struct runtime_events *,
                      void *context, struct runtime_instance **out, struct err *);
    int (*list)(struct runtime *, runtime_list_fn, void *context, struct err *);
    int (*inspect)(struct runtime *, const char *identity, runtime_inspect_fn, void *context, struct err *);
    void (*free)(struct runtime *);

    int (*signal)(struct runtime_instance *, int signal_number, struct err *);
    int (*stop)(struct runtime_instance *, int64_t grace_ms, struct err *);
    int (*kill)(struct runtime_instance *, struct err *);
    int (*set_output)(struct runtime_instance *, enum runtime_stream, enum runtime_output, struct err *);
    ssize_t (*write)(struct runtime_instance *, const char *bytes, size_t length, struct err *);
    void (*close_stdin)(struct runtime_instance *);
    int (*exec)(struct runtime_instance *, const char *const *argv, int64_t timeout_ms, runtime_exec_fn, void *context,
                struct err *);
    void (*release)(struct runtime_instance *);
    bool (*disturbed)(struct runtime_instance *);                // NULL: never
    int64_t (*resists)(struct runtime_instance *, struct err *); // NULL: whatever was killed does
};

// Fills in ports[i].number for a start that follows before the next choice. Process: free ports of this machine that no
// live instance of a worker there has (any other program may still take one first: the service then fails to bind,
// which is its failure). Containers: as they are in there, the same each time.
static inline int runtime_choose_ports(struct runtime *runtime, bool container, struct runtime_port *ports,
                                       size_t count, struct err *err)
{
    return runtime->ops->choose_ports(runtime, container, ports, count, err);
}

// Moves the deadline of everything that runs and will be started: absolute CLOCK_BOOTTIME milliseconds
// (clock_boot_ms()). The latest call decides, an earlier deadline too. Until the first call nothing can be started.
// Failing to reach one instance is no failure: that one fences itself.
static inline int runtime_extend_lease(struct runtime *runtime, int64_t deadline_boot_ms, struct err *err)
{
    return runtime->ops->extend_lease(runtime, deadline_boot_ms, err);
}

// Starts an instance. 0: *out is the handle, the callbacks will come; the caller releases it after `gone`.
// ERR_STALE without a lease that holds, ERR_CONFLICT when the identity exists already (adopt it or wait), ERR_INVALID a
// spec that cannot be, ERR_UNAVAILABLE or ERR_LIMIT out of descriptors, processes...: nothing was started and nothing
// is left.
static inline int runtime_start(struct runtime *runtime, const struct runtime_spec *spec,
                                const struct runtime_events *events, void *context, struct runtime_instance **out,
                                struct err *err)
{
    return runtime->ops->start(runtime, spec, events, context, out, err);
}

// Takes over what list() showed of an earlier life. Process: it cannot live on, so whatever is left of it is ended, and
// `gone` (reason FENCED or LOST, with the exit and signals if its shim has recorded them) comes when an independent
// scan shows nothing. What survives its worker goes on as it is: `started` comes again, with the port numbers in the
// order that they were started with, and its output from the beginning; or `gone`, when it has ended meanwhile.
// ERR_NOT_FOUND: no such record or label; ERR_CONFLICT: it is live in this runtime.
static inline int runtime_adopt(struct runtime *runtime, const char *identity, const struct runtime_events *events,
                                void *context, struct runtime_instance **out, struct err *err)
{
    return runtime->ops->adopt(runtime, identity, events, context, out, err);
}

// Takes over a task that list() showed with begun_boot_ms: it goes on as if it had been started here, so that it ends
// with the lease. `output` is where the file that it was started with is put, at `gone`. What can be heard of it is as
// of runtime_adopt(), and so are the errors.
static inline int runtime_adopt_task(struct runtime *runtime, const char *identity, const char *output,
                                     const struct runtime_events *events, void *context, struct runtime_instance **out,
                                     struct err *err)
{
    return runtime->ops->adopt_task(runtime, identity, output, events, context, out, err);
}

// Every instance that has a record or label of this worker: those of this life (live) and what earlier lives left,
// their probes
// ("IDENTITY/probe-N") too. Adopt all that are not live, and release them after `gone`.
static inline int runtime_list(struct runtime *runtime, runtime_list_fn function, void *context, struct err *err)
{
    return runtime->ops->list(runtime, function, context, err);
}

// Looks for one instance by other means than its own parent (process: a scan of /proc and of its cgroup). After `gone`
// a result of 0 is the grade `verified`.
static inline int runtime_inspect(struct runtime *runtime, const char *identity, runtime_inspect_fn function,
                                  void *context, struct err *err)
{
    return runtime->ops->inspect(runtime, identity, function, context, err);
}

// Ends the runtime: closes all leases, so that everything that still runs is fenced; calls nothing back. Takes NULL.
static inline void runtime_free(struct runtime *runtime)
{
    if (runtime)
        runtime->ops->free(runtime);
}

// Sends a signal to the command (process: its process group). Not for SIGKILL and SIGSTOP (ERR_INVALID). An instance
// that has ended already is success.
static inline int runtime_signal(struct runtime_instance *instance, int signal_number, struct err *err)
{
    return instance->runtime->ops->signal(instance, signal_number, err);
}

// Stop signal, grace, SIGKILL, until nothing is left. grace_ms -1: the spec's. Asked twice the earlier end counts;
// before `started` it holds too; after `gone` it is success. If the instance does not go in time (its shim was
// stopped), the runtime ends it from outside.
static inline int runtime_stop(struct runtime_instance *instance, int64_t grace_ms, struct err *err)
{
    return instance->runtime->ops->stop(instance, grace_ms, err);
}

// SIGKILL to everything at once.
static inline int runtime_kill(struct runtime_instance *instance, struct err *err)
{
    return instance->runtime->ops->kill(instance, err);
}

static inline int runtime_set_output(struct runtime_instance *instance, enum runtime_stream stream,
                                     enum runtime_output mode, struct err *err)
{
    return instance->runtime->ops->set_output(instance, stream, mode, err);
}

// RUNTIME_STDIN_PIPE: returns how many bytes were taken, 0 to length; the rest after events.writable. ERR_CONFLICT:
// stdin is closed, here or by the command.
static inline ssize_t runtime_write(struct runtime_instance *instance, const char *bytes, size_t length,
                                    struct err *err)
{
    return instance->runtime->ops->write(instance, bytes, length, err);
}

// End of file for the command. Twice is once.
static inline void runtime_close_stdin(struct runtime_instance *instance)
{
    instance->runtime->ops->close_stdin(instance);
}

// Runs a probe beside a started instance, with its environment and working directory (containers: inside), output
// dropped. After timeout_ms it is killed. Probes end with their instance. `function` is called exactly once on success,
// unless the instance is released first. A failure is `trouble` of the same kind.
static inline int runtime_exec(struct runtime_instance *instance, const char *const *argv, int64_t timeout_ms,
                               runtime_exec_fn function, void *context, struct err *err)
{
    return instance->runtime->ops->exec(instance, argv, timeout_ms, function, context, err);
}

// Whether what carries the instance is in trouble of its own (the engine is away, or was a moment ago), so that a probe
// that fails says nothing of the instance.
static inline bool runtime_disturbed(struct runtime_instance *instance)
{
    return instance->runtime->ops->disturbed && instance->runtime->ops->disturbed(instance);
}

// Of an instance that was killed and is still there: since when, clock_boot_ms(), it alone is what holds that up,
// because what carries it has carried the kill out and has worked ever since. err->text is what is known of the reason,
// or "". 0: it is not the instance, and the text says what is waited for instead.
static inline int64_t runtime_resists_since_ms(struct runtime_instance *instance, struct err *err)
{
    *err = (struct err){0};
    return instance->runtime->ops->resists ? instance->runtime->ops->resists(instance, err) : 1;
}

// Frees the handle and removes the instance's record. Normally after `gone`. Earlier it cuts the lease (the instance is
// fenced), calls nothing back any more and leaves the record for list(). Takes NULL.
static inline void runtime_release(struct runtime_instance *instance)
{
    if (instance)
        instance->runtime->ops->release(instance);
}
