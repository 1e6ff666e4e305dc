// Streaming replies that are filled page by page from the database, and that may follow a job as it goes on.
//
// A feed runs on the pool, one page at a time; it rests while its client cannot take more and, when it follows, while
// there is nothing new. What is buffered for a slow client is bounded. A feed that cannot go on breaks the connection
// off, so that an end always means the end.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/gzip.h"
#include "services/common/http/reply.h"
#include "services/common/http/stream.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/pool.h"
#include "services/jobmanager/watches.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct feed;

// Appends the next page. *end: nothing comes after it, ever. An empty page: nothing new now.
typedef int (*feed_fn)(struct feed *feed, struct db *db, struct strbuf *page, bool *end, struct err *err);

// First member of its owner's struct, made with calloc() and freed by the feed; texts live in its arena.
struct feed {
    // set by the owner
    feed_fn fill;
    int64_t job;
    bool follow;           // otherwise it ends with the first empty page
    const char *keepalive; // sent when nothing else was for the settings' stream_heartbeat_ms; NULL: nothing
    bool packs;            // compressed
    struct arena *arena;
    int64_t token; // it ends with this token of the keyring; 0: with none
    // private
    struct app *app;
    struct watch watch;
    struct pool_task task;
    struct http_stream *stream;
    struct gzip *gzip; // NULL: as it is
    int64_t sent_ms;
    _Atomic bool full, over;
};

// Takes the feed, also on failure. The reply becomes a stream that is being filled from now on.
int feed_start(struct feed *feed, struct app *app, const char *content_type, struct http_reply *reply,
               struct err *err) WARN_UNUSED;
