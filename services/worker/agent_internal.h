// What the files of the agent share: agent.c (what to send when), agent_send.c (bodies), agent_answer.c (replies).
#pragma once

#include "services/common/base/backoff.h"
#include "services/common/base/loop.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/client_async.h"
#include "services/worker/agent.h"
#include "services/worker/logs.h"
#include "services/worker/orders.h"
#include "services/worker/outbox.h"
#include "services/worker/services.h"
#include "services/worker/survivors.h"
#include "services/worker/tasks.h"

#define AGENT_PATH_SIZE 64

enum agent_state {
    AGENT_IDLE,       // before agent_begin()
    AGENT_NEW,        // to be registered
    AGENT_REGISTERED, // polls
    AGENT_ENDING,     // its incarnation is over: registers when nothing runs any more
    AGENT_FAILED,
};

// A request that is under way.
struct exchange {
    struct agent *agent;
    struct http_async_call *call; // NULL: none
    struct strbuf body;
    int64_t sent_at_ms;
    bool polls;   // its answer may bring orders
    bool wants;   // its answer may bring slices
    bool carries; // it has something of the outbox or of the logs
};

struct agent {
    struct loop *loop;
    struct http_async *http;
    struct agent_settings settings;
    struct agent_events events;
    void *context;
    struct runtime *runtime;
    struct tasks *tasks;
    struct services *services;
    struct logs *logs;
    struct survivors *survivors; // NULL: none
    struct outbox *outbox;

    enum agent_state state;
    int64_t worker;
    int incarnation;
    int64_t poll_ms;
    int64_t fence_margin_ms; // how much earlier than the manager the worker takes its lease for over
    int64_t fence_at_ms;     // CLOCK_BOOTTIME; 0: no lease
    bool fenced;
    bool draining; // by our own end, or by the manager
    bool ending;   // by our own end

    struct exchange registering, polling, reporting;
    struct loop_timer *turn, *fence;
    bool turn_is_due;
    struct backoff backoff;
    int64_t silent_until_ms; // after a failure
    int64_t idle_poll_at_ms; // a poll without a want waits until then: a slice may end sooner
    int64_t say_held_until_ms, said_held_at_ms;
    bool in_trouble; // logged
};

// agent.c
void agent_turn_soon(struct agent *agent);
void agent_trouble(struct agent *agent, const char *what, const char *text, int64_t retry_ms); // backs off
void agent_fine(struct agent *agent);
void agent_end_incarnation(struct agent *agent, const char *why);
void agent_lease_renewed(struct agent *agent, int64_t sent_at_ms, int64_t lease_ms);

// agent_send.c; all return negative when nothing was sent
int agent_send_register(struct agent *agent, struct err *err);
int agent_send_poll(struct agent *agent, int64_t want, int room, struct err *err);
int agent_send_report(struct agent *agent, bool polls, int64_t want, int room, struct err *err);
void exchange_cancel(struct exchange *exchange);

// agent_answer.c
void agent_on_registered(void *context, struct http_response *response, const struct err *err);
void agent_on_polled(void *context, struct http_response *response, const struct err *err);
void agent_on_reported(void *context, struct http_response *response, const struct err *err);
