// What the agent makes of the manager's answers.
#include "services/common/base/arena.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/json/wire.h"
#include "services/worker/agent_internal.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define REFUSED_RETRY_MS 5000
#define ANSWER_ARENA_BYTES 1024
#define TEXT_MAX 256
#define KEPT_MAX 1024
#define ADOPTED_MAX 1024

// ---- small answers

struct registered {
    int64_t worker, incarnation, lease_ms, poll_ms, fence_ms;
    const char *deployment;
    struct instance_name *kept;
    struct slice_order **adopted;
    size_t kept_count, adopted_count;
    struct arena *arena;
};

static void registered_release(struct registered *registered)
{
    for (size_t i = 0; i < registered->adopted_count; i++)
        slice_order_free(registered->adopted[i]); // what was not taken over
}

static void kept_one_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct registered *registered = object;
    instance_name_read(wire, place, &registered->kept[place->index]);
}

static void kept_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct registered *registered = object;
    registered->kept = arena_alloc_zero(registered->arena, KEPT_MAX, sizeof *registered->kept);
    if (registered->kept)
        wire_array(wire, place, KEPT_MAX, kept_one_read, object, &registered->kept_count);
    else
        wire->no_memory = true;
}

static void adopted_one_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct registered *registered = object;
    struct slice_order *order = slice_order_read(wire, place);
    if (order)
        registered->adopted[registered->adopted_count++] = order;
}

static void adopted_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct registered *registered = object;
    size_t count;
    registered->adopted = arena_alloc_zero(registered->arena, ADOPTED_MAX, sizeof *registered->adopted);
    if (registered->adopted)
        wire_array(wire, place, ADOPTED_MAX, adopted_one_read, object, &count);
    else
        wire->no_memory = true;
}

static const struct wire_field registered_fields[] = {
    {"worker", WIRE_I64, true, offsetof(struct registered, worker), 1, INT64_MAX, NULL},
    {"incarnation", WIRE_I64, true, offsetof(struct registered, incarnation), 1, INT32_MAX, NULL},
    {"lease_ms", WIRE_I64, true, offsetof(struct registered, lease_ms), 1, INT64_MAX, NULL},
    {"poll_ms", WIRE_I64, true, offsetof(struct registered, poll_ms), 1, INT32_MAX, NULL},
    {"fence_ms", WIRE_I64, true, offsetof(struct registered, fence_ms), 1, INT64_MAX, NULL},
    {"deployment", WIRE_TEXT, true, offsetof(struct registered, deployment), 0, TEXT_MAX, NULL},
    {"kept", WIRE_CUSTOM, false, 0, 0, 0, kept_read},
    {"adopted", WIRE_CUSTOM, false, 0, 0, 0, adopted_read},
};

struct problem_answer {
    const char *code, *detail;
};

static const struct wire_field problem_fields[] = {
    {"code", WIRE_TEXT, false, offsetof(struct problem_answer, code), 0, TEXT_MAX, NULL},
    {"detail", WIRE_TEXT, false, offsetof(struct problem_answer, detail), 0, 4096, NULL},
};

static int read_answer(const struct http_response *response, const struct wire_field *fields, size_t count, void *out,
                       struct arena *arena, struct err *err)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for an answer");
    if (wire_read_answer(strbuf_text(&response->body), response->body.length, NULL, fields, count, out, arena, &faults,
                         err) < 0)
        return err_prefix(err, "answer of the manager");
    return 0;
}

// The problem's code, "" when it has none.
static struct problem_answer read_problem(const struct http_response *response, struct arena *arena)
{
    struct problem_answer problem = {0};
    struct err err;
    if (read_answer(response, problem_fields, ARRAY_LEN(problem_fields), &problem, arena, &err) < 0 || !problem.code)
        problem.code = "";
    if (!problem.detail)
        problem.detail = "";
    return problem;
}

// ---- failures that all calls share

