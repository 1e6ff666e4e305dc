// PUT, HEAD, GET /v1/bundles/{sha256}. A bundle arrives in a temporary file, is held against its name, and is stored
// whole.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/sha256.h"
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

// ---- HEAD and GET

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

static int get_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct bundle_call *bundle = CONTAINER_OF(call, struct bundle_call, call);
    AUTO_RESULT struct result owner = RESULT_INIT;
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    const void *content;
    size_t length;
    if (bundles_get(db, bundle->hash, &owner, &content, &length, err) < 0)
        return -1;
    strbuf_add(&body, content, length);
    if (strbuf_ok(&body, err) < 0)
        return -1;
    http_reply_bytes(reply, 200, TYPE_BUNDLE, &body);
    return 0;
}

enum http_handled bundle_get(void *app, struct http_request *request, struct http_reply *reply)
{
    struct bundle_call *bundle = bundle_new(app, request, reply);
    return bundle ? call_start(&bundle->call, get_run, reply) : HTTP_REPLY;
}
