// PUT, HEAD, GET /v1/bundles/{sha256}. A bundle arrives in a temporary file, is held against its name, and is stored
// whole.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/log.h"
#include "services/common/base/sha256.h"
#include "services/common/http/stream.h"
#include "services/common/store/bundles.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define HASH_DIGITS 64
#define TYPE_BUNDLE "application/zstd"
#define PIECE_BYTES ((size_t)256 << 10) // that are sent at a time

// Storing takes a few times the bundle's size of memory: one at a time.
static pthread_mutex_t one_upload = PTHREAD_MUTEX_INITIALIZER;

struct bundle_call {
    struct call call;
    const char *hash;
};

// The call with its {sha256}; NULL when the reply says what is wrong. "sha256:" may stand before the digits.
static struct bundle_call *bundle_new(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    const char *hash = http_request_param(request, "sha256");
    struct bundle_call *bundle = call_new(app, request, sizeof(*bundle), reply);
    if (!bundle)
        return NULL;
    if (strncmp(hash, "sha256:", 7) == 0)
        hash += 7;
    bundle->hash = hash;
    bool shaped = strlen(hash) == HASH_DIGITS && strspn(hash, "0123456789abcdef") == HASH_DIGITS;
    if (!shaped)
        err_set(&err, ERR_NOT_FOUND, "bundle '%.80s' does not exist: a name is 64 lower-case hexadecimal digits", hash);
    if (shaped && http_request_query_only(request, (const char *const[]){NULL}, &err) == 0)
        return bundle;
    answer_error(request, reply, &err, NULL);
    return NULL;
}

// ---- PUT

static int content_store(struct bundle_call *bundle, struct db *db, const void *content, size_t length,
                         struct http_reply *reply, struct err *err)
{
    char actual[SHA256_HEX_SIZE];
    if (sha256_hex(content, length, actual, err) < 0)
        return -1;
    if (strcmp(actual, bundle->hash) != 0)
        return err_set(err, ERR_INVALID, "the content's SHA-256 is %s", actual);
    int outcome = bundles_put(db, bundle->hash, content, length, err);
    if (outcome < 0)
        return -1;
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    strbuf_add_format(&body, "{\"bundle\":\"sha256:%s\",\"bytes\":%zu}", bundle->hash, length);
    answer_json(bundle->call.request, reply, outcome == BUNDLE_CREATED ? 201 : 200, &body);
    return 0;
}

static int put_locked(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct bundle_call *bundle = CONTAINER_OF(call, struct bundle_call, call);
    int64_t length, most = call->app->settings->bundle_bytes;
    int file = http_request_body_file(call->request, &length);
    if (length == 0)
        return err_set(err, ERR_INVALID, "a bundle is not empty");
    if (length > most)
        return err_set(err, ERR_TOO_LARGE, "the bundle has %lld bytes, and bundle-limit is %lld", (long long)length,
                       (long long)most);
    void *content = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE, file, 0);
    if (content == MAP_FAILED)
        return err_errno(err, ERR_IO, errno, "cannot read the bundle that arrived");
    int outcome = content_store(bundle, db, content, (size_t)length, reply, err);
    munmap(content, (size_t)length);
    return outcome;
}

static int put_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    if (pthread_mutex_trylock(&one_upload) != 0)
        return err_set(err, ERR_UNAVAILABLE, "another bundle is being stored");
    int outcome = put_locked(call, db, reply, err);
    pthread_mutex_unlock(&one_upload);
    return outcome;
}

enum http_handled bundle_put(void *app, struct http_request *request, struct http_reply *reply)
{
    struct bundle_call *bundle = bundle_new(app, request, reply);
    return bundle ? call_start(&bundle->call, put_run, reply) : HTTP_REPLY;
}

// ---- HEAD

static int head_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct bundle_call *bundle = CONTAINER_OF(call, struct bundle_call, call);
    if (bundles_touch(db, bundle->hash, err) < 0)
        return -1;
    http_reply_empty(reply, 200);
    return 0;
}

enum http_handled bundle_head(void *app, struct http_request *request, struct http_reply *reply)
{
    struct bundle_call *bundle = bundle_new(app, request, reply);
    return bundle ? call_start(&bundle->call, head_run, reply) : HTTP_REPLY;
}

// ---- GET

// A bundle on its way, a piece at a time: many workers may want a large one at once, and some are slow.
struct sending {
    struct app *app;
    struct pool_task task;
    struct http_stream *stream; // while it waits for a piece
    char hash[HASH_DIGITS + 1];
    size_t sent;
};

static void piece_run(struct pool_task *task, struct db *db)
{
    struct sending *sending = CONTAINER_OF(task, struct sending, task);
    struct http_stream *stream = sending->stream;
    struct bundle_piece piece = {.from = sending->sent, .most = PIECE_BYTES};
    struct err err;
    if (bundles_read(db, sending->hash, &piece, &err) < 0) {
        if (err.code != ERR_UNAVAILABLE)
            log_event(LOG_WARN, "a bundle broke off", "bundle", sending->hash, "error", err.text, NULL);
        http_stream_end(stream, false);
    } else if (piece.length == 0) {
        http_stream_end(stream, true);
    } else {
        sending->sent += piece.length; // before the next piece may be asked for
        if (http_stream_write(stream, piece.content, piece.length) == HTTP_STREAM_DEAD)
            http_stream_end(stream, false);
    }
    result_release(&piece.owner);
}

static void piece_ask(void *context, struct http_stream *stream)
{
    struct sending *sending = context;
    sending->stream = stream;
    pool_add_admitted(sending->app->pool, &sending->task);
}

static const struct http_stream_functions sending_functions = {.more = piece_ask, .destroy = free};

static int get_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct bundle_call *bundle = CONTAINER_OF(call, struct bundle_call, call);
    struct bundle_piece none = {0};
    struct http_stream *stream;
    int outcome = bundles_read(db, bundle->hash, &none, err);
    result_release(&none.owner);
    if (outcome < 0)
        return -1;
    AUTO_FREE struct sending *sending = calloc(1, sizeof(*sending));
    if (!sending)
        return err_set(err, ERR_NO_MEMORY, "no memory for a bundle");
    *sending = (struct sending){.app = call->app, .task.run = piece_run};
    memcpy(sending->hash, bundle->hash, HASH_DIGITS);
    if (http_stream_new(&sending_functions, sending, PIECE_BYTES, &stream, err) < 0)
        return -1;
    TAKE_PTR(sending);
    http_reply_stream(reply, 200, TYPE_BUNDLE, stream);
    return 0;
}

enum http_handled bundle_get(void *app, struct http_request *request, struct http_reply *reply)
{
    struct bundle_call *bundle = bundle_new(app, request, reply);
    return bundle ? call_start(&bundle->call, get_run, reply) : HTTP_REPLY;
}