static void lost_answer(struct agent *agent, struct exchange *exchange)
{
    if (exchange->carries) {
        outbox_not_delivered(agent->outbox);
        logs_not_shipped(agent->logs);
    }
    if (exchange->wants) // slices may have been given that never arrive: say what is held until the request cannot be
                         // parked any more
        agent->say_held_until_ms = clock_boot_ms() + 2 * agent->poll_ms;
    exchange->carries = false;
}

// The manager said no. True when that ends the incarnation.
static bool incarnation_is_over(int status, const char *code)
{
    return status == 404 || (status == 409 && strcmp(code, "stale_incarnation") == 0);
}

static void refused(struct agent *agent, struct exchange *exchange, const char *what,
                    const struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(ANSWER_ARENA_BYTES);
    struct problem_answer problem = read_problem(response, arena);
    int status = response->status;
    if (incarnation_is_over(status, problem.code)) {
        agent_end_incarnation(agent, problem.detail);
        return;
    }
    bool wrong = status == 400 || status == 413 || status == 422;
    if (exchange->carries && wrong) { // it would be refused again, and keep everything else waiting
        size_t dropped = outbox_refused(agent->outbox);
        logs_shipped(agent->logs);
        exchange->carries = false;
        log_event(LOG_ERROR, "report refused, dropped", "entries", LOG_NUMBER(dropped), "detail", problem.detail, NULL);
    }
    lost_answer(agent, exchange);
    agent_trouble(agent, what, problem.detail, response->retry_after_ms >= 0 ? response->retry_after_ms : 0);
}

// ---- registration

static int accept_registration(struct agent *agent, const struct registered *registered, struct err *err)
{
    agent->worker = registered->worker;
    agent->incarnation = (int)registered->incarnation;
    // A poll that finds nothing is answered when its wait is over: the fence has to leave room for one that is lost.
    int64_t most_ms = MAX(registered->fence_ms / 3, (int64_t)1);
    agent->poll_ms = MIN(registered->poll_ms, most_ms);
    agent->fence_margin_ms = registered->lease_ms - registered->fence_ms;
    agent->state = AGENT_REGISTERED;
    // A new incarnation holds nothing, but for what is left of its former life.
    agent->said_held_at_ms = survivors_count(agent->survivors) > 0 ? 0 : clock_boot_ms();
    const struct agent_registered event = {
        .deployment = registered->deployment,
        .worker = agent->worker,
        .incarnation = agent->incarnation,
        .survivors = {.kept = registered->kept,
                      .kept_count = registered->kept_count,
                      .adopted = registered->adopted,
                      .adopted_count = registered->adopted_count},
    };
    if (agent->events.on_registered(agent->context, &event, err) < 0)
        return -1;
    agent_lease_renewed(agent, agent->registering.sent_at_ms, registered->lease_ms);
    log_event(LOG_INFO, "registered", "worker", LOG_NUMBER(agent->worker), "incarnation",
              LOG_NUMBER(agent->incarnation), "deployment", registered->deployment, NULL);
    return 0;
}

void agent_on_registered(void *context, struct http_response *response, const struct err *failure)
{
    struct agent *agent = context;
    AUTO_ARENA struct arena *arena = arena_new(ANSWER_ARENA_BYTES);
    struct registered registered = {.arena = arena};
    struct err err = {0};
    agent->registering.call = NULL;
    if (!response) {
        agent_trouble(agent, "register", failure->text, 0);
    } else if (response->status != 201) {
        struct problem_answer problem = read_problem(response, arena);
        agent_trouble(agent, "register", problem.detail,
                      response->retry_after_ms >= 0 ? response->retry_after_ms : REFUSED_RETRY_MS);
    } else if (read_answer(response, registered_fields, ARRAY_LEN(registered_fields), &registered, arena, &err) < 0) {
        agent_trouble(agent, "register", err.text, REFUSED_RETRY_MS);
    } else if (accept_registration(agent, &registered, &err) < 0) {
        agent->state = AGENT_FAILED;
        agent->events.on_failed(agent->context, &err);
    } else {
        agent_fine(agent);
    }
    registered_release(&registered);
    agent_turn_soon(agent);
}

