// What may be long, streamed page by page: results, logs, events.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/arena.h"
#include "services/common/base/parse.h"
#include "services/common/json/write.h"
#include "services/common/model/states.h"
#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/feed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 500
#define LOG_PAGE_BYTES (64 << 10)

// ---- server-sent events

#define KEEPALIVE ": still here\n\n"

static bool wants_sse(const struct http_request *request)
{
    const char *accept = http_request_header(request, "Accept");
    return accept && strstr(accept, HTTP_TYPE_SSE);
}

// Moves *position to the id that the client has seen last. Outcomes: 1 there was one; 0.
static int last_event_id(const struct http_request *request, int64_t most, int64_t *position, struct err *err)
{
    const char *last = http_request_header(request, "Last-Event-ID");
    if (!last || *last == '\0')
        return 0;
    return parse_i64(last, 0, most, "Last-Event-ID", position, err) < 0 ? -1 : 1;
}

// The last event: that nothing comes after it. Its id makes a client that comes back all the same get a 204.
static int sse_end(struct db *db, int64_t job, int64_t position, struct strbuf *page, struct err *err)
{
    AUTO_STRBUF struct strbuf data = STRBUF_INIT;
    struct job_progress progress = {0};
    if (read_progress(db, &job, 1, &progress, err) < 0)
        return -1;
    json_open(&data, NULL, '{');
    json_text(&data, "outcome", outcome_name(progress.outcome));
    json_text(&data, "cleanup", cleanup_name(progress.cleanup));
    json_close(&data, '}');
    if (strbuf_ok(&data, err) < 0)
        return -1;
    strbuf_add_format(page, "id: %" PRId64 "\nevent: end\ndata: %s\n\n", position, strbuf_text(&data));
    return 0;
}

// ---- starting

// How far a job's history or log goes.
typedef int64_t (*stream_length_fn)(const struct job_progress *progress);

struct stream_call {
    struct call call;
    struct feed *feed; // becomes the stream's once the job was found
    const char *content_type;
    stream_length_fn length; // of server-sent events that were resumed behind `seen`; NULL: it is none
    int64_t seen;
};

static void feed_drop(struct feed *feed)
{
    arena_free(feed->arena);
    free(feed);
}

// A call that was never run still has its feed.
static void stream_call_free(void *context)
{
    struct stream_call *stream = context;
    if (stream->feed)
        feed_drop(stream->feed);
    call_free(stream);
}

// A client that has seen everything of a closed job is told not to come back, as the HTML standard says it: by a 204.
static bool saw_all(const struct stream_call *stream, const struct job_progress *progress)
{
    return stream->length && progress->closed && stream->seen >= stream->length(progress);
}

// A job that does not exist is a 404, not an empty stream.
static int stream_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct stream_call *stream = CONTAINER_OF(call, struct stream_call, call);
    struct feed *feed = TAKE_PTR(stream->feed);
    struct job_progress progress = {0};
    if (read_progress(db, &feed->job, 1, &progress, err) < 0) {
        feed_drop(feed);
        return -1;
    }
    feed->token = http_request_principal_id(call->request);
    feed->packs = !feed->keepalive && http_accepts_gzip(call->request);
    if (progress.found && !saw_all(stream, &progress))
        return feed_start(feed, call->app, stream->content_type, reply, err);
    feed_drop(feed);
    if (progress.found) {
        http_reply_empty(reply, 204);
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "job '%s' does not exist", http_request_param(call->request, "id"));
}

// Takes the feed, whatever happens. `how` has the members of a stream_call that say what it is.
static enum http_handled stream_start(void *app, struct http_request *request, struct feed *feed,
                                      const struct stream_call *how, struct http_reply *reply)
{
    struct stream_call *stream = call_new_with(app, request, sizeof(*stream), stream_call_free, reply);
    if (!stream) {
        feed_drop(feed);
        return HTTP_REPLY;
    }
    stream->feed = feed;
    stream->content_type = how->content_type;
    stream->length = how->length;
    stream->seen = how->seen;
    return call_start(&stream->call, stream_run, reply);
}

// Zeroed, with an arena; NULL when memory runs out.
static void *feed_new(size_t size, const struct http_request *request, struct http_reply *reply)
{
    struct feed *feed = calloc(1, size);
    if (feed && (feed->arena = arena_new(0)))
        return feed;
    free(feed);
    struct err err;
    err_set(&err, ERR_NO_MEMORY, "no memory for a stream");
    answer_error(request, reply, &err, NULL);
    return NULL;
}

static enum http_handled feed_refuse(struct feed *feed, const struct http_request *request, const struct err *err,
                                     struct http_reply *reply)
{
    feed_drop(feed);
    return answer_error(request, reply, err, NULL);
}

// ---- results

struct results_feed {
    struct feed feed;
    char cursor[READ_CURSOR_SIZE];
};

static int results_fill(struct feed *feed, struct db *db, struct strbuf *page, bool *end, struct err *err)
{
    struct results_feed *results = CONTAINER_OF(feed, struct results_feed, feed);
    return read_results(db, feed->job, PAGE_ROWS, feed->follow, results->cursor, end, page, err);
}

enum http_handled job_results(void *app, struct http_request *request, struct http_reply *reply)
{
    static const char *const allowed[] = {"follow", NULL};
    struct err err;
    struct results_feed *results = feed_new(sizeof(*results), request, reply);
    if (!results)
        return HTTP_REPLY;
    results->feed.fill = results_fill;
    if (path_job(request, &results->feed.job, &err) < 0 || http_request_query_only(request, allowed, &err) < 0 ||
        query_boolean(request, "follow", &results->feed.follow, &err) < 0)
        return feed_refuse(&results->feed, request, &err, reply);
    return stream_start(app, request, &results->feed, &(struct stream_call){.content_type = HTTP_TYPE_NDJSON}, reply);
}

