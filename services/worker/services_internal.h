// What the files of services.h share: services.c (orders, the table), service_instance.c (the life of one),
// service_command.c (what it is started with),
// service_observe.c (what is said of it).
#pragma once

#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/worker/last_line.h"
#include "services/worker/logs.h"
#include "services/worker/readiness.h"
#include "services/worker/runtime.h"
#include "services/worker/services.h"
#include "services/worker/workspace.h"

#include <stdbool.h>

struct services {
    struct loop *loop;
    struct runtime *runtime;
    struct workspaces *workspaces;
    struct logs *logs;
    struct http_async *http;
    struct services_settings settings;
    char *advertise, *secrets_directory, *deployment;
    char host[64]; // of advertise, numeric: what the probes connect to
    struct services_events events;
    void *context;
    struct service_instance *first, *last; // the latest started is last
    size_t over;                           // of these, kept as tombstones
};

// One start of a service on this worker, until long after its end.
struct service_instance {
    struct services *services;
    struct service_instance *previous, *next;
    struct service_order *order; // NULL: only a stop ever came for it
    char *job, *service, *identity;
    int epoch;
    int state; // enum instance_state, as it is observed
    bool stop_asked, looking;
    bool ran; // something of it may have been on this machine

    struct workspace_request *request;
    char *directory;
    struct runtime_instance *instance;
    struct runtime_port ports[SPEC_PORTS_MAX];
    size_t port_count;
    int reached[SPEC_PORTS_MAX]; // the same as others reach them
    char *host, address[64];     // where, when it is not this worker's own; the same, numeric
    char **check;                // the command that sees whether it is ready; NULL: none
    struct readiness *readiness;
    struct log_source *log;
    struct last_line last_line;
    struct loop_timer *timer; // after a stop: the grace, then stuck; after the end: the next look
    int64_t killing_since_ms;

    // for observations
    char object[RUNTIME_OBJECT_SIZE], boundary[RUNTIME_BOUNDARY_SIZE];
    struct strbuf ports_json, signals_json, error;
    bool is_trouble; // `error` is of what carries it, and goes with that
    bool error_said;
    int exit_code, exit_signal, grade;
};

// service_instance.c
// Makes an entry; `order` is taken over, NULL for one that was never ordered. NULL: memory is out.
struct service_instance *service_instance_new(struct services *services, const char *job, const char *service,
                                              int epoch, struct service_order *order);
void service_instance_free(struct service_instance *instance);
void service_instance_start(struct service_instance *instance);
void service_instance_adopt(struct service_instance *instance); // it runs already
void service_instance_stop(struct service_instance *instance);
void service_instance_kill(struct service_instance *instance);
void service_instance_look(struct service_instance *instance); // the second look at one that has ended

// service_command.c
struct environment;
// A copy with ${PORT} and ${PORT_MAIN} replaced, ended by NULL; freed with service_free_texts().
int service_make_argv(const struct service_instance *instance, const struct text_list *command, char ***out,
                      struct err *err);
// Fills in `environment`, which *out is a view of.
int service_make_environment(const struct service_instance *instance, struct environment *environment,
                             const char *const **out, struct err *err);
void service_free_texts(char **texts); // takes NULL

// service_observe.c
void service_observe(struct service_instance *instance, int state); // changes the state and says so
void service_say(struct service_instance *instance);                // says it again
void service_note_error(struct service_instance *instance, const char *format, ...) PRINTF_LIKE(2, 3);
// What carries it does not work; NULL: it does. Said when that is news.
void service_note_trouble(struct service_instance *instance, const char *why);
void service_note_gone(struct service_instance *instance, const struct runtime_gone *gone);
int service_note_ports(struct service_instance *instance, const int *numbers, struct err *err);
