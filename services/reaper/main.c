// curfew-reaper: runs the sweeps of sweeps.c while it leads, on a loop with a timer per sweep and one for the
// leadership. A second thread watches a container engine, a third one exports traces, if there is where to. Keeps
// nothing: killed at any moment, another one goes on from the database.
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/loop.h"
#include "services/common/base/pulse.h"
#include "services/common/db/db.h"
#include "services/common/db/migrate.h"
#include "services/common/db/notifier.h"
#include "services/common/store/embedded.h"
#include "services/reaper/engine_thread.h"
#include "services/reaper/leadership.h"
#include "services/reaper/settings.h"
#include "services/reaper/sweeps.h"
#include "services/reaper/trace_thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define START_WAIT_MS 60000
#define CHANNEL "curfew"

struct reaper;

struct sweep_timer {
    struct reaper *reaper;
    const struct sweep_entry *entry;
    struct loop_timer *timer;
};

struct reaper {
    struct reaper_settings settings;
    struct pulse pulse; // healthy: the database has said who leads within the last term
    struct loop *loop;
    struct db *db;
    struct notifier *notifier;
    struct leadership leadership;
    struct loop_timer *leadership_timer;
    struct sweep_timer *sweeps;
    struct engine_thread *engine; // NULL: none is watched
    struct trace_thread *traces;  // NULL: none are exported
    struct wakes wakes;
    bool in_trouble; // the last call failed, and was logged
};

// Logs the first failure of a row of them and the recovery, not each.
static void note_result(struct reaper *reaper, const char *what, bool failed, const struct err *err)
{
    if (failed && !reaper->in_trouble)
        log_event(LOG_WARN, "failed, trying again", "what", what, "error", err->text, NULL);
    if (!failed && reaper->in_trouble)
        log_event(LOG_INFO, "recovered", "what", what, NULL);
    reaper->in_trouble = failed;
}

static void send_wakes(struct reaper *reaper)
{
    for (size_t i = 0; i < reaper->wakes.count; i++) {
        char text[WAKE_TEXT_SIZE];
        wake_format(&reaper->wakes.items[i], text);
        notifier_send(reaper->notifier, text);
    }
    wakes_clear(&reaper->wakes);
}

static int run_sweep(struct reaper *reaper, const struct sweep_entry *entry)
{
    const struct sweep sweep = {
        .db = reaper->db,
        .leader = reaper->leadership.name,
        .epoch = reaper->leadership.epoch,
        .limit = (int)reaper->settings.limit,
        .wakes = &reaper->wakes,
    };
    struct err err = {0};
    int handled = entry->run(&sweep, &reaper->settings, &err);
    if (handled < 0 && err.code == ERR_STALE) {
        leadership_drop(&reaper->leadership);
        log_event(LOG_WARN, "another reaper leads", "sweep", entry->name, NULL);
    } else {
        note_result(reaper, entry->name, handled < 0, &err);
    }
    if (handled > 0)
        log_event(LOG_DEBUG, "swept", "sweep", entry->name, "handled", LOG_NUMBER(handled), NULL);
    send_wakes(reaper); // of what was committed, though a later part may have failed
    return handled;
}

static void on_sweep(void *context)
{
    struct sweep_timer *timer = context;
    struct reaper *reaper = timer->reaper;
    int handled = leadership_holds(&reaper->leadership) ? run_sweep(reaper, timer->entry) : 0;
    bool more = handled >= reaper->settings.limit;
    loop_timer_arm(timer->timer, clock_boot_ms() + (more ? 0 : timer->entry->interval_ms));
}

static void on_leadership(void *context)
{
    struct reaper *reaper = context;
    struct err err = {0};
    int64_t asked_at_ms = clock_boot_ms();
    int change = leadership_renew(&reaper->leadership, reaper->db, &err);
    note_result(reaper, "leadership", change < 0, &err);
    if (change >= 0)
        pulse_beat(&reaper->pulse, asked_at_ms + reaper->settings.term_ms);
    if (change == LEADERSHIP_GAINED)
        log_event(LOG_INFO, "leading", "epoch", LOG_NUMBER(reaper->leadership.epoch), NULL);
    if (change == LEADERSHIP_LOST)
        log_event(LOG_WARN, "no longer leading", NULL);
    loop_timer_arm(reaper->leadership_timer, clock_boot_ms() + reaper->settings.term_ms / 4);
}

static void on_signal(void *context, int signal_number)
{
    struct reaper *reaper = context;
    log_event(LOG_INFO, "stopping", "signal", LOG_NUMBER(signal_number), NULL);
    loop_stop(reaper->loop);
}

