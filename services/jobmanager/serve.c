// curfew-jobmanager serve: starts everything in order, waits for a signal, drains, ends everything in reverse.
#include "services/jobmanager/commands.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/db/migrate.h"
#include "services/common/http/server.h"
#include "services/common/http/tls.h"
#include "services/common/store/embedded.h"
#include "services/common/store/installation.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/audit.h"
#include "services/jobmanager/auth.h"
#include "services/jobmanager/keyring.h"
#include "services/jobmanager/rates.h"
#include "services/jobmanager/refusals.h"
#include "services/jobmanager/routes.h"
#include "services/jobmanager/stops.h"
#include "services/jobmanager/work.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

// How long the heartbeats of idle workers wait for each other, so that many share a transaction.
#define PATIENCE_MS 50
// How often parked requests are held against their clients: with a thousand workers this is what an idle manager does
// most.
#define WATCH_INTERVAL_MS 1000
#define CERTIFICATE_INTERVAL_S 2
// Of what /readyz asks the database.
#define PROBE_TIMEOUT_MS 1000
#define PROBE_NETWORK_MS 500

// ---- before the start

// Once the tokens are known.
static int exposure_check(const struct app *app, struct err *err)
{
    if (app->settings->loopback || keyring_has_admin(app->keyring))
        return 0;
    return err_set(err, ERR_INVALID,
                   "listening on %s without a token of role admin would let everybody in or nobody: set "
                   "CURFEW_TOKEN_FILE",
                   app->settings->listen);
}

static void durability_warn(const struct installation *installation)
{
    if (!installation->fsync || !installation->full_page_writes)
        log_event(LOG_WARN,
                  "THE DATABASE RUNS WITHOUT fsync: A CRASH OF ITS MACHINE LOSES OR DESTROYS WHAT IT ACKNOWLEDGED",
                  "fsync", installation->fsync ? "on" : "off", "full_page_writes",
                  installation->full_page_writes ? "on" : "off", NULL);
    if (!installation->synchronous_commit)
        log_event(LOG_WARN, "THE DATABASE RUNS WITHOUT synchronous_commit: A CRASH LOSES WHAT IT ACKNOWLEDGED", NULL);
}

static int database_check(const struct settings *settings, struct installation *out, struct err *err)
{
    struct db_options options = {.application_name = "curfew-jobmanager start",
                                 .statements = store_statements,
                                 .statement_count = STATEMENT_COUNT};
    AUTO_DB struct db *db = NULL;
    if (db_open(settings->database_url, &options, &db, err) < 0 ||
        db_wait_connected(db, settings->wait_database_ms, err) < 0 ||
        migrate_check(db, store_migrations, store_migration_count, err) < 0 || installation_read(db, out, err) < 0)
        return -1;
    durability_warn(out);
    return 0;
}

// ---- the parts

static uint64_t mark(void *context)
{
    return polls_mark(((struct app *)context)->polls);
}

static size_t invite(void *context, const struct wakes *wakes, struct lane_entry **out, size_t room)
{
    return work_invite(context, wakes, out, room);
}

static void deliver(void *context, const struct wakes *wakes)
{
    wakeup_deliver(((struct app *)context)->wakeup, wakes);
}

static void observe(void *context, const struct http_request *request, int status, int64_t microseconds)
{
    meters_observe(((struct app *)context)->meters, http_request_route(request), status, microseconds);
    audit_call(request, status);
}

static int lanes_of_app(struct app *app, struct err *err)
{
    const struct settings *settings = app->settings;
    struct lanes_settings lanes = {
        .database_url = settings->database_url,
        .count = (int)settings->lanes,
        .batch_max = (size_t)settings->lane_batch,
        .queue_max = (size_t)settings->queue_limit,
        .wait_max_ms = settings->queue_wait_ms,
        .patience_ms = PATIENCE_MS,
        .hot = {.worker_lease_ms = settings->worker_lease_ms,
                .log_limit_bytes = settings->log_limit_bytes,
                .event_limit = settings->event_limit,
                .trace_tasks = settings->trace_tasks,
                .stopped = stops_note,
                .stopped_context = app->stops},
        .mark = mark,
        .invite = invite,
        .deliver = deliver,
        .context = app,
    };
    return lanes_start(&lanes, &app->lanes, err);
}

static int app_start(struct app *app, struct err *err)
{
    const struct settings *settings = app->settings;
    struct keyring_settings keyring = {.database_url = settings->database_url,
                                       .token = settings->token,
                                       .required = !settings->loopback,
                                       .limits = settings->limits};
    struct pool_settings pool = {.database_url = settings->database_url,
                                 .threads = (int)settings->pool_threads,
                                 .queue_max = (size_t)settings->queue_limit};
    struct pool_settings probes = pool;
    probes.threads = 1; // struct readiness_look has no lock
    probes.statement_timeout_ms = PROBE_TIMEOUT_MS;
    probes.network_timeout_ms = PROBE_NETWORK_MS;
    if (keyring_start(&keyring, &app->keyring, err) < 0 || exposure_check(app, err) < 0 ||
        refusals_new(&app->refusals, err) < 0 || rates_new(settings->submit_rate, &app->rates, err) < 0 ||
        stops_new(&app->stops, err) < 0 || meters_new(&routes_table, &app->meters, err) < 0 ||
        polls_new(&app->polls, err) < 0 || watches_new(&app->watches, err) < 0 ||
        waiters_new(app, &app->waiters, err) < 0 ||
        wakeup_start(settings->database_url, app->polls, app->watches, &app->wakeup, err) < 0 ||
        pool_start(&pool, &app->pool, err) < 0 || pool_start(&probes, &app->probes, err) < 0)
        return -1;
    return lanes_of_app(app, err);
}

