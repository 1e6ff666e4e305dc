// Services of a worker in a test: over a scripted runtime or a real one, with what was observed written down.
//
// A header, because it calls the worker's own code.
#pragma once

#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/client_async.h"
#include "services/common/model/states.h"
#include "services/worker/logs.h"
#include "services/worker/orders.h"
#include "services/worker/services.h"
#include "services/worker/workspace.h"
#include "tests/support/die.h"
#include "tests/support/loop_test.h"
#include "tests/support/runtime_scripted.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICES_PATIENCE_MS 60000

struct services_rig {
    struct loop *loop;
    struct runtime *runtime; // the test's
    char *directory;
    struct workspaces *workspaces;
    struct logs *logs;
    struct http_async *http;
    struct services *services;
    struct strbuf seen; // "cache/1 starting\n": states that differ from the one before
    int state;          // of the latest observation
    unsigned passed;    // bits of the states that were observed since the last services_rig_await()
    int awaited;        // what is waited for,
    const char *line;   // or that
    int grade, exit_code, exit_signal;
    char ports[256], signals[1024], error[512], host[64], object[128], boundary[32];
    int count;     // observations
    char left[64]; // the last that was let go of, and lives on
};

static inline void services_rig_copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static inline void services_rig_on_observation(void *context, const struct observation *observation)
{
    struct services_rig *rig = context;
    char line[128];
    snprintf(line, sizeof line, "%s/%d %s\n", observation->service, observation->epoch,
             instance_state_name(observation->state));
    size_t length = strlen(line);
    bool repeated = rig->seen.length >= length && strcmp(rig->seen.data + rig->seen.length - length, line) == 0;
    if (!repeated)
        strbuf_add_text(&rig->seen, line);
    rig->count++;
    rig->state = observation->state;
    rig->passed |= 1U << observation->state;
    rig->grade = observation->grade;
    rig->exit_code = observation->exit_code;
    rig->exit_signal = observation->exit_signal;
    services_rig_copy(rig->ports, sizeof rig->ports, observation->ports);
    services_rig_copy(rig->signals, sizeof rig->signals, observation->signals);
    services_rig_copy(rig->error, sizeof rig->error, observation->error);
    services_rig_copy(rig->host, sizeof rig->host, observation->host);
    services_rig_copy(rig->object, sizeof rig->object, observation->object);
    services_rig_copy(rig->boundary, sizeof rig->boundary, observation->boundary);
}

static inline void services_rig_on_left(void *context, const char *identity)
{
    struct services_rig *rig = context;
    services_rig_copy(rig->left, sizeof rig->left, identity);
}

// The rig lives as long as its callbacks: in place.
static inline void services_rig_open(struct services_rig *rig, struct loop *loop, struct runtime *runtime)
{
    struct err err;
    const struct http_client_settings http = {.base_url = "http://127.0.0.1:1"};
    const struct logs_settings logs = {.head_bytes = 1 << 20, .tail_bytes = 65536, .total_bytes = 32 << 20};
    const struct services_settings settings = {
        .advertise = "127.0.0.1", .deployment = "test", .stuck_after_ms = 100, .most = 4};
    const struct services_events events = {.on_observation = services_rig_on_observation,
                                           .on_left = services_rig_on_left};
    *rig = (struct services_rig){.loop = loop, .runtime = runtime, .directory = temp_dir_new(), .state = -1};
    if (workspaces_new(loop, NULL, rig->directory, &rig->workspaces, &err) < 0 ||
        logs_new(&logs, &rig->logs, &err) < 0 || http_async_new(loop, &http, 0, &rig->http, &err) < 0 ||
        services_new(loop, runtime, rig->workspaces, rig->logs, rig->http, &settings, &events, rig, &rig->services,
                     &err) < 0)
        die("cannot make services: %s", err.text);
}

static inline void services_rig_close(struct services_rig *rig)
{
    services_free(rig->services);
    http_async_free(rig->http);
    workspaces_free(rig->workspaces);
    logs_free(rig->logs);
    strbuf_release(&rig->seen);
    temp_dir_free(rig->directory);
}

// `run` are members of the service's spec, `services` NULL or those that it depends on.
static inline struct service_order *services_rig_order(const char *job, const char *name, int epoch, const char *run,
                                                       const char *services)
{
    struct err err;
    struct poll_reply reply;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text,
                      "{\"lease_ms\":1,\"start\":[{\"job\":\"%s\",\"service\":\"%s\",\"epoch\":%d,\"object\":\"x\","
                      "\"run\":{\"name\":\"%s\",%s},\"services\":%s}]}",
                      job, name, epoch, name, run, services ? services : "[]");
    if (poll_reply_read(strbuf_text(&text), text.length, &reply, &err) < 0)
        die("%s: %s", err.text, strbuf_text(&text));
    struct service_order *order = TAKE_PTR(reply.starts[0]);
    poll_reply_release(&reply);
    return order;
}

// Everything that is due has happened.
static inline void services_rig_settle(struct services_rig *rig)
{
    struct err err;
    for (int i = 0; i < 8; i++) {
        if (loop_step(rig->loop, 0, &err) < 0)
            die("loop: %s", err.text);
    }
}

static inline bool services_rig_was(void *context)
{
    struct services_rig *rig = context;
    return rig->state == rig->awaited || (rig->passed & 1U << rig->awaited);
}

// Turns the loop until the latest observation is of this state, or one was since the last call: what comes next may not
// have waited for us.
static inline void services_rig_await(struct services_rig *rig, int state)
{
    rig->awaited = state;
    if (!loop_until(rig->loop, services_rig_was, rig, SERVICES_PATIENCE_MS))
        fail_msg("'%s' was never observed: %s%s", instance_state_name(state), strbuf_text(&rig->seen), rig->error);
    rig->passed = 0;
}

static inline bool services_rig_saw(void *context)
{
    struct services_rig *rig = context;
    return runtime_scripted_saw(rig->runtime, rig->line);
}

// Turns the loop until the log of a scripted runtime has this line.
static inline void services_rig_await_line(struct services_rig *rig, const char *line)
{
    rig->line = line;
    if (!loop_until(rig->loop, services_rig_saw, rig, SERVICES_PATIENCE_MS))
        fail_msg("no '%s': %s", line, runtime_scripted_log(rig->runtime));
}

static inline void services_rig_expect(struct services_rig *rig, const char *expected)
{
    assert_string_equal(strbuf_text(&rig->seen), expected);
    strbuf_clear(&rig->seen);
}
