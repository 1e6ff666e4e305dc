#include "services/jobmanager/feed.h"

#include "services/common/base/arena.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/jobmanager/keyring.h"

#include <stdlib.h>
#include <string.h>

#define HIGH_WATER_BYTES ((size_t)256 << 10)

static void feed_free(void *context)
{
    struct feed *feed = context;
    gzip_free(feed->gzip);
    arena_free(feed->arena);
    free(feed);
}

// The feed may be gone afterwards.
static void finish(struct feed *feed, bool complete)
{
    AUTO_STRBUF struct strbuf tail = STRBUF_INIT;
    if (complete && feed->gzip) {
        gzip_end(feed->gzip, &tail);
        complete = !tail.failed && http_stream_write(feed->stream, tail.data, tail.length) != HTTP_STREAM_DEAD;
    }
    watches_remove(feed->app->watches, &feed->watch);
    http_stream_end(feed->stream, complete);
}

static void run_again(struct watch *watch)
{
    struct feed *feed = CONTAINER_OF(watch, struct feed, watch);
    pool_add_admitted(feed->app->pool, &feed->task);
}

static void rest(struct feed *feed)
{
    const struct settings *settings = feed->app->settings;
    int64_t due_ms = clock_boot_ms() + MIN(settings->poll_ms, settings->stream_heartbeat_ms);
    if (watches_rest(feed->app->watches, &feed->watch, due_ms) == REST_AGAIN)
        pool_add_admitted(feed->app->pool, &feed->task);
}

// False when the client has gone, or there is no memory to compress.
static bool send(struct feed *feed, const char *bytes, size_t length)
{
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    if (feed->gzip) {
        gzip_add(feed->gzip, bytes, length, &packed);
        if (packed.failed)
            return false;
        bytes = packed.data;
        length = packed.length;
    }
    // Set before, so that a demand that comes at the same time is not lost.
    atomic_store(&feed->full, true);
    enum http_stream_written written = http_stream_write(feed->stream, bytes, length);
    if (written == HTTP_STREAM_MORE)
        atomic_store(&feed->full, false);
    feed->sent_ms = clock_boot_ms();
    return written != HTTP_STREAM_DEAD;
}

// Nothing new: ends, or waits for something to happen.
static void idle(struct feed *feed)
{
    if (!feed->follow) {
        finish(feed, true);
        return;
    }
    bool quiet = clock_boot_ms() - feed->sent_ms >= feed->app->settings->stream_heartbeat_ms;
    if (feed->keepalive && quiet && !send(feed, feed->keepalive, strlen(feed->keepalive)))
        finish(feed, false);
    else
        rest(feed);
}

static void page_run(struct feed *feed, struct db *db)
{
    AUTO_STRBUF struct strbuf page = STRBUF_INIT;
    bool end = false;
    struct err err;
    if (feed->fill(feed, db, &page, &end, &err) < 0 || strbuf_ok(&page, &err) < 0) {
        if (err.code != ERR_UNAVAILABLE)
            log_event(LOG_WARN, "a stream broke off", "error", err.text, NULL);
        finish(feed, false);
        return;
    }
    if (page.length && !send(feed, page.data, page.length))
        finish(feed, false);
    else if (end)
        finish(feed, true);
    else if (page.length)
        pool_add_admitted(feed->app->pool, &feed->task); // others get a turn
    else
        idle(feed);
}

static void feed_run(struct pool_task *task, struct db *db)
{
    struct feed *feed = CONTAINER_OF(task, struct feed, task);
    if (atomic_load(&feed->over) || !keyring_holds(feed->app->keyring, feed->token))
        finish(feed, false);
    else if (atomic_load(&feed->full))
        rest(feed);
    else
        page_run(feed, db);
}

// ---- the stream

static void drained(void *context)
{
    struct feed *feed = context;
    if (atomic_exchange(&feed->full, false))
        watches_poke(feed->app->watches, &feed->watch);
}

static void over(void *context, struct http_stream *stream, enum http_stream_over reason)
{
    struct feed *feed = context;
    UNUSED(stream);
    UNUSED(reason);
    atomic_store(&feed->over, true);
    watches_poke(feed->app->watches, &feed->watch);
}

static const struct http_stream_functions stream_functions = {.over = over, .destroy = feed_free, .drained = drained};

int feed_start(struct feed *feed, struct app *app, const char *content_type, struct http_reply *reply, struct err *err)
{
    feed->app = app;
    feed->watch.fire = run_again;
    feed->task.run = feed_run;
    feed->sent_ms = clock_boot_ms();
    if ((feed->packs && gzip_new(&feed->gzip, err) < 0) ||
        watches_add(app->watches, &feed->watch, feed->job, err) < 0) {
        feed_free(feed);
        return -1;
    }
    if (http_stream_new(&stream_functions, feed, HIGH_WATER_BYTES, &feed->stream, err) < 0) {
        watches_remove(app->watches, &feed->watch);
        feed_free(feed);
        return -1;
    }
    http_reply_stream(reply, 200, content_type, feed->stream);
    http_reply_gzip_headers(reply, feed->packs);
    if (feed->follow) { // what stands in between must neither keep nor collect it
        http_reply_header(reply, "Cache-Control", "no-store");
        http_reply_header(reply, "X-Accel-Buffering", "no");
    }
    pool_add_admitted(app->pool, &feed->task);
    return 0;
}
