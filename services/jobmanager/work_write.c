#include "services/jobmanager/work_write.h"

#include "services/common/base/id.h"
#include "services/common/json/problem_document.h"
#include "services/common/model/problem.h"

#include <string.h>

#define ADOPTED_SLICES_MAX 1000
#define ADOPTED_BYTES_MAX ((size_t)8 << 20)

// ---- pieces

static void add_text(struct strbuf *out, const char *text)
{
    if (text)
        strbuf_add_json(out, text, strlen(text));
    else
        strbuf_add_text(out, "null");
}

static void add_raw(struct strbuf *out, const char *json, const char *absent)
{
    strbuf_add_text(out, json ? json : absent);
}

static void add_job(struct strbuf *out, int64_t job)
{
    char id[ID_TEXT_SIZE];
    id_format('j', job, id);
    strbuf_add_char(out, '"');
    strbuf_add_text(out, id);
    strbuf_add_char(out, '"');
}

static void add_slice(struct strbuf *out, int64_t job, int stage, int64_t first)
{
    char id[ID_TEXT_SIZE];
    id_format('j', job, id);
    strbuf_add_text(out, "{\"slice\":\"");
    strbuf_add_text(out, id);
    strbuf_add_char(out, '/');
    strbuf_add_i64(out, stage);
    strbuf_add_char(out, '/');
    strbuf_add_i64(out, first);
    strbuf_add_char(out, '"');
}

static void add_number(struct strbuf *out, const char *member, int64_t value)
{
    strbuf_add_text(out, member);
    strbuf_add_i64(out, value);
}

// ---- what a poll found

static void begin_grant(struct strbuf *out, const struct grant *grant)
{
    add_slice(out, grant->job, grant->stage, grant->first);
    add_number(out, ",\"token\":", grant->token);
    strbuf_add_text(out, ",\"job\":");
    add_job(out, grant->job);
    strbuf_add_text(out, ",\"stage\":");
    add_text(out, grant->stage_name);
    add_number(out, ",\"first\":", grant->first);
    add_number(out, ",\"count\":", grant->count);
    add_number(out, ",\"attempt\":", grant->attempt);
}

static void add_grant(struct strbuf *out, const struct grant *grant)
{
    begin_grant(out, grant);
    strbuf_add_text(out, ",\"items\":");
    add_raw(out, grant->items, "null");
    strbuf_add_text(out, ",\"run\":");
    add_raw(out, grant->run, "null");
    strbuf_add_text(out, ",\"services\":");
    add_raw(out, grant->services, "[]");
    strbuf_add_text(out, ",\"bundle\":");
    add_text(out, grant->bundle);
    if (grant->traceparent) {
        strbuf_add_text(out, ",\"traceparent\":");
        add_text(out, grant->traceparent);
    }
    strbuf_add_char(out, '}');
}

static void add_instance(struct strbuf *out, const struct instance_order *order)
{
    strbuf_add_text(out, "{\"job\":");
    add_job(out, order->job);
    strbuf_add_text(out, ",\"service\":");
    add_text(out, order->service);
    add_number(out, ",\"epoch\":", order->epoch);
}

// "curfew-<deployment>-<job>-<service>-<epoch>"
static void add_object_name(struct strbuf *out, const struct instance_order *order, const char *deployment)
{
    char id[ID_TEXT_SIZE];
    id_format('j', order->job, id);
    strbuf_add_format(out, "\"curfew-%s-%s.%s.%d\"", deployment, id, order->service, order->epoch);
}

