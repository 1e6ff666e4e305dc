// The bodies of the agent's requests.
#include "services/common/base/base64.h"
#include "services/common/base/clock.h"
#include "services/common/base/utf8.h"
#include "services/worker/agent_internal.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_GRACE_MS 10000 // above what the manager was asked to wait
#define REPORT_BYTES (512 * 1024)
#define LOG_BYTES (256 * 1024)
#define LOG_PIECES 64
#define HELD_MAX 10000
#define HELD_EVERY_MS 10000

void exchange_cancel(struct exchange *exchange)
{
    http_async_cancel(exchange->call);
    exchange->call = NULL;
}

static int exchange_start(struct exchange *exchange, const char *path, int64_t timeout_ms, http_async_fn done,
                          struct err *err)
{
    if (strbuf_ok(&exchange->body, err) < 0)
        return -1;
    const struct http_call call = {
        .method = "POST",
        .path = path,
        .body = exchange->body.data,
        .body_length = exchange->body.length,
        .timeout_ms = timeout_ms,
    };
    exchange->sent_at_ms = clock_boot_ms();
    return http_async_start(exchange->agent->http, &call, done, exchange->agent, &exchange->call, err);
}

static void add_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_add_text(out, name);
    strbuf_add_json_mended(out, text);
}

int agent_send_register(struct agent *agent, struct err *err)
{
    const struct agent_settings *settings = &agent->settings;
    struct strbuf *body = &agent->registering.body;
    int64_t registrations = 0;
    if (settings->owner && agent->events.on_register(agent->context, &registrations, err) < 0)
        return -1;
    strbuf_clear(body);
    add_text(body, "{\"name\":", settings->name);
    add_text(body, ",\"host\":", settings->host);
    add_text(body, ",\"boot\":", settings->boot);
    strbuf_add_format(body, ",\"runtimes\":%s,\"slots\":%d,\"queues\":%s,\"labels\":%s", settings->runtimes_json,
                      settings->slots, settings->queues_json, settings->labels_json);
    if (agent->incarnation > 0) // nothing of it is left: main.c has looked, or turn_unregistered() has waited
        strbuf_add_format(body, ",\"former_worker\":%lld,\"former_incarnation\":%d", (long long)agent->worker,
                          agent->incarnation);
    if (settings->owner) {
        add_text(body, ",\"owner\":", settings->owner);
        strbuf_add_format(body, ",\"registrations\":%lld", (long long)registrations);
    }
    if (settings->engine)
        add_text(body, ",\"engine\":", settings->engine);
    if (settings->trouble)
        add_text(body, ",\"trouble\":", settings->trouble);
    if (agent->survivors)
        survivors_write(agent->survivors, agent->services, body);
    strbuf_add_char(body, '}');
    return exchange_start(&agent->registering, "/v1/workers", ANSWER_GRACE_MS, agent_on_registered, err);
}

// ---- polls

static bool says_held(const struct agent *agent)
{
    int64_t now_ms = clock_boot_ms();
    return now_ms < agent->say_held_until_ms || now_ms - agent->said_held_at_ms >= HELD_EVERY_MS;
}

static void add_held(struct agent *agent, struct strbuf *out)
{
    int64_t tokens[HELD_MAX];
    size_t count = tasks_held(agent->tasks, tokens, HELD_MAX);
    count += outbox_held(agent->outbox, tokens + count, HELD_MAX - count);
    count += survivors_held(agent->survivors, tokens + count, HELD_MAX - count);
    if (count == HELD_MAX)
        return; // a list that is cut would give away what is held
    agent->said_held_at_ms = clock_boot_ms();
    strbuf_add_text(out, ",\"held\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_add_char(out, ',');
        strbuf_add_i64(out, tokens[i]);
    }
    strbuf_add_char(out, ']');
}

