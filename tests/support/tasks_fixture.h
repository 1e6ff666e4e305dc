// Tasks of a worker in a test: over a scripted runtime or a real one, with what they reported written down.
//
// A header, because it calls the worker's own code.
#pragma once

#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/worker/logs.h"
#include "services/worker/orders.h"
#include "services/worker/tasks.h"
#include "services/worker/tasks_internal.h"
#include "services/worker/workspace.h"
#include "tests/support/die.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_PATIENCE_MS 60000

struct tasks_rig {
    struct loop *loop;
    struct runtime *runtime; // the test's
    char *directory;
    struct workspaces *workspaces;
    struct logs *logs;
    struct tasks *tasks;
    struct strbuf seen; // "done SLICE ok 0-2,3-4 failed 2:exit 3 (3,counted) outputs 1={}\n"
    int done_count;
    int capacity_count;
};

static inline const char *tasks_rig_retry(enum slice_retry retry)
{
    static const char *const names[] = {"counted", "uncounted", "never"};
    return names[retry];
}

static inline void tasks_rig_on_done(void *context, const struct slice_outcome *outcome)
{
    struct tasks_rig *rig = context;
    struct strbuf *seen = &rig->seen;
    rig->done_count++;
    strbuf_add_format(seen, "done %s/%lld", outcome->slice, (long long)outcome->token);
    for (size_t i = 0; i < outcome->succeeded_count; i++)
        strbuf_add_format(seen, "%s%lld-%lld", i ? "," : " ok ", (long long)outcome->succeeded[i].from,
                          (long long)outcome->succeeded[i].to);
    for (size_t i = 0; i < outcome->failed_count; i++)
        strbuf_add_format(seen, "%s%lld:%s (%d,%s)", i ? "; " : " failed ", (long long)outcome->failed[i].task,
                          outcome->failed[i].error, outcome->failed[i].exit, tasks_rig_retry(outcome->failed[i].retry));
    for (size_t i = 0; i < outcome->output_count; i++)
        strbuf_add_format(seen, "%s%lld=%s", i ? " " : " outputs ", (long long)outcome->outputs[i].task,
                          outcome->outputs[i].json);
    strbuf_add_char(seen, '\n');
}

static inline void tasks_rig_on_capacity(void *context)
{
    ((struct tasks_rig *)context)->capacity_count++;
}

// The rig lives as long as its callbacks: in place.
static inline void tasks_rig_open(struct tasks_rig *rig, struct loop *loop, struct runtime *runtime, int slots,
                                  const char *secrets)
{
    struct err err;
    const struct logs_settings logs = {.head_bytes = 1 << 20, .tail_bytes = 65536, .total_bytes = 32 << 20};
    const struct tasks_settings settings = {.slots = slots, .secrets_directory = secrets, .deployment = "test"};
    const struct tasks_events events = {.on_done = tasks_rig_on_done, .on_capacity = tasks_rig_on_capacity};
    *rig = (struct tasks_rig){.loop = loop, .runtime = runtime, .directory = temp_dir_new()};
    if (workspaces_new(loop, NULL, rig->directory, &rig->workspaces, &err) < 0 ||
        logs_new(&logs, &rig->logs, &err) < 0 ||
        tasks_new(loop, runtime, rig->workspaces, rig->logs, &settings, &events, rig, &rig->tasks, &err) < 0)
        die("cannot make tasks: %s", err.text);
    rig->tasks->slice_budget_ms = INT64_C(3600) * 1000; // however slow this machine is, slices are done to their end
}

static inline void tasks_rig_close(struct tasks_rig *rig)
{
    tasks_free(rig->tasks);
    workspaces_free(rig->workspaces);
    logs_free(rig->logs);
    strbuf_release(&rig->seen);
    temp_dir_free(rig->directory);
}

// Tasks [first, first + count) of stage "s", token 10 + first; `run` are members of its spec, `items` NULL or "[...]".
static inline struct slice_order *tasks_rig_order(const char *job, int first, int count, const char *run,
                                                  const char *items, const char *services)
{
    struct err err;
    struct poll_reply reply;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text,
                      "{\"lease_ms\":1,\"slices\":[{\"slice\":\"%s/0/%d\",\"token\":%d,\"job\":\"%s\",\"stage\":\"s\","
                      "\"first\":%d,\"count\":%d,\"attempt\":1,\"items\":%s,\"run\":{\"name\":\"s\",%s},"
                      "\"services\":%s}]}",
                      job, first, 10 + first, job, first, count, items ? items : "null", run,
                      services ? services : "[]");
    if (poll_reply_read(strbuf_text(&text), text.length, &reply, &err) < 0)
        die("%s: %s", err.text, strbuf_text(&text));
    struct slice_order *order = TAKE_PTR(reply.slices[0]);
    poll_reply_release(&reply);
    return order;
}

static inline void tasks_rig_accept(struct tasks_rig *rig, int first, int count, const char *run)
{
    tasks_accept(rig->tasks, tasks_rig_order("j1", first, count, run, NULL, NULL));
}

// Everything that is due has happened.
static inline void tasks_rig_settle(struct tasks_rig *rig)
{
    struct err err;
    for (int i = 0; i < 8; i++) {
        if (loop_step(rig->loop, 0, &err) < 0)
            die("loop: %s", err.text);
    }
}

// Waits until so many slices are done, and compares everything that was reported since the last call.
static inline void tasks_rig_expect(struct tasks_rig *rig, int done_count, const char *expected)
{
    int64_t rounds = TASKS_PATIENCE_MS;
    while (rig->done_count < done_count && rounds-- > 0)
        loop_for(rig->loop, 1);
    assert_int_equal(rig->done_count, done_count);
    if (expected)
        assert_string_equal(strbuf_text(&rig->seen), expected);
    strbuf_clear(&rig->seen);
    rig->done_count = 0;
}
