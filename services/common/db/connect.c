#include "services/common/base/clock.h"
#include "services/common/db/connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define SERVER_VERSION_MIN 130000
#define CONNECT_TIMEOUT_MS 5000
#define NETWORK_TIMEOUT_MS 10000
#define STATEMENT_TIMEOUT_MS 30000
#define LOCK_TIMEOUT_MS 5000
#define IDLE_IN_TRANSACTION_TIMEOUT_MS 30000
#define BACKOFF_BASE_MS 50
#define BACKOFF_MAX_MS 2000

static int64_t or_default(int64_t given, int64_t fallback)
{
    return given ? given : fallback;
}

static int check_conninfo(const char *conninfo, struct err *err)
{
    char *problem = NULL;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, &problem);
    if (!parsed) {
        // The message would repeat parts of conninfo, which may hold a password.
        PQfreemem(problem);
        return err_set(err, ERR_INVALID, "the database connection string is neither a URI nor a list of keyword=value");
    }
    PQconninfoFree(parsed);
    return 0;
}

#define PLANS_BY_INDEX                                                                                               \
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; " \
    "SET enable_material = off; SET plan_cache_mode = force_generic_plan; "                                          \
    "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'enable_memoize'" /* since 14 */

static void apply_options(struct db *db, const struct db_options *options)
{
    db->statements = options->statements;
    db->statement_count = options->statements ? options->statement_count : 0;
    db->connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    db->network_timeout_ms = or_default(options->network_timeout_ms, NETWORK_TIMEOUT_MS);
    db->statement_timeout_ms = or_default(options->statement_timeout_ms, STATEMENT_TIMEOUT_MS);
    db->lock_timeout_ms = or_default(options->lock_timeout_ms, LOCK_TIMEOUT_MS);
    db->idle_in_transaction_timeout_ms =
        or_default(options->idle_in_transaction_timeout_ms, IDLE_IN_TRANSACTION_TIMEOUT_MS);
    db->backoff = (struct backoff){.base_ms = BACKOFF_BASE_MS, .max_ms = BACKOFF_MAX_MS};
}

int db_open(const char *conninfo, const struct db_options *options, struct db **out, struct err *err)
{
    static const struct db_options defaults = {0};
    if (!options)
        options = &defaults;
    if (check_conninfo(conninfo, err) < 0)
        return -1;
    struct db *db AUTO_DB = calloc(1, sizeof *db);
    if (!db)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    apply_options(db, options);
    db->conninfo = strdup(conninfo);
    db->application_name = strdup(options->application_name ? options->application_name : "curfew");
    db->prepared = calloc(db->statement_count + 1, sizeof *db->prepared);
    if (!db->conninfo || !db->application_name || !db->prepared)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    *out = TAKE_PTR(db);
    return 0;
}

int db_password_use(const char *password, struct err *err)
{
    // Through the environment of this process, which no other one sees: libpq gives it the place between conninfo and
    // the passfile.
    if (password && setenv("PGPASSWORD", password, 1) < 0)
        return err_errno(err, ERR_NO_MEMORY, errno, "cannot keep the database's password");
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    pipeline_free(db->pipeline);
    PQfinish(db->connection);
    free(db->prepared);
    free(db->application_name);
    free(db->conninfo);
    free(db);
}

// Libraries print nothing. What the server says while nothing was asked may be its goodbye.
static void receive_notice(void *context, const PGresult *result)
{
    struct db *db = context;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate && sqlstate_is_connection_lost(sqlstate))
        db->hung_up = true;
}

static void format_number(char out[static 24], int64_t number)
{
    snprintf(out, 24, "%lld", (long long)number);
}

// Keepalives and tcp_user_timeout: each alone leaves a black-holed connection waiting for ever.
static PGconn *start_connection(const struct db *db)
{
    char connect_s[24], network_ms[24], keepalive_s[24];
    int64_t network = MAX(db->network_timeout_ms, 0);
    int64_t connect_timeout_s = db->connect_timeout_ms < 0 ? 0 : MAX((db->connect_timeout_ms + 999) / 1000, 2);
    format_number(connect_s, connect_timeout_s);
    format_number(network_ms, network);
    format_number(keepalive_s, MAX(network / 3000, 1));
    const char *keywords[] = {
        "dbname",     "fallback_application_name", "connect_timeout",     "client_encoding",  "tcp_user_timeout",
        "keepalives", "keepalives_idle",           "keepalives_interval", "keepalives_count", NULL};
    const char *values[] = {db->conninfo,        db->application_name, connect_s,   "UTF8", network_ms,
                            network ? "1" : "0", keepalive_s,          keepalive_s, "2",    NULL};
    return PQconnectdbParams(keywords, values, 1);
}

