// What a container engine answers (Docker's API, 1.40 and later), read from the bodies of its replies.
//
// Members that this program does not know are skipped. Texts live in the arena that was passed. All functions return 0,
// or negative with ERR_INVALID (it is no such answer) or ERR_NO_MEMORY. Thread-safe.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENGINE_VERSION_OLDEST 40 // of API 1.x
#define ENGINE_VERSION_NEWEST 44 // what is asked for when the engine has more
#define ENGINE_ID_SIZE 256
#define ENGINE_PORTS_MAX 32

// A port that a container publishes.
struct engine_published {
    int container, number;
};

struct engine_container {
    const char *id;
    // labels, "" where there is none
    const char *deployment, *job, *service, *worker, *ports, *output;
    const char *identity; // "" when its labels say nothing of the kind
    const char *state;    // "created" "running" "paused" "restarting" "removing" "exited" "dead"
    struct engine_published published[ENGINE_PORTS_MAX];
    size_t published_count;
    // inspected only:
    bool running; // created, paused and restarting ones are ended like those that run
    bool exited;  // it has run, and `exit_code` counts
    bool out_of_memory;
    int64_t exit_code;
    const char *stop_signal; // "SIGTERM"
    int64_t stop_grace_ms;
};

struct engine_network {
    const char *id, *created; // as the engine writes times
    const char *deployment;
    const char *job; // label; "" when there is none
};

// A named port of the label ENGINE_LABEL_PORTS.
struct engine_port {
    char name[80];
    int container;
};

// GET /version: the version to speak, x of "1.x". `where` names the engine in errors, which say what to do.
int engine_version_read(const char *text, size_t length, const char *where, int *version, struct err *err) WARN_UNUSED;
// GET /info
int engine_id_read(const char *text, size_t length, char out[static ENGINE_ID_SIZE], struct err *err) WARN_UNUSED;
// GET /containers/json and GET /networks; the items are in the arena.
int engine_containers_read(const char *text, size_t length, struct arena *arena, struct engine_container **out,
                           size_t *count, struct err *err) WARN_UNUSED;
int engine_networks_read(const char *text, size_t length, struct arena *arena, struct engine_network **out,
                         size_t *count, struct err *err) WARN_UNUSED;
// GET /networks/ID: 1 and the name of the first endpoint in it, "" when that is none that could be asked for; 0
// without.
int engine_network_endpoint_read(const char *text, size_t length, char name[static ENGINE_ID_SIZE],
                                 struct err *err) WARN_UNUSED;
// GET /containers/ID/json
int engine_container_read(const char *text, size_t length, struct arena *arena, struct engine_container *out,
                          struct err *err) WARN_UNUSED;
// {"Id": ...} of what was created
int engine_created_read(const char *text, size_t length, char out[static ENGINE_ID_SIZE], struct err *err) WARN_UNUSED;
// GET /exec/ID/json
struct engine_exec {
    bool began; // its command was started: without, an exit code is the engine's word for its own trouble
    int code;   // -1: it has not ended, as far as the engine knows
};
int engine_exec_read(const char *text, size_t length, struct engine_exec *out, struct err *err) WARN_UNUSED;
// GET /version: 1 when the engine reaches its containerd, without which it can neither run nor kill anything, 0 when it
// names none.
int engine_reaches_read(const char *text, size_t length, struct err *err) WARN_UNUSED;
// A line of POST /images/create: what goes on, and the error that ended it; "" where there is none. Cut to fit.
int engine_progress_read(const char *text, size_t length, char status[static 128], char error[static 200],
                         struct err *err) WARN_UNUSED;
// {"message": ...} of an error, or the text as it is when it is none; one line, cut to fit.
void engine_message_read(const char *text, size_t length, char *out, size_t size);

// The named ports of a label, at most ENGINE_PORTS_MAX; what is not understood is left out.
size_t engine_ports_parse(const char *label, struct engine_port out[static ENGINE_PORTS_MAX]);
// The published number of a container's port; 0: it is not published.
int engine_published_number(const struct engine_container *container, int port);
