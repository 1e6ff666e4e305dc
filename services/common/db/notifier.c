#include "services/common/db/notifier.h"

#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "services/common/db/channel.h"
#include "services/common/db/db.h"
#include "services/common/db/notify_batch.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define INTERVAL_MS 2
#define RETRY_MS 100

struct notifier {
    struct db *db; // the thread's
    char channel[CHANNEL_SIZE];
    int64_t interval_ms;
    pthread_t thread;

    pthread_mutex_t mutex; // guards what follows
    pthread_cond_t changed;
    struct notify_batch *waiting;
    bool stopping;
};

static int send_batch(struct notifier *notifier, const struct notify_batch *batch, struct err *err)
{
    struct params params AUTO_PARAMS = PARAMS_INIT;
    params_text(&params, notifier->channel);
    notify_batch_payloads(batch, &params);
    return db_sql(notifier->db, "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload", &params,
                  RESULT_TEXT, NULL, err);
}

// With the mutex held: until `due_ms`, or until the notifier is closed.
static void wait_until_due(struct notifier *notifier, int64_t due_ms)
{
    int64_t left;
    while (!notifier->stopping && (left = due_ms - clock_boot_ms()) > 0) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t nanoseconds = until.tv_nsec + left % 1000 * 1000000;
        until.tv_sec += left / 1000 + nanoseconds / 1000000000;
        until.tv_nsec = nanoseconds % 1000000000;
        pthread_cond_timedwait(&notifier->changed, &notifier->mutex, &until);
    }
}

// Waits for something to send and takes it. False when the notifier is closed and nothing is left.
static bool take_batch(struct notifier *notifier, int64_t due_ms, struct notify_batch **batch)
{
    pthread_mutex_lock(&notifier->mutex);
    wait_until_due(notifier, due_ms);
    while (!notifier->stopping && notify_batch_is_empty(notifier->waiting))
        pthread_cond_wait(&notifier->changed, &notifier->mutex);
    bool something = !notify_batch_is_empty(notifier->waiting);
    struct notify_batch *taken = notifier->waiting;
    notifier->waiting = *batch;
    *batch = taken;
    pthread_mutex_unlock(&notifier->mutex);
    return something;
}

// What could not be sent is replaced by the word that listeners should look at everything.
static bool keep_for_retry(struct notifier *notifier)
{
    pthread_mutex_lock(&notifier->mutex);
    notify_batch_add(notifier->waiting, NOTIFIER_EVERYTHING);
    bool stopping = notifier->stopping;
    pthread_mutex_unlock(&notifier->mutex);
    return !stopping;
}

static void *run(void *context)
{
    struct notifier *notifier = context;
    struct notify_batch *batch = notify_batch_new();
    int64_t due_ms = 0;
    while (batch && take_batch(notifier, due_ms, &batch)) {
        bool sent = send_batch(notifier, batch, NULL) == 0;
        due_ms = clock_boot_ms() + (sent ? notifier->interval_ms : RETRY_MS);
        notify_batch_clear(batch);
        if (!sent && !keep_for_retry(notifier))
            break;
    }
    notify_batch_free(batch);
    return NULL;
}

static int start_thread(struct notifier *notifier, struct err *err)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&notifier->mutex, NULL);
    pthread_cond_init(&notifier->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int problem = pthread_create(&notifier->thread, NULL, run, notifier);
    return problem ? err_errno(err, ERR_IO, problem, "the notifier's thread") : 0;
}

static void free_notifier(struct notifier *notifier)
{
    if (!notifier)
        return;
    db_close(notifier->db);
    notify_batch_free(notifier->waiting);
    free(notifier);
}
DEFINE_CLEANUP(struct notifier *, free_notifier);

int notifier_open(const char *conninfo, const char *channel, int64_t interval_ms, struct notifier **out,
                  struct err *err)
{
    static const struct db_options options = {.application_name = "curfew notify", .statement_timeout_ms = 5000};
    if (channel_check(channel, err) < 0)
        return -1;
    struct notifier *notifier CLEANUP(cleanup_free_notifier) = calloc(1, sizeof *notifier);
    if (!notifier || !(notifier->waiting = notify_batch_new()))
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    snprintf(notifier->channel, sizeof notifier->channel, "%s", channel);
    notifier->interval_ms = interval_ms > 0 ? interval_ms : INTERVAL_MS;
    if (db_open(conninfo, &options, &notifier->db, err) < 0 || start_thread(notifier, err) < 0)
        return -1;
    *out = TAKE_PTR(notifier);
    return 0;
}

void notifier_close(struct notifier *notifier)
{
    if (!notifier)
        return;
    pthread_mutex_lock(&notifier->mutex);
    notifier->stopping = true;
    pthread_cond_signal(&notifier->changed);
    pthread_mutex_unlock(&notifier->mutex);
    pthread_join(notifier->thread, NULL);
    pthread_cond_destroy(&notifier->changed);
    pthread_mutex_destroy(&notifier->mutex);
    free_notifier(notifier);
}

void notifier_send(struct notifier *notifier, const char *item)
{
    pthread_mutex_lock(&notifier->mutex);
    if (notify_batch_is_empty(notifier->waiting))
        pthread_cond_signal(&notifier->changed);
    notify_batch_add(notifier->waiting, item);
    pthread_mutex_unlock(&notifier->mutex);
}
