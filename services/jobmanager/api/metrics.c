// GET /metrics: what this process counts, and what the database knows, asked for at most every two seconds.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/clock.h"
#include "services/common/http/server.h"
#include "services/common/json/parse.h"
#include "services/common/model/states.h"
#include "services/common/store/metrics.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/refusals.h"
#include "services/jobmanager/stops.h"

#include <inttypes.h>
#include <pthread.h>

#define CACHE_MS 2000
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

static struct {
    pthread_mutex_t mutex;
    int64_t read_ms; // 0: never
    struct store_metrics metrics;
} cache = {.mutex = PTHREAD_MUTEX_INITIALIZER};

// False when the database cannot say.
static bool store_metrics(struct db *db, struct store_metrics *out)
{
    struct err err;
    bool known = true;
    pthread_mutex_lock(&cache.mutex);
    if (!cache.read_ms || clock_boot_ms() - cache.read_ms >= CACHE_MS) {
        known = metrics_read(db, &cache.metrics, &err) == 0;
        cache.read_ms = known ? clock_boot_ms() : 0;
    }
    *out = cache.metrics;
    pthread_mutex_unlock(&cache.mutex);
    return known;
}

static void add(struct strbuf *out, const char *name, const char *type, const char *help, double value)
{
    strbuf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %.10g\n", name, help, name, type, name, value);
}

static void gauge(struct strbuf *out, const char *name, const char *help, double value)
{
    add(out, name, "gauge", help, value);
}

static void counter(struct strbuf *out, const char *name, const char *help, int64_t value)
{
    add(out, name, "counter", help, (double)value);
}

static void write_seconds(struct strbuf *out, const struct service_seconds *seconds)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"warming", seconds->warming},
                 {"useful", seconds->useful},
                 {"idle", seconds->idle},
                 {"leaked", seconds->leaked}};
    strbuf_add_text(out, "# HELP curfew_live_service_seconds What the time of the services that may exist went into.\n"
                         "# TYPE curfew_live_service_seconds gauge\n");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        strbuf_add_format(out, "curfew_live_service_seconds{part=\"%s\"} %.3f\n", parts[i].name, parts[i].value);
}

static void write_store(struct strbuf *out, const struct store_metrics *metrics)
{
    gauge(out, "curfew_queue_oldest_ready_seconds", "Age of the oldest job with a task that could run.",
          metrics->queue_oldest_ready_seconds);
    gauge(out, "curfew_reaper_lag_seconds", "How long the longest due piece of the reaper's work has been waiting.",
          metrics->reaper_lag_seconds);
    gauge(out, "curfew_leaked_services", "Services that outlive their job.", (double)metrics->leaked_services);
    gauge(out, "curfew_engine_orphans", "Containers that nobody wants, as the reaper has last seen.",
          (double)metrics->engine_orphans);
    gauge(out, "curfew_engines_refused", "Engines at which most containers are unknown, so that none is removed.",
          (double)metrics->engines_refused);
    gauge(out, "curfew_engine_networks_kept",
          "Networks that engines refuse to remove although they list nothing in them.",
          (double)metrics->engine_networks_kept);
    gauge(out, "curfew_live_services", "Service instances that may exist.", (double)metrics->live_instances);
    write_seconds(out, &metrics->seconds);
    gauge(out, "curfew_ready_slices", "Slices that could be leased, counted up to 10000.",
          (double)metrics->ready_slices);
    gauge(out, "curfew_leased_slices", "Slices that workers have.", (double)metrics->leased_slices);
    gauge(out, "curfew_delayed_slices", "Slices that wait for a retry.", (double)metrics->delayed_slices);
    gauge(out, "curfew_jobs_open", "Jobs without outcome.", (double)metrics->jobs_open);
    gauge(out, "curfew_jobs_paused", "Of these, paused.", (double)metrics->jobs_paused);
    gauge(out, "curfew_jobs_waiting", "Of these, waiting for their services.", (double)metrics->jobs_waiting);
    gauge(out, "curfew_jobs_cleaning", "Jobs with an outcome whose services are being stopped.",
          (double)metrics->jobs_cleaning);
    gauge(out, "curfew_jobs_kept", "Jobs with an outcome whose services are kept.", (double)metrics->jobs_kept);
    gauge(out, "curfew_jobs_stuck", "Jobs with a service that would not die.", (double)metrics->jobs_stuck);
    strbuf_add_text(out, "# HELP curfew_workers Workers by state.\n# TYPE curfew_workers gauge\n");
    for (int i = 0; i < WORKER_STATE_COUNT; i++)
        strbuf_add_format(out, "curfew_workers{state=\"%s\"} %" PRId64 "\n", worker_state_name(i), metrics->workers[i]);
}

static void write_lanes(struct strbuf *out, struct lanes *lanes)
{
    struct lanes_stats stats;
    lanes_stats(lanes, &stats);
    gauge(out, "curfew_lane_queued", "Hot requests that wait for a lane.", (double)stats.queued);
    counter(out, "curfew_lane_transactions_total", "Transactions of the lanes.", stats.transactions);
    counter(out, "curfew_lane_operations_total", "Hot requests in these.", stats.operations);
    counter(out, "curfew_lane_failures_total", "Of the transactions, failed.", stats.failures);
    counter(out, "curfew_lane_falls_total",
            "Transactions of plain submissions whose one statement failed: they were run step by step.", stats.falls);
    counter(out, "curfew_lane_refused_total", "Hot requests refused since the queue was full.", stats.refused);
}

static void write_process(struct strbuf *out, struct app *app)
{
    struct http_server *server = atomic_load(&app->server);
    struct http_server_stats stats = {0};
    if (server)
        http_server_stats(server, &stats);
    gauge(out, "curfew_http_connections", "Open connections.", (double)stats.connections);
    gauge(out, "curfew_http_in_flight", "Requests that are not answered yet.", (double)stats.in_flight);
    gauge(out, "curfew_http_parked", "Of these, parked.", (double)stats.parked);
    counter(out, "curfew_http_overload_total", "Requests refused for the connection limits.", stats.overload);
    counter(out, "curfew_http_gone_total", "Parked requests whose client went.", stats.gone);
    counter(out, "curfew_http_deadlines_total", "Connections that a deadline ended.", stats.deadlines);
    gauge(out, "curfew_parked_polls", "Workers that wait for tasks here.", (double)polls_count(app->polls));
    gauge(out, "curfew_watches", "Requests and streams that wait for jobs here.", (double)watches_count(app->watches));
    gauge(out, "curfew_pool_queued", "Requests that wait for a pool thread.", (double)pool_queued(app->pool));
    gauge(out, "curfew_json_budget_bytes", "Memory charged to JSON trees.", (double)json_budget_used());
    write_lanes(out, app->lanes);
}

static int metrics_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct store_metrics metrics;
    bool known = store_metrics(db, &metrics);
    gauge(&body, "curfew_database_up", "1 when the database answers.", known);
    if (known)
        write_store(&body, &metrics);
    write_process(&body, call->app);
    stops_write(call->app->stops, &body);
    refusals_write(call->app->refusals, &body);
    meters_write(call->app->meters, &body);
    if (strbuf_ok(&body, err) < 0)
        return -1;
    http_reply_bytes(reply, 200, TYPE_METRICS, &body);
    return 0;
}

enum http_handled metrics_show(void *app, struct http_request *request, struct http_reply *reply)
{
    struct call *call = call_new(app, request, sizeof(*call), reply);
    return call ? call_start(call, metrics_run, reply) : HTTP_REPLY;
}
