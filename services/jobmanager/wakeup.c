#include "services/jobmanager/wakeup.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/base/log.h"
#include "services/common/db/listen.h"
#include "services/common/db/notifier.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define TAG_SIZE 16
#define NOTIFY_INTERVAL_MS 5 // under load; the first after a quiet time goes at once

struct wakeup {
    struct polls *polls;
    struct watches *watches;
    struct notifier *notifier;
    struct listen *listen;
    int stop_fd;
    pthread_t thread;
    bool running;
    char tag[TAG_SIZE]; // " @" and this replica's mark: our own notifications come back to us
};

static void wake_here(struct wakeup *wakeup, const struct wake *wake)
{
    if (wake->kind == WAKE_JOB)
        watches_wake(wakeup->watches, wake->id);
    else
        polls_wake(wakeup->polls, wake);
}

void wakeup_deliver(struct wakeup *wakeup, const struct wakes *wakes)
{
    for (size_t i = 0; i < wakes->count; i++) {
        char text[WAKE_TEXT_SIZE], item[WAKE_TEXT_SIZE + TAG_SIZE];
        wake_here(wakeup, &wakes->items[i]);
        wake_format(&wakes->items[i], text);
        snprintf(item, sizeof(item), "%s%s", text, wakeup->tag);
        notifier_send(wakeup->notifier, item);
    }
}

// ---- hearing others

static void heard(void *context, const char *item)
{
    struct wakeup *wakeup = context;
    char text[WAKE_TEXT_SIZE];
    const char *tag = strchr(item, ' ');
    size_t length = tag ? (size_t)(tag - item) : strlen(item);
    struct wake wake;
    if ((tag && strcmp(tag, wakeup->tag) == 0) || length >= sizeof(text))
        return;
    memcpy(text, item, length);
    text[length] = '\0';
    if (wake_parse(text, &wake, NULL) == 0)
        wake_here(wakeup, &wake);
}

static void *wakeup_main(void *context)
{
    struct wakeup *wakeup = context;
    bool was_down = false;
    struct err err;
    for (;;) {
        int outcome = listen_wait(wakeup->listen, -1, wakeup->stop_fd, heard, wakeup, &err);
        if (outcome == LISTEN_WOKEN)
            return NULL;
        if (outcome < 0) {
            log_event(LOG_ERROR, "notifications cannot be heard", "error", err.text, NULL);
            return NULL;
        }
        if (outcome == LISTEN_DOWN && !was_down)
            log_event(LOG_WARN, "the database is away", "error", err.text, NULL);
        if (outcome == LISTEN_MISSED) {
            polls_wake_all(wakeup->polls);
            watches_wake_all(wakeup->watches);
        }
        was_down = outcome == LISTEN_DOWN;
    }
}

// ---- start and stop

static int tag_make(char out[static TAG_SIZE], struct err *err)
{
    uint32_t mark;
    if (random_bytes(&mark, sizeof(mark), err) < 0)
        return -1;
    snprintf(out, TAG_SIZE, " @%08x", mark);
    return 0;
}

static int open_all(struct wakeup *wakeup, const char *database_url, struct err *err)
{
    wakeup->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (wakeup->stop_fd < 0)
        return err_errno(err, ERR_IO, errno, "eventfd");
    if (tag_make(wakeup->tag, err) < 0 || listen_open(database_url, WAKE_CHANNEL, &wakeup->listen, err) < 0 ||
        notifier_open(database_url, WAKE_CHANNEL, NOTIFY_INTERVAL_MS, &wakeup->notifier, err) < 0)
        return -1;
    int failed = pthread_create(&wakeup->thread, NULL, wakeup_main, wakeup);
    if (failed)
        return err_errno(err, ERR_UNAVAILABLE, failed, "cannot start the listening thread");
    wakeup->running = true;
    return 0;
}

int wakeup_start(const char *database_url, struct polls *polls, struct watches *watches, struct wakeup **out,
                 struct err *err)
{
    struct wakeup *wakeup = calloc(1, sizeof(*wakeup));
    if (!wakeup)
        return err_set(err, ERR_NO_MEMORY, "no memory for wakes");
    wakeup->polls = polls;
    wakeup->watches = watches;
    if (open_all(wakeup, database_url, err) < 0) {
        wakeup_stop(wakeup);
        return -1;
    }
    *out = wakeup;
    return 0;
}

void wakeup_stop(struct wakeup *wakeup)
{
    if (!wakeup)
        return;
    if (wakeup->running) {
        eventfd_write(wakeup->stop_fd, 1);
        pthread_join(wakeup->thread, NULL);
    }
    notifier_close(wakeup->notifier);
    listen_close(wakeup->listen);
    cleanup_close(&wakeup->stop_fd);
    free(wakeup);
}
