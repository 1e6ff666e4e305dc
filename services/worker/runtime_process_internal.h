// What the files of the process runtime share; nobody else includes it.
#pragma once

#include "services/common/base/process.h"
#include "services/common/base/strbuf.h"
#include "services/worker/runtime_process.h"
#include "services/worker/shim/protocol.h"

#define PROCESS_CHUNK 65536
#define PROCESS_IDLE_MS 1000
#define PROCESS_OVERDUE_MS 5000 // beyond the grace, then the worker ends the instance without its shim

struct process_instance;
struct process_probe;

// A shim whose handle was released before its end.
struct process_stray {
    pid_t shim;
    struct process_stray *next;
};

struct process_cgroups {
    char *parent; // this process's own cgroup
    char *home;   // directory that the instances' cgroups are made in; NULL when there is none
};

struct process_runtime {
    struct runtime base;
    struct loop *loop;
    char *shim_path;
    char *records; // directory
    char *deployment;
    int lock_fd;
    int64_t fence_grace_ms;
    int port_first, port_last, port_next;
    struct process_claim *claims; // runtime_process_ports.c
    uint32_t shim_flags;
    char boundary[RUNTIME_BOUNDARY_SIZE];
    char boot_id[PROCESS_BOOT_ID_SIZE];
    struct process_cgroups cgroups;
    struct loop_timer *idle_timer; // tidies up when there has been no instance for a moment
    int open_files;                // the soft limit before it was raised
    int null_fd;
    int64_t lease_boot_ms;
    uint64_t probes; // started so far
    struct process_instance *instances;
    struct process_later *laters;
    struct process_stray *strays;
    char chunk[PROCESS_CHUNK];
};

struct process_stream {
    struct process_instance *instance;
    enum runtime_stream stream;
    enum runtime_output mode;
    int fd; // -1 after end of file
    struct loop_watch *watch;
};

struct process_instance {
    struct runtime_instance base;
    struct process_instance *next, *previous;
    unsigned references; // one for the caller's handle, one for each callback in progress
    bool released;
    struct runtime_events events;
    void *context;

    char identity[RUNTIME_IDENTITY_SIZE];
    char *record;    // path
    char *directory; // of the command; "" when unknown
    char *cgroup;    // "" when there is none
    char **env;      // copies, for probes
    int *ports;
    size_t port_count;
    int64_t grace_ms;
    bool limited;
    bool former; // adopted: of an earlier life

    pid_t shim; // our own child, not waited for yet; 0: none
    pid_t former_shim;
    int64_t former_shim_start; // of an adopted instance
    int control_fd;
    struct loop_watch *control_watch;
    struct process_stream streams[RUNTIME_STREAM_COUNT];
    int stdin_fd;
    struct loop_watch *stdin_watch; // while room is waited for

    bool started, failed, asked, told; // told: the shim has said GONE
    bool ended;                        // nothing of its own is left; probes may be
    bool over;                         // gone was called back
    struct runtime_gone gone;
    int64_t patience_boot_ms; // until when a shim of an earlier life may finish by itself
    int64_t sweep_delay_ms;
    int clean_looks;          // in a row
    struct loop_timer *timer; // overdue while the shim is ours, the next sweep afterwards
    struct process_probe *probe_list;
    struct process_probe *as_probe; // not NULL: this is one
};

static inline struct process_runtime *process_runtime_of(const struct runtime *runtime)
{
    return (struct process_runtime *)(void *)(uintptr_t)runtime;
}
static inline struct process_instance *process_instance_of(struct runtime_instance *instance)
{
    return (struct process_instance *)(void *)instance;
}
static inline struct process_runtime *process_owner(const struct process_instance *instance)
{
    return process_runtime_of(instance->base.runtime);
}

// runtime_process.c: shims that nobody waits for are reaped when they have ended, at the next start.
void process_stray_add(struct process_runtime *runtime, pid_t shim);
void process_strays_reap(struct process_runtime *runtime);

// runtime_process_instance.c: life of the handle.
struct process_instance *process_instance_new(struct process_runtime *runtime, const char *identity,
                                              const struct runtime_events *events, void *context, struct err *err);
struct process_instance *process_instance_find(struct process_runtime *runtime, const char *identity);
void process_instance_hold(struct process_instance *instance);
void process_instance_drop(struct process_instance *instance);   // frees with the last reference
void process_instance_detach(struct process_instance *instance); // closes everything, calls nothing back any more
void process_instance_set_ended(
    struct process_instance *instance); // nothing is left: drains, waits for probes, calls gone
void process_instance_settle(struct process_instance *instance);
int process_instance_watch(struct process_instance *instance, struct err *err);                  // its control socket
int process_instance_send(const struct process_instance *instance, struct shim_command command); // 0, or -1 with errno
int process_runtime_signal(struct runtime_instance *base, int signal_number, struct err *err);
int process_runtime_stop(struct runtime_instance *base, int64_t grace_ms, struct err *err);
int process_runtime_kill(struct runtime_instance *base, struct err *err);
void process_runtime_release(struct runtime_instance *base);

