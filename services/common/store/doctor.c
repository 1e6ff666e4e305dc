#include "services/common/store/doctor.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/base/parse.h"
#include "services/common/base/utf8.h"
#include "services/common/db/db.h"
#include "services/common/db/migrate.h"
#include "services/common/json/write.h"
#include "services/common/store/embedded.h"
#include "services/common/store/installation.h"
#include "services/common/store/metrics.h"
#include "services/common/store/read_common.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define SKEW_WARNS_MS 1000
#define SNAPSHOT_WARNS_S 300
#define LAG_WARNS_S 10
#define FREEZE_WARNS INT64_C(1000000000)
#define FREEZE_IS_WRONG INT64_C(1800000000)

enum doctor_column {
    NOW,
    STANDBY,
    AUTOVACUUM,
    CONNECTIONS,
    CONNECTIONS_MAX,
    SNAPSHOT_SECONDS,
    PREPARED,
    SLOTS,
    FREEZE_AGE,
    REAPER,
    TROUBLE,
    UNWATCHED,
};

struct facts {
    struct installation installation;
    struct store_metrics metrics;
    struct result row;
    int64_t skew_ms;   // manager's clock minus the database's
    struct err schema; // ERR_NONE-like: text "" when it is as it should be
    int schema_version;
};

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_WRONG };
static const char *const verdict_names[] = {"ok", "warning", "wrong"};

// One finding; the advice is left out when all is well.
static void finding(struct strbuf *out, const char *check, enum verdict verdict, const char *advice, const char *format,
                    ...) PRINTF_LIKE(5, 6);