// The members of a poll, without braces. It says `draining` only when it ends by its own wish: a drain that it was told
// of can be taken back, and an echo of it would start it again.
static void add_poll(struct agent *agent, int64_t wait_ms, int64_t want, int room, struct strbuf *out)
{
    strbuf_add_format(out, "\"wait_ms\":%lld,\"want_services\":%d,\"draining\":%s,\"want\":{", (long long)wait_ms, room,
                      agent->ending ? "true" : "false");
    for (size_t i = 0; want > 0 && agent->settings.queues[i]; i++) {
        add_text(out, i > 0 ? "," : "", agent->settings.queues[i]);
        strbuf_add_char(out, ':');
        strbuf_add_i64(out, want);
    }
    strbuf_add_char(out, '}');
    if (says_held(agent))
        add_held(agent, out);
}

static void worker_path(const struct agent *agent, const char *call, char out[static AGENT_PATH_SIZE])
{
    snprintf(out, AGENT_PATH_SIZE, "/v1/workers/%lld/%s", (long long)agent->worker, call);
}

int agent_send_poll(struct agent *agent, int64_t want, int room, struct err *err)
{
    struct exchange *exchange = &agent->polling;
    char path[AGENT_PATH_SIZE];
    worker_path(agent, "poll", path);
    strbuf_clear(&exchange->body);
    strbuf_add_format(&exchange->body, "{\"incarnation\":%d,", agent->incarnation);
    add_poll(agent, agent->poll_ms, want, room, &exchange->body);
    strbuf_add_char(&exchange->body, '}');
    exchange->polls = true;
    exchange->wants = want > 0;
    return exchange_start(exchange, path, agent->poll_ms + ANSWER_GRACE_MS, agent_on_polled, err);
}

// ---- reports

static void add_log_bytes(struct strbuf *out, const struct log_piece *piece)
{
    if (utf8_valid(piece->bytes, piece->length) && !memchr(piece->bytes, '\0', piece->length)) {
        strbuf_add_text(out, ",\"data\":");
        strbuf_add_json(out, piece->bytes, piece->length);
        return;
    }
    strbuf_add_text(out, ",\"data64\":\"");
    base64_encode(out, piece->bytes, piece->length);
    strbuf_add_char(out, '"');
}

// Returns the number of pieces.
static size_t add_logs(struct agent *agent, struct strbuf *out)
{
    struct log_piece pieces[LOG_PIECES];
    size_t count = logs_collect(agent->logs, pieces, LOG_PIECES, LOG_BYTES);
    strbuf_add_text(out, ",\"logs\":[");
    for (size_t i = 0; i < count; i++) {
        add_text(out, i > 0 ? ",{\"job\":" : "{\"job\":", pieces[i].job);
        add_text(out, ",\"source\":", pieces[i].source);
        strbuf_add_format(out, ",\"position\":%lld", (long long)pieces[i].position);
        add_log_bytes(out, &pieces[i]);
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
    return count;
}

int agent_send_report(struct agent *agent, bool polls, int64_t want, int room, struct err *err)
{
    struct exchange *exchange = &agent->reporting;
    char path[AGENT_PATH_SIZE];
    worker_path(agent, "report", path);
    strbuf_clear(&exchange->body);
    strbuf_add_format(&exchange->body, "{\"incarnation\":%d,", agent->incarnation);
    size_t entries = outbox_collect(agent->outbox, REPORT_BYTES, &exchange->body);
    entries += add_logs(agent, &exchange->body);
    if (polls) {
        strbuf_add_text(&exchange->body, ",\"poll\":{");
        add_poll(agent, 0, want, room, &exchange->body);
        strbuf_add_char(&exchange->body, '}');
    }
    strbuf_add_char(&exchange->body, '}');
    exchange->carries = entries > 0;
    exchange->polls = polls;
    exchange->wants = polls && want > 0;
    int outcome = exchange_start(exchange, path, ANSWER_GRACE_MS, agent_on_reported, err);
    if (outcome < 0) {
        outbox_not_delivered(agent->outbox);
        logs_not_shipped(agent->logs);
    }
    return outcome;
}