// Lanes and pool finish what they have; nothing is parked any more.
static void app_stop(struct app *app)
{
    lanes_stop(app->lanes);
    pool_stop(app->probes);
    pool_stop(app->pool);
    wakeup_stop(app->wakeup);
    waiters_free(app->waiters);
    watches_free(app->watches);
    polls_free(app->polls);
    meters_free(app->meters);
    stops_free(app->stops);
    rates_free(app->rates);
    refusals_free(app->refusals);
    keyring_stop(app->keyring);
}

static int server_start(struct app *app, struct http_tls *tls, struct http_server **out, struct err *err)
{
    const struct settings *settings = app->settings;
    struct http_server_settings server = {
        .address = settings->address,
        .port = settings->port,
        .tls = tls,
        .routes = routes_table,
        .app = app,
        .threads = (int)settings->http_threads,
        .spool_directory = settings->spool_directory,
        .authorize = auth_check,
        .observe = observe,
        .max_connections = (size_t)settings->max_connections,
        .body_budget_bytes = (size_t)settings->body_memory_bytes,
        .watch_interval_ms = WATCH_INTERVAL_MS,
    };
    return http_server_start(&server, out, err);
}

// ---- running

static int announce(const struct settings *settings, const struct http_server *server, struct err *err)
{
    char port[16];
    int length = snprintf(port, sizeof(port), "%u\n", (unsigned)http_server_port(server));
    if (settings->port_file && file_replace(settings->port_file, port, (size_t)length, 0644, err) < 0)
        return -1;
    port[strcspn(port, "\n")] = '\0';
    log_event(LOG_INFO, "listening", "address", settings->address, "port", port, NULL);
    return 0;
}

static void drain(struct app *app, struct http_server *server)
{
    log_event(LOG_INFO, "draining", "parked_polls", LOG_NUMBER(polls_count(app->polls)), NULL);
    atomic_store(&app->draining, true);
    polls_stop(app->polls); // the server tells who is parked now; nobody comes after that
    int cut_off = http_server_drain(server, clock_boot_ms() + app->settings->drain_ms);
    log_event(LOG_INFO, "stopped", "cut_off", cut_off ? "some" : "none", NULL);
}

static void renew(struct http_tls *tls, bool anyway)
{
    struct err err;
    int outcome = http_tls_reload(tls, anyway, &err);
    if (outcome < 0)
        log_event(LOG_ERROR, "the certificate stays as it was", "error", err.text, NULL);
    else if (outcome > 0)
        log_event(LOG_INFO, "certificate read again", NULL);
}

// With a certificate SIGHUP is among the signals; its files are looked at meanwhile.
static void wait_for_end(struct http_tls *tls, const sigset_t *signals)
{
    const struct timespec interval = {CERTIFICATE_INTERVAL_S, 0};
    for (;;) {
        int number = tls ? sigtimedwait(signals, NULL, &interval) : sigwaitinfo(signals, NULL);
        if (number == SIGTERM || number == SIGINT)
            return;
        if (tls)
            renew(tls, number == SIGHUP);
    }
}

static int identity_start(const struct settings *settings, struct http_tls **out, struct err *err)
{
    return settings->tls_cert_file ? http_tls_new(settings->tls_cert_file, settings->tls_key_file, out, err) : 0;
}

static int serve(struct app *app, const sigset_t *signals, struct err *err)
{
    struct http_server *server = NULL;
    struct http_tls *tls = NULL;
    int outcome = -1;
    if (identity_start(app->settings, &tls, err) == 0 && app_start(app, err) == 0 &&
        server_start(app, tls, &server, err) == 0) {
        atomic_store(&app->server, server);
        outcome = announce(app->settings, server, err);
    }
    if (outcome == 0)
        wait_for_end(tls, signals);
    if (server)
        drain(app, server);
    app_stop(app);
    http_server_free(server);
    http_tls_free(tls);
    return outcome;
}

int command_serve(const struct settings *settings)
{
    static struct app app; // with its tables it is too large for the stack
    static struct installation installation;
    struct err err;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (settings->tls_cert_file)
        sigaddset(&signals, SIGHUP);
    // Before any thread exists, so that they all have it so.
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    app.settings = settings;
    app.deployment = installation.deployment;
    if (database_check(settings, &installation, &err) == 0 && serve(&app, &signals, &err) == 0)
        return 0;
    log_event(LOG_ERROR, "cannot serve", "error", err.text, NULL);
    return 1;
}
