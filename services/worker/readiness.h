// Is a service ready, and is it still: probes by tcp, http, a command or its log, again and again.
//
// One per instance. The start deadline is the manager's; here the probes go on until the instance ends. The first one
// comes at once and the next ones soon, then in the spec's interval: whoever is ready quickly does not wait for it. A
// probe that could not be made, because the container engine did not run it, counts for nothing.
#pragma once

#include "services/common/base/err.h"
#include "services/common/model/job_spec.h"

#include <stdbool.h>
#include <stddef.h>

struct readiness;
struct loop;
struct http_async;
struct runtime_instance;

struct readiness_target {
    const struct ready_spec *spec;     // outlives the readiness
    struct runtime_instance *instance; // for READY_EXEC, with
    const char *const *exec;           // its command, ended by NULL; outlives the readiness
    const char *host;                  // numeric address; for READY_TCP and READY_HTTP
    int port;
    // Connections go to a proxy that takes them whether the service does or not, and closes them when it does not; and
    // its end is told later than a connection to it fails. So a connection counts that lasts for a moment, and so does
    // trouble.
    bool behind_proxy;
    bool was_ready; // on_ready has been told in a former life: from on_unhealthy on it is told again
};

struct readiness_events {
    void (*on_ready)(void *context); // the first time, and again after on_unhealthy
    void (*on_unhealthy)(void *context,
                         const char *why); // spec.failures probes in a row have failed since it was ready
    // Another thing than before keeps it from being ready: a probe could not be made, which is neither a failure nor a
    // success; or it was never ready, and has been waited for for seconds. NULL: nothing does. May be NULL.
    void (*on_trouble)(void *context, const char *why);
};

// Probes from now on; calls nothing back from within. READY_LOG waits for readiness_output(); READY_STARTED is ready at
// once.
int readiness_new(struct loop *loop, struct http_async *http, const struct readiness_target *target,
                  const struct readiness_events *events, void *context, struct readiness **out,
                  struct err *err) WARN_UNUSED;
void readiness_stop(struct readiness *readiness); // no more probes and calls; takes NULL; also inside its events
// Takes NULL. After the release of its instance, because until then a command may still answer.
void readiness_free(struct readiness *readiness);
void readiness_output(struct readiness *readiness, const char *bytes, size_t length); // what the service writes
// What the last failed probe said, or why it could not be made; "" when there was none: why it is not ready.
const char *readiness_last_failure(const struct readiness *readiness);
