// The runtime `docker`: each instance is a container of its own at a container engine.
//
// What runtime.h says, and beyond it:
//  - A container outlives the worker. Services (spec.survives) go on and are adopted, and so are tasks whose command
//    has all of its input; what else a former life has left is ended by whoever finds it. Tasks are ended when the
//    lease passes, services are not.
//  - Names are deterministic and everything carries labels (model/engine_labels.h): a create whose reply was lost finds
//    its own container and goes on with it; a stranger's of the same name is an error, and is not touched.
//  - The working directory is copied in, under its own path; spec.output is copied out before `gone`.
//  - Each job has a network, in which a service's name is its alias. A command that runs there gets aliases and the
//    containers' ports in its CURFEW_SERVICE_* variables, for the services that are at the same engine.
//  - An engine that goes away is waited for: what has been asked of it is asked again. Nothing is taken for gone
//  because
//    nobody answers. Only what has not been started is given up, after a minute.
//  - `gone` has grade `absent`: the engine has said that there is no such container. Its anonymous volumes went with
//  it.
//  - runtime_free() and an early release leave containers as they are.
#pragma once

#include "services/worker/docker_engine.h"
#include "services/worker/runtime.h"

struct runtime_docker_settings {
    struct loop *loop;
    struct docker_engine *engine; // after a hello that went well; outlives the runtime
    const char *deployment;
    const char *worker;  // its name, for labels
    const char *owner;   // a random name of the state directory: whose containers a later life finds
    const char *address; // where ports are published, and reached; a name is resolved, which blocks
    int64_t image_timeout_ms;
    const char *state_directory; // for records of tasks that can go on; NULL: none can
    const char *boot;            // which boot of this machine
};

// Strings are copied. ERR_INVALID: `address` is not known.
int runtime_docker_new(const struct runtime_docker_settings *settings, struct runtime **out,
                       struct err *err) WARN_UNUSED;