// ---- orders

static void carry_out(struct agent *agent, struct poll_reply *reply)
{
    for (size_t i = 0; i < reply->slice_count; i++)
        tasks_accept(agent->tasks, TAKE_PTR(reply->slices[i]));
    for (size_t i = 0; i < reply->start_count; i++)
        services_start(agent->services, TAKE_PTR(reply->starts[i]));
    for (size_t i = 0; i < reply->stop_count; i++)
        services_stop(agent->services, reply->stops[i].job, reply->stops[i].service, reply->stops[i].epoch);
    for (size_t i = 0; i < reply->verify_count; i++)
        services_verify(agent->services, reply->verifies[i].job, reply->verifies[i].service, reply->verifies[i].epoch);
    for (size_t i = 0; i < reply->cancel_count; i++)
        tasks_cancel(agent->tasks, reply->cancels[i].slice, reply->cancels[i].token);
}

// A drill: nothing is ended and nobody is told, as when the kernel or somebody else kills this process.
static void die(void)
{
    log_event(LOG_WARN, "killed by its own hand: an administrator has ordered a drill", NULL);
    kill(getpid(), SIGKILL);
}

// A poll's reply, or a report's: what was carried has arrived, and there may be orders.
static void accept_reply(struct agent *agent, struct exchange *exchange, const struct http_response *response,
                         const char *what)
{
    struct poll_reply reply = {0};
    struct err err = {0};
    if (poll_reply_read(strbuf_text(&response->body), response->body.length, &reply, &err) < 0) {
        lost_answer(agent, exchange);
        agent_trouble(agent, what, err.text, REFUSED_RETRY_MS);
        return;
    }
    if (exchange->carries) {
        outbox_delivered(agent->outbox);
        logs_shipped(agent->logs);
        exchange->carries = false;
    }
    if (exchange->polls) {
        agent_lease_renewed(agent, exchange->sent_at_ms, reply.lease_ms);
        if (reply.drill)
            die();
        agent->draining = agent->ending || reply.drain;
        carry_out(agent, &reply);
    }
    poll_reply_release(&reply);
    agent_fine(agent);
}

// Every slice of the report had lost its lease: nothing of them was recorded, and there is nothing left to say of them.
// Orders that were asked for along with it are lost.
static bool is_stale_report(const struct exchange *exchange, const struct http_response *response)
{
    AUTO_ARENA struct arena *arena = arena_new(ANSWER_ARENA_BYTES);
    return exchange->carries && response->status == 409 && strcmp(read_problem(response, arena).code, "stale") == 0;
}

static void on_answer(struct agent *agent, struct exchange *exchange, const char *what, struct http_response *response,
                      const struct err *failure)
{
    exchange->call = NULL;
    if (!response) {
        lost_answer(agent, exchange);
        agent_trouble(agent, what, failure->text, 0);
    } else if (response->status == 200) {
        accept_reply(agent, exchange, response, what);
    } else if (is_stale_report(exchange, response)) {
        log_event(LOG_WARN, "report came too late", "what", what, NULL);
        outbox_delivered(agent->outbox);
        logs_shipped(agent->logs);
        exchange->carries = false;
        lost_answer(agent, exchange);
    } else {
        refused(agent, exchange, what, response);
    }
    agent_turn_soon(agent);
}

void agent_on_polled(void *context, struct http_response *response, const struct err *failure)
{
    struct agent *agent = context;
    on_answer(agent, &agent->polling, "poll", response, failure);
}

void agent_on_reported(void *context, struct http_response *response, const struct err *failure)
{
    struct agent *agent = context;
    on_answer(agent, &agent->reporting, "report", response, failure);
}