static void add_starts(struct strbuf *out, const struct work_operation *operation, const char *deployment)
{
    strbuf_add_text(out, ",\"start\":[");
    for (size_t i = 0; i < operation->start_count; i++) {
        const struct instance_order *order = &operation->starts[i];
        if (i)
            strbuf_add_char(out, ',');
        add_instance(out, order);
        strbuf_add_text(out, ",\"run\":");
        add_raw(out, order->run, "null");
        strbuf_add_text(out, ",\"services\":");
        add_raw(out, order->services, "[]");
        strbuf_add_text(out, ",\"bundle\":");
        add_text(out, order->bundle);
        strbuf_add_text(out, ",\"object\":");
        add_object_name(out, order, deployment);
        if (order->adopts)
            strbuf_add_text(out,
                            order->was_ready ? ",\"adopt\":true,\"ready\":true" : ",\"adopt\":true,\"ready\":false");
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
}

static void add_orders(struct strbuf *out, const char *member, const struct instance_order *orders, size_t count)
{
    strbuf_add_text(out, member);
    for (size_t i = 0; i < count; i++) {
        if (i)
            strbuf_add_char(out, ',');
        add_instance(out, &orders[i]);
        if (orders[i].reason) {
            strbuf_add_text(out, ",\"reason\":");
            add_text(out, orders[i].reason);
        }
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
}

static void add_cancels(struct strbuf *out, const struct work_operation *operation)
{
    strbuf_add_text(out, ",\"cancel\":[");
    for (size_t i = 0; i < operation->cancel_count; i++) {
        const struct cancel_order *order = &operation->cancels[i];
        if (i)
            strbuf_add_char(out, ',');
        add_slice(out, order->job, order->stage, order->first);
        add_number(out, ",\"token\":", order->token);
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
}

static void add_found(struct strbuf *out, const struct work_operation *operation, const char *deployment)
{
    add_number(out, "\"lease_ms\":", operation->lease_ms);
    strbuf_add_text(out, ",\"slices\":[");
    for (size_t i = 0; i < operation->grant_count; i++) {
        if (i)
            strbuf_add_char(out, ',');
        add_grant(out, &operation->grants[i]);
    }
    strbuf_add_char(out, ']');
    add_starts(out, operation, deployment);
    add_orders(out, ",\"stop\":[", operation->stops, operation->stop_count);
    add_orders(out, ",\"verify\":[", operation->verifies, operation->verify_count);
    add_cancels(out, operation);
    strbuf_add_text(out, operation->drain ? ",\"drain\":true" : ",\"drain\":false");
    if (operation->drill)
        strbuf_add_text(out, ",\"drill\":true");
}

static void add_stale(struct strbuf *out, const struct work_operation *operation)
{
    bool first = true;
    strbuf_add_text(out, "\"stale\":[");
    for (size_t i = 0; i < operation->result_count; i++) {
        if (!operation->results[i].stale)
            continue;
        if (!first)
            strbuf_add_char(out, ',');
        first = false;
        add_text(out, operation->results[i].slice);
    }
    strbuf_add_char(out, ']');
}

// ---- replies

void poll_reply_write(struct strbuf *out, const struct work_operation *operation, const char *deployment)
{
    strbuf_add_char(out, '{');
    add_found(out, operation, deployment);
    strbuf_add_char(out, '}');
}

void report_reply_write(struct strbuf *out, const struct work_operation *operation, const char *deployment)
{
    strbuf_add_char(out, '{');
    add_stale(out, operation);
    if (operation->polls) {
        strbuf_add_char(out, ',');
        add_found(out, operation, deployment);
    }
    strbuf_add_char(out, '}');
}

void report_stale_write(struct strbuf *out, const struct work_operation *operation, const char *request_id)
{
    AUTO_STRBUF struct strbuf stale = STRBUF_INIT;
    strbuf_add_char(&stale, ',');
    add_stale(&stale, operation);
    problem_document(&(struct problem_document){.status = problem_status(ERR_STALE),
                                                .code = err_code_name(ERR_STALE),
                                                .detail = "the tokens of all slices have moved on: nothing of them was "
                                                          "recorded",
                                                .request_id = request_id,
                                                .more = strbuf_text(&stale)},
                     out);
    out->failed |= stale.failed;
}

// Adds the slice of the first of these; returns how many of them are of it.
static size_t add_adopted(struct strbuf *out, const struct worker_adopted *adopted, size_t count)
{
    size_t tasks = 0;
    begin_grant(out, &(struct grant){.job = adopted->job,
                                     .token = adopted->token,
                                     .stage = adopted->stage,
                                     .first = adopted->first,
                                     .count = adopted->count,
                                     .attempt = adopted->attempt,
                                     .stage_name = adopted->stage_name});
    strbuf_add_text(out, ",\"run\":");
    add_raw(out, adopted->run, "null");
    strbuf_add_text(out, ",\"adopted\":[");
    for (; tasks < count && adopted[tasks].token == adopted->token; tasks++) {
        add_number(out, tasks ? ",{\"task\":" : "{\"task\":", adopted[tasks].task);
        add_number(out, ",\"logged\":", adopted[tasks].logged);
        strbuf_add_char(out, '}');
    }
    strbuf_add_text(out, "]}");
    return tasks;
}

void registered_adopted_write(struct strbuf *out, const struct worker_adopted *adopted, size_t count)
{
    size_t slices = 0;
    strbuf_add_text(out, ",\"adopted\":[");
    for (size_t i = 0; i < count && slices < ADOPTED_SLICES_MAX && out->length < ADOPTED_BYTES_MAX; slices++) {
        if (slices)
            strbuf_add_char(out, ',');
        i += add_adopted(out, &adopted[i], count - i);
    }
    strbuf_add_char(out, ']');
}

size_t work_stale_count(const struct work_operation *operation)
{
    size_t count = 0;
    for (size_t i = 0; i < operation->result_count; i++)
        count += operation->results[i].stale;
    return count;
}
