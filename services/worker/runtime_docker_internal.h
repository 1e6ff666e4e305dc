// What the files of the docker runtime share.
//
// runtime_docker.c: the runtime and its instances. runtime_docker_spec.c: what is to be started.
// runtime_docker_steps.c: how an instance gets from one step to the next. The steps: runtime_docker_start.c,
// runtime_docker_network.c, runtime_docker_peers.c, runtime_docker_pull.c, runtime_docker_look.c, runtime_docker_end.c.
// runtime_docker_streams.c: stdin and output. runtime_docker_stop.c: signals. runtime_docker_exec.c: probes.
// runtime_docker_list.c: looks at what is there. runtime_docker_record.c: which tasks can go on without this life.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/backoff.h"
#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/common/engine/create.h"
#include "services/common/engine/network_removal.h"
#include "services/worker/background.h"
#include "services/worker/docker_attach.h"
#include "services/worker/docker_engine.h"
#include "services/worker/engine_pulse.h"
#include "services/worker/orders.h"
#include "services/worker/runtime.h"

#include <netinet/in.h>

#define DOCKER_ADDRESS_SIZE 256
#define DOCKER_PATIENCE_MS 60000 // with an engine that is away, for each step before a start
#define DOCKER_PULSE_MS 30000    // so long the engine is watched after somebody wanted to know

struct docker_runtime {
    struct runtime base;
    struct loop *loop;
    struct docker_engine *engine;
    struct engine_pulse *pulse;
    char *deployment, *worker, *owner;
    char *records, *boot;           // the directory of the records; NULL: none are kept
    char host[DOCKER_ADDRESS_SIZE]; // as others are told
    char publish[INET6_ADDRSTRLEN]; // the same, numeric
    int64_t image_timeout_ms;
    int64_t lease_boot_ms;
    struct loop_timer *fence;
    struct docker_instance *instances;
    struct docker_query *queries;
    struct docker_network *networks;
};

// The steps of an instance, in their order. Each waits for one answer of the engine (or of this machine), and is begun
// again when the answer was lost.
enum docker_step {
    DOCKER_PACK,    // the working directory becomes an archive
    DOCKER_NETWORK, // the job's network is there
    DOCKER_PEERS,   // which services it can reach in there
    DOCKER_CREATE,
    DOCKER_FIND, // it exists already: is it ours?
    DOCKER_PULL, // its image does not
    DOCKER_UPLOAD,
    DOCKER_ATTACH,
    DOCKER_START,
    DOCKER_LOOK, // what became of the start, or of an earlier life's
    DOCKER_WAIT, // it runs
    DOCKER_LOOK_AT_END,
    DOCKER_STREAMS, // its output is here to the last byte
    DOCKER_FETCH,   // the output file
    DOCKER_REMOVE,
    DOCKER_ABSENT, // the engine knows of no such container
    DOCKER_LEAVE,  // the network goes with its last container
    DOCKER_OVER,
};

struct docker_instance {
    struct runtime_instance base;
    struct docker_runtime *runtime;
    struct docker_instance *previous, *next;
    struct runtime_events events;
    void *context;
    struct arena *arena; // owns the texts below
    const char *identity, *job, *name;
    struct engine_create create;
    const struct service_address *services; // that the command is told of
    size_t service_count;
    const char *directory, *output, *archive;
    const char *output_inside; // where `output` is in the container
    const char *container_name, *network;
    char container[ENGINE_ID_SIZE]; // its id, or its name as long as that is not known
    bool survives, adopted;

    enum docker_step step;
    struct http_async_call *call; // of the step
    struct background *packing;
    int upload_fd;
    struct loop_timer *timer; // the step is begun again, or has taken too long
    struct backoff backoff;
    int64_t give_up_at_ms; // before the start: the end of patience with an engine that is away; 0: it answers
    bool pulled, create_sent;
    int64_t start_sent_ms;  // when it was last asked for
    struct strbuf progress; // of a pull: the line that is incomplete
    char pull_error[200];
    int64_t pull_said_at_ms;
    int renewals;                  // how often another container has taken its place, before the start
    bool in_network;               // counts as a user
    enum docker_network_question { // what was asked last of the job's network
        NETWORK_LIST,
        NETWORK_MAKE,
        NETWORK_REMOVE,
    } network_question;
    struct network_removal removal;
    size_t network_refusals; // networks of the job that could not be removed
    bool was_removed;        // the engine has said so
    bool refusal_said;       // of processes that may not be ended
    bool again;              // its network was lost: it is created once more, after its removal