static int apply_session_settings(struct db *db, struct err *err)
{
    char sql[1024];
    snprintf(
        sql, sizeof sql,
        "SET search_path = curfew; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET jit = off; "
        "SET statement_timeout = %lld; SET lock_timeout = %lld; SET idle_in_transaction_session_timeout = %lld; %s",
        (long long)MAX(db->statement_timeout_ms, 0), (long long)MAX(db->lock_timeout_ms, 0),
        (long long)MAX(db->idle_in_transaction_timeout_ms, 0), db->plans_by_index ? PLANS_BY_INDEX : "");
    if (!PQsendQuery(db->connection, sql))
        return connection_fail(db, NULL, "session settings", err);
    return exchange_collect(db, "session settings", NULL, err);
}

static int check_server(struct db *db, struct err *err)
{
    int version = PQserverVersion(db->connection);
    if (version < SERVER_VERSION_MIN)
        return err_set(err, ERR_UNSUPPORTED, "PostgreSQL %d.%d is too old: 13 or newer is needed", version / 10000,
                       version % 10000);
    if (PQsetnonblocking(db->connection, 1) != 0)
        return err_set(err, ERR_INTERNAL, "the database connection cannot be made non-blocking");
    return 0;
}

static int connect_now(struct db *db, struct err *err)
{
    db->connection = start_connection(db);
    if (!db->connection)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (PQstatus(db->connection) != CONNECTION_OK) {
        const char *message = PQerrorMessage(db->connection);
        err_set(err, ERR_UNAVAILABLE, "the database is not reachable: %.*s", (int)strcspn(message, "\n"), message);
        return -1;
    }
    PQsetNoticeReceiver(db->connection, receive_notice, db);
    db->hung_up = false;
    db->generation++;
    if (check_server(db, err) < 0)
        return -1;
    return apply_session_settings(db, err);
}

// Notices that the server has hung up: then the socket is readable though nothing was asked.
static void notice_hangup(struct db *db)
{
    struct pollfd descriptor = {.fd = PQsocket(db->connection), .events = POLLIN};
    if (poll(&descriptor, 1, 0) <= 0)
        return;
    bool ended = !PQconsumeInput(db->connection) || PQisBusy(db->connection); // PQisBusy reads what has come
    if (ended || db->hung_up || PQstatus(db->connection) != CONNECTION_OK)
        db_disconnect(db);
}

static int refuse_until_retry(const struct db *db, struct err *err)
{
    if (err)
        *err = db->connect_problem;
    return -1;
}

int db_ensure(struct db *db, struct err *err)
{
    connection_clear_error(db);
    if (db->connection)
        notice_hangup(db);
    if (db->connection)
        return 0;
    if (db->in_transaction) {
        db->in_transaction = false;
        db->error.connection_lost = true;
        return err_set(err, ERR_UNAVAILABLE, "the database connection was lost in a transaction");
    }
    if (clock_boot_ms() < db->retry_at_ms)
        return refuse_until_retry(db, err);
    if (connect_now(db, &db->connect_problem) < 0) {
        db_disconnect(db);
        db->in_transaction = false;
        db->retry_at_ms = clock_boot_ms() + backoff_next_ms(&db->backoff);
        return refuse_until_retry(db, err);
    }
    backoff_reset(&db->backoff);
    db->retry_at_ms = 0;
    connection_clear_error(db);
    return 0;
}

int db_wait_connected(struct db *db, int64_t timeout_ms, struct err *err)
{
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    struct err problem = {0};
    while (db_ensure(db, &problem) < 0) {
        int64_t now = clock_boot_ms();
        if (problem.code == ERR_UNSUPPORTED || problem.code == ERR_NO_MEMORY || now >= deadline_ms) {
            if (err)
                *err = problem;
            return -1;
        }
        int64_t retry_at_ms = MAX(db->retry_at_ms, now + 1);
        int64_t until_ms = MIN(retry_at_ms, deadline_ms);
        int64_t pause_ms = until_ms - now;
        struct timespec pause = {.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    return 0;
}

int db_set_statement_timeout(struct db *db, int64_t timeout_ms, struct err *err)
{
    char sql[64];
    db->statement_timeout_ms = timeout_ms;
    if (db_ensure(db, err) < 0)
        return -1;
    snprintf(sql, sizeof sql, "SET statement_timeout = %lld", (long long)MAX(timeout_ms, 0));
    return db_sql(db, sql, NULL, RESULT_TEXT, NULL, err);
}

int64_t db_round_trips(const struct db *db)
{
    return db->round_trips;
}

unsigned db_generation(const struct db *db)
{
    return db->generation;
}

int db_set_plans_by_index(struct db *db, struct err *err)
{
    db->plans_by_index = true;
    return db_is_connected(db) ? db_sql(db, PLANS_BY_INDEX, NULL, RESULT_TEXT, NULL, err) : 0;
}
