#include "services/reaper/engine_thread.h"

#include "services/common/base/log.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/db/notifier.h"
#include "services/common/store/embedded.h"
#include "services/common/store/wakes.h"
#include "services/reaper/rounds.h"

#include <stdbool.h>
#include <stdlib.h>

#define CHANNEL "curfew"
#define ROUND_MS ((int64_t)1000) // less when the leadership has to be renewed more often

struct engine_thread {
    struct engine_watch_settings settings;
    struct rounds *rounds;
    bool in_trouble;
    struct db *db;
    struct notifier *notifier;
    struct engine_watch *watch;
};

static void note(struct engine_thread *thread, bool failed, const struct err *err)
{
    if (failed && !thread->in_trouble)
        log_event(LOG_WARN, "cannot watch the container engine, trying again", "error", err->text, NULL);
    if (!failed && thread->in_trouble)
        log_event(LOG_INFO, "watching the container engine again", NULL);
    thread->in_trouble = failed;
}

static int prepare(struct engine_thread *thread, struct err *err)
{
    const struct db_options options = {
        .application_name = "curfew-reaper-engine",
        .statements = store_statements,
        .statement_count = STATEMENT_COUNT,
    };
    if (!thread->db && db_open(thread->settings.database_url, &options, &thread->db, err) < 0)
        return -1;
    if (!thread->notifier && notifier_open(thread->settings.database_url, CHANNEL, 0, &thread->notifier, err) < 0)
        return -1;
    return thread->watch ? 0 : engine_watch_new(&thread->settings, thread->db, &thread->watch, err);
}

static void send_wakes(struct engine_thread *thread, struct wakes *wakes)
{
    for (size_t i = 0; i < wakes->count; i++) {
        char text[WAKE_TEXT_SIZE];
        wake_format(&wakes->items[i], text);
        notifier_send(thread->notifier, text);
    }
}

static int64_t look(void *context)
{
    struct engine_thread *thread = context;
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct err err = {0};
    int outcome = prepare(thread, &err);
    if (outcome >= 0)
        outcome = engine_watch_round(thread->watch, &wakes, &err);
    note(thread, outcome < 0, &err);
    if (thread->notifier)
        send_wakes(thread, &wakes); // of what was committed, though a later part may have failed
    return MIN(ROUND_MS, thread->settings.term_ms / 3);
}

static void release(struct engine_thread *thread)
{
    engine_watch_free(thread->watch);
    notifier_close(thread->notifier);
    db_close(thread->db);
    free(thread);
}

int engine_thread_start(const struct engine_watch_settings *settings, struct engine_thread **out, struct err *err)
{
    struct engine_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return err_set(err, ERR_NO_MEMORY, "no memory to watch an engine");
    thread->settings = *settings;
    if (rounds_start(look, thread, &thread->rounds, err) < 0) {
        release(thread);
        return -1;
    }
    *out = thread;
    return 0;
}

void engine_thread_stop(struct engine_thread *thread)
{
    if (!thread)
        return;
    rounds_stop(thread->rounds);
    release(thread);
}