static int add_timers(struct reaper *reaper, struct err *err)
{
    if (loop_timer_add(reaper->loop, on_leadership, reaper, &reaper->leadership_timer, err) < 0)
        return -1;
    loop_timer_arm(reaper->leadership_timer, clock_boot_ms());
    reaper->sweeps = calloc(sweep_table_count, sizeof *reaper->sweeps);
    if (!reaper->sweeps)
        return err_set(err, ERR_NO_MEMORY, "no memory for the sweeps");
    for (size_t i = 0; i < sweep_table_count; i++) {
        struct sweep_timer *timer = &reaper->sweeps[i];
        *timer = (struct sweep_timer){.reaper = reaper, .entry = &sweep_table[i]};
        if (loop_timer_add(reaper->loop, on_sweep, timer, &timer->timer, err) < 0)
            return -1;
        loop_timer_arm(timer->timer, clock_boot_ms());
    }
    return 0;
}

static int open_database(struct reaper *reaper, struct err *err)
{
    const struct db_options options = {
        .application_name = "curfew-reaper",
        .statements = store_statements,
        .statement_count = STATEMENT_COUNT,
    };
    const char *url = reaper->settings.database_url;
    if (db_open(url, &options, &reaper->db, err) < 0 || db_wait_connected(reaper->db, START_WAIT_MS, err) < 0)
        return -1;
    if (migrate_check(reaper->db, store_migrations, store_migration_count, err) < 0)
        return -1;
    return notifier_open(url, CHANNEL, 0, &reaper->notifier, err);
}

static int watch_engine(struct reaper *reaper, struct err *err)
{
    const struct engine_watch_settings settings = {
        .url = reaper->settings.engine,
        .database_url = reaper->settings.database_url,
        .term_ms = reaper->settings.term_ms,
        .patience_ms = reaper->settings.patience_ms,
        .limit = (int)reaper->settings.limit,
    };
    return settings.url && *settings.url ? engine_thread_start(&settings, &reaper->engine, err) : 0;
}

static int export_traces(struct reaper *reaper, struct err *err)
{
    const struct trace_export_settings settings = {
        .endpoint = reaper->settings.otlp_endpoint,
        .token = reaper->settings.otlp_token,
        .term_ms = reaper->settings.term_ms,
        .limit = (int)reaper->settings.limit,
    };
    if (!settings.endpoint || !*settings.endpoint)
        return 0;
    return trace_thread_start(&settings, reaper->settings.database_url, &reaper->traces, err);
}

static int reaper_run(struct reaper *reaper, struct err *err)
{
    const int signals[] = {SIGTERM, SIGINT};
    if (loop_new(&reaper->loop, err) < 0 ||
        loop_signals(reaper->loop, signals, ARRAY_LEN(signals), on_signal, reaper, err) < 0)
        return -1;
    if (reaper->settings.health_file && pulse_open(&reaper->pulse, reaper->settings.health_file, err) < 0)
        return -1;
    if (open_database(reaper, err) < 0)
        return -1;
    if (leadership_init(&reaper->leadership, "reaper", reaper->settings.term_ms, err) < 0 ||
        add_timers(reaper, err) < 0 || watch_engine(reaper, err) < 0 || export_traces(reaper, err) < 0)
        return -1;
    log_event(LOG_INFO, "ready", "holder", reaper->leadership.holder, NULL);
    int outcome = loop_run(reaper->loop, err);
    leadership_give_up(&reaper->leadership, reaper->db);
    return outcome;
}

static void reaper_release(struct reaper *reaper)
{
    engine_thread_stop(reaper->engine);
    trace_thread_stop(reaper->traces);
    loop_free(reaper->loop);
    pulse_close(&reaper->pulse);
    notifier_close(reaper->notifier);
    db_close(reaper->db);
    wakes_release(&reaper->wakes);
    free(reaper->sweeps);
    config_release(&reaper_settings_table, &reaper->settings);
}

static int health(const struct reaper *reaper, struct err *err)
{
    const char *path = reaper->settings.health_file;
    return path ? pulse_check(path, err) : err_set(err, ERR_INVALID, "setting health-file is missing");
}

static int configure(struct reaper *reaper, int argc, char **argv, struct err *err)
{
    int outcome = config_load(&reaper_settings_table, argc, argv, &reaper->settings, NULL, err);
    if (outcome != 0)
        return outcome;
    if (log_setup("curfew-reaper", reaper->settings.log_level, reaper->settings.log_format, err) < 0)
        return -1;
    return db_password_use(reaper->settings.database_password, err);
}

int main(int argc, char **argv)
{
    struct reaper reaper = {.pulse = PULSE_INIT};
    struct err err = {0};
    log_init("curfew-reaper", LOG_INFO, LOG_KEY_VALUE);
    // The command takes the place of the program's name: what follows are settings.
    int is_health = argc > 1 && strcmp(argv[1], "health") == 0;
    int outcome = configure(&reaper, argc - is_health, argv + is_health, &err);
    bool usage = outcome < 0;
    if (outcome == 0)
        outcome = is_health ? health(&reaper, &err) : reaper_run(&reaper, &err);
    if (outcome < 0)
        log_event(LOG_ERROR, is_health ? "not healthy" : "ended", "error", err.text, NULL);
    reaper_release(&reaper);
    return outcome >= 0 ? 0 : usage ? 2 : 1;
}