static void finding(struct strbuf *out, const char *check, enum verdict verdict, const char *advice, const char *format,
                    ...)
{
    char found[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(found, sizeof found, format, arguments);
    utf8_cut(found);
    va_end(arguments);
    json_open(out, NULL, '{');
    json_text(out, "check", check);
    json_text(out, "verdict", verdict_names[verdict]);
    json_text(out, "found", found);
    json_text(out, "advice", verdict == VERDICT_OK ? NULL : advice);
    json_close(out, '}');
}

// ---- the database

static void check_schema(struct strbuf *out, const struct facts *facts)
{
    bool fine = !facts->schema.text[0];
    finding(out, "schema", fine ? VERDICT_OK : VERDICT_WRONG, "run `jobmanager migrate`", "%s%sversion %d",
            facts->schema.text, fine ? "" : "; ", facts->schema_version);
}

static void check_durability(struct strbuf *out, const struct facts *facts)
{
    const struct installation *now = &facts->installation;
    bool safe = now->fsync && now->full_page_writes;
    finding(out, "durability", safe ? now->synchronous_commit ? VERDICT_OK : VERDICT_WARNING : VERDICT_WRONG,
            safe ? "set synchronous_commit = on: what was acknowledged last is lost with the database's machine"
                 : "set fsync and full_page_writes to on: a crash of the machine can destroy the database",
            "fsync %s, full_page_writes %s, synchronous_commit %s", now->fsync ? "on" : "off",
            now->full_page_writes ? "on" : "off", now->synchronous_commit ? "on" : "off");
}

static void check_vacuum(struct strbuf *out, struct facts *facts)
{
    struct result *row = &facts->row;
    bool vacuums = result_bool(row, 0, AUTOVACUUM);
    finding(out, "autovacuum", vacuums ? VERDICT_OK : VERDICT_WRONG,
            "set autovacuum and track_counts to on: a queue that is not vacuumed gets slower with each task", "%s",
            vacuums ? "on" : "off");
    int64_t age = result_i64(row, 0, FREEZE_AGE);
    finding(out, "wraparound",
            age < FREEZE_WARNS      ? VERDICT_OK
            : age < FREEZE_IS_WRONG ? VERDICT_WARNING
                                    : VERDICT_WRONG,
            "find out what keeps autovacuum from freezing: old transactions, slots, or not enough workers",
            "oldest transaction id is %" PRId64 " back", age);
}

static void check_snapshots(struct strbuf *out, struct facts *facts)
{
    struct result *row = &facts->row;
    double seconds = result_double(row, 0, SNAPSHOT_SECONDS);
    int64_t prepared = result_i64(row, 0, PREPARED), slots = result_i64(row, 0, SLOTS);
    finding(out, "snapshots", seconds > SNAPSHOT_WARNS_S || prepared || slots ? VERDICT_WARNING : VERDICT_OK,
            "end what holds it (pg_stat_activity, pg_prepared_xacts, pg_replication_slots): nothing newer is vacuumed",
            "oldest held for %.0f s; %" PRId64 " prepared transactions, %" PRId64 " abandoned slots", seconds, prepared,
            slots);
}

static void check_connections(struct strbuf *out, struct facts *facts)
{
    int64_t used = result_i64(&facts->row, 0, CONNECTIONS), most = result_i64(&facts->row, 0, CONNECTIONS_MAX);
    finding(out, "connections", used * 10 < most * 9 ? VERDICT_OK : VERDICT_WARNING,
            "raise max_connections, or end what uses them", "%" PRId64 " of %" PRId64, used, most);
    bool standby = result_bool(&facts->row, 0, STANDBY);
    finding(out, "primary", standby ? VERDICT_WRONG : VERDICT_OK, "give the manager the address of the primary", "%s",
            standby ? "the manager reads a standby" : "yes");
}

static void check_clock(struct strbuf *out, const struct facts *facts)
{
    int64_t skew_ms = facts->skew_ms < 0 ? -facts->skew_ms : facts->skew_ms;
    finding(out, "clocks", skew_ms < SKEW_WARNS_MS ? VERDICT_OK : VERDICT_WARNING,
            "synchronise the clocks: leases go by the database's alone, but logs and ids do not",
            "the manager's is %" PRId64 " ms %s the database's", skew_ms, facts->skew_ms < 0 ? "behind" : "ahead of");
}

// ---- the programs

static void check_reaper(struct strbuf *out, struct facts *facts)
{
    const char *holder = result_text_or_null(&facts->row, 0, REAPER);
    finding(out, "reaper", holder ? VERDICT_OK : VERDICT_WRONG,
            "start a reaper: nothing else gives up lost workers, keeps deadlines and verifies what has stopped", "%s%s",
            holder ? "leads: " : "none leads", holder ? holder : "");
    double lag = facts->metrics.reaper_lag_seconds;
    finding(out, "reaper_lag", lag < LAG_WARNS_S ? VERDICT_OK : VERDICT_WARNING,
            "look at the reaper's log, and at what the database is busy with", "%.1f s", lag);
}

static void check_workers(struct strbuf *out, struct facts *facts)
{
    const int64_t *workers = facts->metrics.workers;
    int64_t bad = workers[WORKER_SUSPECT] + workers[WORKER_QUARANTINED];
    finding(out, "workers", bad || !workers[WORKER_READY] ? VERDICT_WARNING : VERDICT_OK,
            bad ? "`curfew workers`, then `curfew why --worker W`" : "start a worker, or take a drain back",
            "%" PRId64 " ready, %" PRId64 " draining, %" PRId64 " suspect, %" PRId64 " quarantined, %" PRId64 " lost",
            workers[WORKER_READY], workers[WORKER_DRAINING], workers[WORKER_SUSPECT], workers[WORKER_QUARANTINED],
            workers[WORKER_LOST]);
    const char *trouble = result_text_or_null(&facts->row, 0, TROUBLE);
    finding(out, "runtimes", trouble ? VERDICT_WARNING : VERDICT_OK, "mend what the worker says", "%.300s",
            trouble ? trouble : "no worker has trouble with one");
}

static const char *engines_advice(const struct store_metrics *metrics, int64_t unwatched)
{
    if (metrics->engines_refused)
        return "is this the right database for that engine? The reaper's log says what it did not remove";
    if (unwatched)
        return "give a reaper the engine: without one, containers of a lost worker wait for its return";
    if (metrics->engine_orphans)
        return "wait for the reaper's next looks; its log says what it does";
    return "start the container engine again, it has lost count of what is in them; the reaper's log names them";
}

static void check_engines(struct strbuf *out, struct facts *facts)
{
    int64_t unwatched = result_i64(&facts->row, 0, UNWATCHED);
    const struct store_metrics *metrics = &facts->metrics;
    bool wrong = metrics->engines_refused > 0;
    bool fine = !unwatched && !metrics->engine_orphans && !metrics->engine_networks_kept;
    finding(out, "engines",
            wrong  ? VERDICT_WRONG
            : fine ? VERDICT_OK
                   : VERDICT_WARNING,
            engines_advice(metrics, unwatched),
            "%" PRId64 " workers with an engine that no reaper watches, %" PRId64 " containers that no row wants, "
            "%" PRId64 " engines with too many of them, %" PRId64 " networks that are empty and cannot be removed",
            unwatched, metrics->engine_orphans, metrics->engines_refused, metrics->engine_networks_kept);
}

static void check_leaks(struct strbuf *out, const struct facts *facts)
{
    int64_t leaked = facts->metrics.leaked_services, stuck = facts->metrics.jobs_stuck;
    finding(out, "leaks", leaked || stuck ? VERDICT_WRONG : VERDICT_OK, "`curfew leaks`, then `curfew why JOB`",
            "%" PRId64 " services outlive their job, %" PRId64 " jobs have one that would not die", leaked, stuck);
}

// ----

static int gather(struct db *db, struct facts *facts, struct err *err)
{
    struct err schema = {0};
    if (migrate_version(db, &facts->schema_version, err) < 0)
        return -1;
    if (migrate_check(db, store_migrations, store_migration_count, &schema) < 0) {
        if (schema.code != ERR_CONFLICT) {
            *err = schema;
            return -1;
        }
        facts->schema = schema;
    }
    if (installation_read(db, &facts->installation, err) < 0 || metrics_read(db, &facts->metrics, err) < 0)
        return -1;
    int64_t before_us = clock_wall_us();
    if (db_query(db, STATEMENT_DOCTOR, NULL, RESULT_BINARY, &facts->row, err) < 0)
        return -1;
    int64_t middle_us = before_us + (clock_wall_us() - before_us) / 2;
    facts->skew_ms = (middle_us - result_time_us(&facts->row, 0, NOW)) / 1000;
    return result_ok(&facts->row, err);
}

static void write_findings(struct strbuf *out, struct facts *facts)
{
    json_open(out, NULL, '{');
    json_text(out, "deployment", facts->installation.deployment);
    row_when(out, "at", &facts->row, 0, NOW);
    json_open(out, "findings", '[');
    check_schema(out, facts);
    check_durability(out, facts);
    check_vacuum(out, facts);
    check_snapshots(out, facts);
    check_connections(out, facts);
    check_clock(out, facts);
    check_reaper(out, facts);
    check_workers(out, facts);
    check_engines(out, facts);
    check_leaks(out, facts);
    json_close(out, ']');
    json_close(out, '}');
}

int doctor_read(struct db *db, struct strbuf *out, struct err *err)
{
    struct facts facts = {.row = RESULT_INIT};
    int outcome = gather(db, &facts, err);
    if (outcome >= 0) {
        write_findings(out, &facts);
        outcome = read_done(&facts.row, out, err);
    }
    result_release(&facts.row);
    return outcome;
}
