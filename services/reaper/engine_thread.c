#include "services/reaper/engine_thread.h"

#include "services/common/base/log.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/db/notifier.h"
#include "services/common/store/embedded.h"
#include "services/common/store/wakes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANNEL "curfew"
#define ROUND_MS ((int64_t)1000) // less when the leadership has to be renewed more often

struct engine_thread {
    struct engine_watch_settings settings;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool stopping;
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

static void look(struct engine_thread *thread)
{
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct err err = {0};
    int outcome = prepare(thread, &err);
    if (outcome >= 0)
        outcome = engine_watch_round(thread->watch, &wakes, &err);
    note(thread, outcome < 0, &err);
    if (thread->notifier)
        send_wakes(thread, &wakes); // of what was committed, though a later part may have failed
}

// True when the thread shall end.
static bool rest(struct engine_thread *thread)
{
    struct timespec until;
    int64_t round_ms = MIN(ROUND_MS, thread->settings.term_ms / 3);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += round_ms % 1000 * 1000000;
    until.tv_sec += round_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&thread->mutex);
    int outcome = 0;
    while (!thread->stopping && outcome == 0)
        outcome = pthread_cond_timedwait(&thread->stop, &thread->mutex, &until);
    bool stopping = thread->stopping;
    pthread_mutex_unlock(&thread->mutex);
    return stopping;
}

static void *run(void *context)
{
    struct engine_thread *thread = context;
    do
        look(thread);
    while (!rest(thread));
    return NULL;
}

static void release(struct engine_thread *thread)
{
    engine_watch_free(thread->watch);
    notifier_close(thread->notifier);
    db_close(thread->db);
    pthread_cond_destroy(&thread->stop);
    pthread_mutex_destroy(&thread->mutex);
    free(thread);
}

int engine_thread_start(const struct engine_watch_settings *settings, struct engine_thread **out, struct err *err)
{
    pthread_condattr_t attributes;
    struct engine_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return err_set(err, ERR_NO_MEMORY, "no memory to watch an engine");
    thread->settings = *settings;
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    int number = pthread_create(&thread->thread, NULL, run, thread);
    if (number != 0) {
        release(thread);
        return err_set(err, ERR_UNAVAILABLE, "no thread to watch an engine: %s", strerror(number));
    }
    *out = thread;
    return 0;
}

void engine_thread_stop(struct engine_thread *thread)
{
    if (!thread)
        return;
    pthread_mutex_lock(&thread->mutex);
    thread->stopping = true;
    pthread_cond_signal(&thread->stop);
    pthread_mutex_unlock(&thread->mutex);
    pthread_join(thread->thread, NULL);
    release(thread);
}
