// curfew-jobmanager migrate: creates the schema, or brings it up to this program's version.
#include "services/jobmanager/commands.h"

#include "services/common/db/migrate.h"
#include "services/common/store/embedded.h"

#define LOCK_TIMEOUT_MS 60000

static int migrate(const struct settings *settings, struct err *err)
{
    struct db_options options = {.application_name = "curfew-jobmanager migrate", .statement_timeout_ms = -1};
    AUTO_DB struct db *db = NULL;
    if (db_open(settings->database_url, &options, &db, err) < 0 ||
        db_wait_connected(db, settings->wait_database_ms, err) < 0)
        return -1;
    return migrate_run(db, store_migrations, store_migration_count, LOCK_TIMEOUT_MS, err);
}

int command_migrate(const struct settings *settings)
{
    struct err err;
    int applied = migrate(settings, &err);
    if (applied < 0) {
        log_event(LOG_ERROR, "cannot migrate", "error", err.text, NULL);
        return 1;
    }
    log_event(LOG_INFO, "the schema is up to date", "applied", LOG_NUMBER(applied), NULL);
    return 0;
}