    struct docker_attach *attach;
    struct loop_timer *streams; // attach again
    int64_t streams_until_ms;   // after the end: the last moment for more output; 0: not yet known
    int64_t disturbed_until_ms; // the engine was away, and its ports with it
    bool attached;              // the streams are open, or were to their end
    bool interrupted;           // the engine was away: there may be output that has not come
    bool replayed;              // what the engine had kept has been asked for, after the end
    uint64_t seen[RUNTIME_STREAM_COUNT], skip[RUNTIME_STREAM_COUNT];
    enum runtime_output modes[RUNTIME_STREAM_COUNT];
    enum runtime_stdin stdin_mode;
    const char *stdin_bytes;
    size_t stdin_length, stdin_written;
    bool stdin_done;
    int64_t stdin_done_ms; // of bytes: when the last one went, or was refused

    bool started, running; // told; and not known to have ended
    bool asked, fenced, not_started, vanished;
    bool kill_asked;
    int64_t kill_at_ms;           // 0: no stop was asked for
    struct loop_timer *pressure;  // the next signal
    struct http_async_call *push; // a signal that is under way
    bool stop_sent, kill_sent;    // as far as is known
    bool stop_noted, kill_noted;  // in `signals`
    int64_t pushed_at_ms;         // when it was sent
    int64_t killed_at_ms;         // when the first kill was that the engine says to have carried out while it worked
    int64_t ended_at_ms;          // when its end was seen first; 0: it was not
    struct err waits_for;         // why the step is begun again
    struct runtime_signal signals[RUNTIME_SIGNALS_MAX];
    size_t signal_count;
    struct runtime_exit exit;
    struct err error; // why it could not be started, or what has become of it
    struct docker_probe *probes;
    bool doubts_engine; // the last probe was not made, or may not have been
    int references;     // callbacks that are under way; and the owner
    bool released;
};

static inline struct docker_runtime *docker_runtime_of(struct runtime *runtime)
{
    return (struct docker_runtime *)runtime;
}

static inline struct docker_instance *docker_instance_of(struct runtime_instance *instance)
{
    return (struct docker_instance *)instance;
}

// runtime_docker.c
struct docker_instance *docker_instance_new(struct docker_runtime *runtime, const char *identity,
                                            const struct runtime_events *events, void *context, struct err *err);
void docker_instance_detach(struct docker_instance *instance); // no callback any more; the owner's reference goes
void docker_instance_hold(struct docker_instance *instance);   // around callbacks, in which the owner may release it
void docker_instance_drop(struct docker_instance *instance);
struct docker_instance *docker_instance_find(struct docker_runtime *runtime, const char *identity);

// runtime_docker_steps.c
void docker_go(struct docker_instance *instance, enum docker_step step);      // on to this step, at once
void docker_again(struct docker_instance *instance, const struct err *why);   // this step once more, after a while
void docker_give_up(struct docker_instance *instance, const struct err *why); // it will not be started: it is removed
void docker_withdraw(struct docker_instance *instance);                       // the same, without a reason
int docker_ask(struct docker_instance *instance, const char *method, const char *format, ...) PRINTF_LIKE(3, 4);
int docker_ask_with(struct docker_instance *instance, const char *method, const struct strbuf *body, const char *format,
                    ...) PRINTF_LIKE(4, 5);
int docker_ask_call(struct docker_instance *instance, struct http_call *call);
void docker_step_timer(void *context); // the callback of `timer`

