#include "services/common/db/migrate.h"

#include "services/common/base/clock.h"
#include "services/common/db/connection.h"
#include "services/common/db/transaction.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

// "curfew" in ASCII: the key of the advisory lock.
#define LOCK_KEY "109356814624119"
// What a migration changes it asks for so long at a time, and then leaves it to others for a moment: behind it
// everything else waits, too.
#define TABLE_LOCK_MS 2000
#define PAUSE_MS 500
#define LOCK_NOT_AVAILABLE "55P03"
#define CREATE_TABLE                                                            \
    "CREATE SCHEMA IF NOT EXISTS curfew;"                                       \
    "CREATE TABLE IF NOT EXISTS curfew.migration ("                             \
    " version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL," \
    " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"

void migrate_checksum(const char *sql, char out[static MIGRATE_CHECKSUM_SIZE])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *c = (const unsigned char *)sql; *c; c++)
        hash = (hash ^ *c) * UINT64_C(0x100000001b3);
    snprintf(out, MIGRATE_CHECKSUM_SIZE, "%016" PRIx64, hash);
}

int migrate_version(struct db *db, int *version, struct err *err)
{
    struct result table AUTO_RESULT = RESULT_INIT;
    struct result row AUTO_RESULT = RESULT_INIT;
    *version = 0;
    if (db_sql(db, "SELECT to_regclass('curfew.migration') IS NOT NULL", NULL, RESULT_BINARY, &table, err) < 0)
        return -1;
    bool exists = result_bool(&table, 0, 0);
    if (result_ok(&table, err) < 0 || !exists)
        return result_ok(&table, err);
    if (db_sql(db, "SELECT coalesce(max(version), 0) FROM curfew.migration", NULL, RESULT_BINARY, &row, err) < 0)
        return -1;
    *version = result_i32(&row, 0, 0);
    return result_ok(&row, err);
}

int migrate_check(struct db *db, const struct db_migration *migrations, size_t count, struct err *err)
{
    int version;
    int known = count ? migrations[count - 1].version : 0;
    if (migrate_version(db, &version, err) < 0)
        return -1;
    if (version < known)
        return err_set(err, ERR_CONFLICT,
                       "the schema is at version %d, this program needs %d: run 'curfew-jobmanager migrate'", version,
                       known);
    return 0;
}

static const struct db_migration *find(const struct db_migration *migrations, size_t count, int version)
{
    return version >= 1 && (size_t)version <= count ? &migrations[version - 1] : NULL;
}

// Compares what was applied with what is known. *version becomes the newest that was applied.
static int check_applied(struct db *db, const struct db_migration *migrations, size_t count, int *version,
                         struct err *err)
{
    struct result rows AUTO_RESULT = RESULT_INIT;
    if (db_sql(db, "SELECT version, checksum, name FROM curfew.migration ORDER BY version", NULL, RESULT_TEXT, &rows,
               err) < 0)
        return -1;
    *version = 0;
    for (int i = 0; i < result_rows(&rows); i++) {
        int applied = result_i32(&rows, i, 0);
        const struct db_migration *migration = find(migrations, count, applied);
        if (!migration)
            return err_set(err, ERR_CONFLICT, "the schema is at version %d, newer than this program's %zu", applied,
                           count);
        char checksum[MIGRATE_CHECKSUM_SIZE];
        migrate_checksum(migration->sql, checksum);
        if (strcmp(checksum, result_text(&rows, i, 1)) != 0)
            return err_set(err, ERR_CONFLICT, "migration %d (%s) was applied with another text than this program's",
                           applied, result_text(&rows, i, 2));
        if (applied != i + 1)
            return err_set(err, ERR_CONFLICT, "migration %d is missing below version %d", i + 1, applied);
        *version = applied;
    }
    return result_ok(&rows, err);
}

static int apply_in_transaction(struct db *db, void *context, struct err *err)
{
    const struct db_migration *migration = context;
    struct params params AUTO_PARAMS = PARAMS_INIT;
    char checksum[MIGRATE_CHECKSUM_SIZE];
    migrate_checksum(migration->sql, checksum);
    if (db_sql(db, migration->sql, NULL, RESULT_TEXT, NULL, err) < 0)
        return -1;
    params_i32(&params, migration->version);
    params_text(&params, migration->name);
    params_text(&params, checksum);
    return db_sql(db, "INSERT INTO curfew.migration (version, name, checksum) VALUES ($1, $2, $3)", &params,
                  RESULT_TEXT, NULL, err);
}

// Again while somebody else uses its tables, until `deadline_ms`.
static int apply(struct db *db, struct db_migration migration, int64_t deadline_ms, struct err *err)
{
    struct err problem;
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    while (db_transaction(db, apply_in_transaction, &migration, &problem) < 0) {
        bool is_in_use = strcmp(db_last_error(db)->sqlstate, LOCK_NOT_AVAILABLE) == 0;
        if (is_in_use && clock_boot_ms() < deadline_ms) {
            nanosleep(&pause, NULL);
            continue;
        }
        err_set(err, is_in_use ? ERR_TIMEOUT : problem.code, "migration %d (%s): %s%s", migration.version,
                migration.name, is_in_use ? "its tables are in use for too long: " : "", problem.text);
        return -1;
    }
    return 0;
}

static int apply_missing(struct db *db, const struct db_migration *migrations, size_t count, int64_t timeout_ms,
                         struct err *err)
{
    int version;
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    if (db_sql(db, CREATE_TABLE, NULL, RESULT_TEXT, NULL, err) < 0)
        return -1;
    if (check_applied(db, migrations, count, &version, err) < 0)
        return -1;
    for (size_t i = (size_t)version; i < count; i++)
        if (apply(db, migrations[i], deadline_ms, err) < 0)
            return -1;
    return (int)count - version;
}

static int set_lock_timeout(struct db *db, int64_t timeout_ms, struct err *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SET lock_timeout = %lld", (long long)timeout_ms);
    return db_sql(db, sql, NULL, RESULT_TEXT, NULL, err);
}

static int lock(struct db *db, int64_t timeout_ms, struct err *err)
{
    struct err problem;
    if (set_lock_timeout(db, 0, err) < 0 || db_set_statement_timeout(db, MAX(timeout_ms, 1), err) < 0)
        return -1;
    if (db_sql(db, "SELECT pg_advisory_lock(" LOCK_KEY ")", NULL, RESULT_TEXT, NULL, &problem) < 0) {
        if (problem.code == ERR_TIMEOUT)
            return err_set(err, ERR_TIMEOUT, "another program is migrating this database for too long");
        if (err)
            *err = problem;
        return -1;
    }
    if (set_lock_timeout(db, TABLE_LOCK_MS, err) < 0)
        return -1;
    return db_set_statement_timeout(db, -1, err); // a migration may take its time
}

int migrate_run(struct db *db, const struct db_migration *migrations, size_t count, int64_t lock_timeout_ms,
                struct err *err)
{
    int64_t statement_timeout_ms = db->statement_timeout_ms;
    int applied = -1;
    if (lock(db, lock_timeout_ms, err) == 0)
        applied = apply_missing(db, migrations, count, lock_timeout_ms, err);
    // A new session has the old settings again, and the lock went with the session.
    db_disconnect(db);
    db->statement_timeout_ms = statement_timeout_ms;
    return applied;
}
