// Services over a scripted runtime, for the tests of one program: its one service is "cache" of the job "j1".
//
// A header, because it calls the worker's own code.
#pragma once

#include "tests/support/runtime_scripted.h"
#include "tests/support/services_fixture.h"

#define SERVE                                                                        \
    "\"command\":[\"./serve\",\"--port\",\"${PORT}\",\"--admin=${PORT_ADMIN_UI}\"]," \
    "\"ports\":[{\"name\":\"main\"},{\"name\":\"admin-ui\"}]"

static struct services_rig rig;

static inline int setup(void **state)
{
    struct err err;
    struct loop *loop;
    UNUSED(state);
    if (loop_new(&loop, &err) < 0)
        die("loop: %s", err.text);
    services_rig_open(&rig, loop, runtime_scripted_new());
    return 0;
}

static inline int teardown(void **state)
{
    UNUSED(state);
    struct loop *loop = rig.loop;
    struct runtime *runtime = rig.runtime;
    services_rig_close(&rig);
    runtime_free(runtime);
    loop_free(loop);
    return 0;
}

static inline void order(int epoch, const char *run)
{
    services_start(rig.services, services_rig_order("j1", "cache", epoch, run, NULL));
    services_rig_settle(&rig);
}

static inline struct runtime_instance *instance_of(int epoch)
{
    char identity[64];
    services_rig_settle(&rig);
    snprintf(identity, sizeof identity, "j1/cache/%d", epoch);
    struct runtime_instance *instance = runtime_scripted_find(rig.runtime, identity);
    if (!instance)
        fail_msg("%s is not running: %s", identity, runtime_scripted_log(rig.runtime));
    return instance;
}

// Started, and ready since it needs no check.
static inline struct runtime_instance *start(int epoch, const char *run)
{
    order(epoch, run);
    struct runtime_instance *instance = instance_of(epoch);
    runtime_scripted_started(instance, 100);
    services_rig_settle(&rig);
    return instance;
}