// runtime_process_start.c
int process_runtime_start(struct runtime *base, const struct runtime_spec *spec, const struct runtime_events *events,
                          void *context, struct runtime_instance **out, struct err *err);
void process_list_free(char **list);
int process_list_copy(const char *const *list, char ***out, struct err *err);

// runtime_process_spec.c: the spec as the shim reads it, in a sealed memory file. Returns the descriptor, or -1.
int process_spec_file(const struct process_instance *instance, const struct runtime_spec *spec, struct err *err);
int process_memory_file(const char *name, const void *bytes, size_t length, struct err *err);

// runtime_process_stream.c
void process_stream_drain(struct process_stream *stream); // everything that is there, then closes
void process_stream_close(struct process_stream *stream);
int process_stream_watch(struct process_stream *stream,
                         struct err *err); // unless it is paused, closed or watched already
int process_runtime_set_output(struct runtime_instance *base, enum runtime_stream which, enum runtime_output mode,
                               struct err *err);
ssize_t process_runtime_write(struct runtime_instance *base, const char *bytes, size_t length, struct err *err);
void process_runtime_close_stdin(struct runtime_instance *base);

// runtime_process_record.c
struct process_record {
    char boot_id[PROCESS_BOOT_ID_SIZE];
    char directory[4096];
    char cgroup[4096];
    pid_t shim;
    int64_t shim_start;
    bool started, ended;
    int reason; // enum shim_reason, when ended
    struct runtime_exit exit;
    struct runtime_signal signals[RUNTIME_SIGNALS_MAX];
    size_t signal_count;
    int64_t ended_wall_us;
};
bool process_identity_valid(const char *identity);
// "JOB/NAME/1" as a file name, '/' replaced by '+'.
void process_identity_to_name(const char *identity, char out[static RUNTIME_IDENTITY_SIZE]);
void process_identity_from_name(const char *name, char out[static RUNTIME_IDENTITY_SIZE]);
char *process_record_path(const struct process_runtime *runtime, const char *identity); // NULL: no memory
// Makes the record: ERR_CONFLICT when there is one. Returns a descriptor to append to.
int process_record_create(const struct process_instance *instance, struct err *err);
int process_record_read(const char *path, struct process_record *out, struct err *err);
void process_exit_from_status(int wait_status, int64_t at_wall_us, struct runtime_exit *out);
void process_signal_add(struct runtime_signal *signals, size_t *count, int signal_number, int64_t at_wall_us);

// runtime_process_cgroup.c
void process_cgroups_find(struct process_cgroups *cgroups,
                          const char *deployment); // home NULL when nothing can be used
void process_cgroups_release(struct process_cgroups *cgroups);
void process_cgroups_tidy(
    const struct process_cgroups *cgroups); // removes the home if it is empty; it comes again when needed
// Where the instance's cgroup is: deterministic, "" without cgroups, NULL without memory. The caller frees it.
char *process_cgroup_path(const struct process_cgroups *cgroups, const char *identity);
// Makes it, with the limits of the spec; *limited: all that were asked for are in force. Nothing happens for "".
int process_cgroup_make(const struct process_cgroups *cgroups, const char *directory, const struct runtime_spec *spec,
                        bool *limited, struct err *err);
void process_cgroup_kill(const char *directory);
int64_t process_cgroup_count(const char *directory); // processes inside; 0 for "" and what does not exist
void process_cgroup_remove(const char *directory);

// runtime_process_scan.c
// SIGKILL to what the marker finds, each checked again behind a pidfd. Returns how many were found, or -1.
int64_t process_scan_kill(const char *marker, struct err *err);
int process_marker(const struct process_runtime *runtime, const char *identity,
                   char out[static RUNTIME_IDENTITY_SIZE + 160], struct err *err);

// runtime_process_sweep.c: ends an instance without its shim.
void process_sweep_begin(struct process_instance *instance, int64_t patience_ms);
void process_sweep_on_timer(struct process_instance *instance);
int process_runtime_adopt(struct runtime *base, const char *identity, const struct runtime_events *events,
                          void *context, struct runtime_instance **out, struct err *err);

// runtime_process_look.c: list and inspect.
int process_runtime_list(struct runtime *base, runtime_list_fn function, void *context, struct err *err);
int process_runtime_inspect(struct runtime *base, const char *identity, runtime_inspect_fn function, void *context,
                            struct err *err);
void process_laters_free(struct process_runtime *runtime);

// runtime_process_ports.c
int process_runtime_choose_ports(struct runtime *base, bool container, struct runtime_port *ports, size_t count,
                                 struct err *err);
void process_ports_settle(struct process_runtime *runtime); // gives up the ports that no instance has

// runtime_process_probe.c
int process_runtime_exec(struct runtime_instance *base, const char *const *argv, int64_t timeout_ms,
                         runtime_exec_fn function, void *context, struct err *err);
void process_probe_abandon(struct process_probe *probe); // its instance is let go before its end
void process_probes_kill(struct process_instance *instance);
void process_probes_forget(struct process_instance *instance); // their callbacks are not called any more