// ---- logs

struct logs_feed {
    struct feed feed;
    const char *source;
    enum log_page_format format;
    bool resumed;
    int64_t offset;
};

static int64_t log_length(const struct job_progress *progress)
{
    return progress->log_bytes;
}

static int logs_fill(struct feed *feed, struct db *db, struct strbuf *page, bool *end, struct err *err)
{
    struct logs_feed *logs = CONTAINER_OF(feed, struct logs_feed, feed);
    if (read_logs(db, feed->job, logs->source, logs->format, LOG_PAGE_BYTES, &logs->offset, end, page, err) < 0)
        return -1;
    return *end && logs->format == LOG_PAGE_SSE ? sse_end(db, feed->job, logs->offset, page, err) : 0;
}

static int log_format_read(const struct http_request *request, struct logs_feed *logs, struct err *err)
{
    const char *format = http_request_query(request, "format");
    bool json = format && strcmp(format, "json") == 0, sse = wants_sse(request);
    if (format && !json && strcmp(format, "raw") != 0)
        return err_set(err, ERR_INVALID, "format must be raw or json, not '%.40s'", format);
    if (format && !json && sse)
        return err_set(err, ERR_INVALID, "server-sent events carry JSON: format cannot be raw");
    logs->format = sse ? LOG_PAGE_SSE : json ? LOG_PAGE_JSON : LOG_PAGE_RAW;
    logs->feed.follow = sse;
    logs->feed.keepalive = sse ? KEEPALIVE : NULL;
    return 0;
}

static int logs_read(const struct http_request *request, struct logs_feed *logs, struct err *err)
{
    static const char *const allowed[] = {"source", "follow", "format", "offset", NULL};
    const char *source = http_request_query(request, "source");
    if (path_job(request, &logs->feed.job, err) < 0 || http_request_query_only(request, allowed, err) < 0 ||
        log_format_read(request, logs, err) < 0 || query_boolean(request, "follow", &logs->feed.follow, err) < 0 ||
        query_i64(request, "offset", 0, INT64_MAX, &logs->offset, err) < 0)
        return -1;
    int seen = logs->format == LOG_PAGE_SSE ? last_event_id(request, INT64_MAX, &logs->offset, err) : 0;
    if (seen < 0)
        return -1;
    logs->resumed = seen > 0;
    if (source && !(logs->source = arena_copy(logs->feed.arena, source, strlen(source))))
        return err_set(err, ERR_NO_MEMORY, "no memory for a stream");
    return 0;
}

enum http_handled job_logs(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    struct logs_feed *logs = feed_new(sizeof(*logs), request, reply);
    if (!logs)
        return HTTP_REPLY;
    logs->feed.fill = logs_fill;
    if (logs_read(request, logs, &err) < 0)
        return feed_refuse(&logs->feed, request, &err, reply);
    static const char *const types[] = {
        [LOG_PAGE_RAW] = HTTP_TYPE_TEXT, [LOG_PAGE_JSON] = HTTP_TYPE_NDJSON, [LOG_PAGE_SSE] = HTTP_TYPE_SSE};
    struct stream_call how = {
        .content_type = types[logs->format], .length = logs->resumed ? log_length : NULL, .seen = logs->offset};
    return stream_start(app, request, &logs->feed, &how, reply);
}

// ---- events

struct events_feed {
    struct feed feed;
    enum event_format format;
    bool resumed;
    int64_t seq;
};

static int64_t event_length(const struct job_progress *progress)
{
    return progress->event_count;
}

static int events_fill(struct feed *feed, struct db *db, struct strbuf *page, bool *end, struct err *err)
{
    struct events_feed *events = CONTAINER_OF(feed, struct events_feed, feed);
    if (read_events(db, feed->job, events->format, PAGE_ROWS, &events->seq, end, page, err) < 0)
        return -1;
    return *end && events->format == EVENT_SSE ? sse_end(db, feed->job, events->seq, page, err) : 0;
}

// SSE follows unless told otherwise, and resumes behind Last-Event-ID.
static int events_read(const struct http_request *request, struct events_feed *events, struct err *err)
{
    static const char *const allowed[] = {"after", "follow", NULL};
    events->format = wants_sse(request) ? EVENT_SSE : EVENT_JSON;
    events->feed.follow = events->format == EVENT_SSE;
    events->feed.keepalive = events->format == EVENT_SSE ? KEEPALIVE : NULL;
    if (path_job(request, &events->feed.job, err) < 0 || http_request_query_only(request, allowed, err) < 0 ||
        query_boolean(request, "follow", &events->feed.follow, err) < 0 ||
        query_i64(request, "after", 0, INT32_MAX, &events->seq, err) < 0)
        return -1;
    int seen = events->format == EVENT_SSE ? last_event_id(request, INT32_MAX, &events->seq, err) : 0;
    events->resumed = seen > 0;
    return seen < 0 ? -1 : 0;
}

enum http_handled job_events(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    struct events_feed *events = feed_new(sizeof(*events), request, reply);
    if (!events)
        return HTTP_REPLY;
    events->feed.fill = events_fill;
    if (events_read(request, events, &err) < 0)
        return feed_refuse(&events->feed, request, &err, reply);
    struct stream_call how = {.content_type = events->format == EVENT_SSE ? HTTP_TYPE_SSE : HTTP_TYPE_NDJSON,
                              .length = events->resumed ? event_length : NULL,
                              .seen = events->seq};
    return stream_start(app, request, &events->feed, &how, reply);
}