// Of each step: begins it, negative with err when it could not be; and what an answer means.
struct docker_step_ops {
    int (*begin)(struct docker_instance *instance, struct err *err);
    void (*answered)(struct docker_instance *instance, struct http_response *response);
};
extern const struct docker_step_ops docker_pack, docker_network, docker_peers, docker_create, docker_find, docker_pull,
    docker_upload, docker_attach_step, docker_start, docker_look, docker_wait, docker_look_at_end, docker_streams,
    docker_fetch, docker_remove, docker_absent, docker_leave;

// runtime_docker_spec.c
int docker_runtime_start(struct runtime *base, const struct runtime_spec *spec, const struct runtime_events *events,
                         void *context, struct runtime_instance **out, struct err *err);
int docker_runtime_adopt(struct runtime *base, const char *identity, const struct runtime_events *events, void *context,
                         struct runtime_instance **out, struct err *err);

int docker_runtime_adopt_task(struct runtime *base, const char *identity, const char *output,
                              const struct runtime_events *events, void *context, struct runtime_instance **out,
                              struct err *err);

// runtime_docker_look.c
// A container that has its name: by its labels, a stranger may have taken it.
bool docker_is_ours(const struct docker_instance *instance, const struct engine_container *container);

// runtime_docker_network.c
int docker_network_join(struct docker_instance *instance, struct err *err); // it is in there; twice is once
void docker_network_abandon(struct docker_instance *instance); // and no longer, whatever it was doing there
void docker_network_unask(struct docker_instance *instance);   // it does not wait for the answer: somebody else may ask
void docker_network_lost(struct docker_instance *instance);    // it has to be asked for again
void docker_networks_free(struct docker_runtime *runtime);

// runtime_docker_streams.c
void docker_streams_feed(struct docker_instance *instance); // stdin, once the command runs
void docker_streams_again(void *context);                   // the callback of the timer `streams`
int docker_streams_open(struct docker_instance *instance, struct err *err);
void docker_streams_flow(struct docker_instance *instance); // or not: as the modes and `started` have it
void docker_streams_close(struct docker_instance *instance);
int docker_runtime_set_output(struct runtime_instance *base, enum runtime_stream stream, enum runtime_output mode,
                              struct err *err);
ssize_t docker_runtime_write(struct runtime_instance *base, const char *bytes, size_t length, struct err *err);
void docker_runtime_close_stdin(struct runtime_instance *base);

// runtime_docker_stop.c
int docker_runtime_signal(struct runtime_instance *base, int signal_number, struct err *err);
int docker_runtime_stop(struct runtime_instance *base, int64_t grace_ms, struct err *err);
int docker_runtime_kill(struct runtime_instance *base, struct err *err);
void docker_stop_now(struct docker_instance *instance); // after asked, fenced...: what that means for the step
void docker_ignore(void *context, struct http_response *response, const struct err *failure);
void docker_press(void *context); // sends what is due; the callback of the timer `pressure`

bool docker_is_disturbed(const struct docker_instance *instance);
bool docker_runtime_disturbed(struct runtime_instance *base);
int64_t docker_runtime_resists(struct runtime_instance *base, struct err *err);

// runtime_docker_exec.c
int docker_runtime_exec(struct runtime_instance *base, const char *const *argv, int64_t timeout_ms,
                        runtime_exec_fn function, void *context, struct err *err);
void docker_probes_end(struct docker_instance *instance, bool told); // those that are under way

// runtime_docker_list.c
int docker_runtime_list(struct runtime *base, runtime_list_fn function, void *context, struct err *err);
int docker_runtime_inspect(struct runtime *base, const char *identity, runtime_inspect_fn function, void *context,
                           struct err *err);
void docker_queries_end(struct docker_runtime *runtime);

// runtime_docker_record.c
int docker_records_open(struct docker_runtime *runtime, const char *state_directory, const char *boot, struct err *err);
void docker_record_keep(const struct docker_instance *instance); // its command has all of its input
void docker_record_drop(const struct docker_instance *instance); // it is asked to end, or is gone
// Since when, clock_boot_ms(); 0: there is no record of this boot.
int64_t docker_record_begun_ms(const struct docker_runtime *runtime, const char *identity);
// Removes those of containers that are not in the list.
void docker_records_sweep(const struct docker_runtime *runtime, const struct engine_container *containers,
                          size_t count);
