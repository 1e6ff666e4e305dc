// Calls that the pool answers: the request is parked, a pool thread runs a function with a connection, and the reply is
// sent.
//
// A handler makes a call (a struct of its own with a struct call as first member), reads its arguments into it, and
// starts it. The call belongs to the request and is freed with it.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"
#include "services/common/store/wakes.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/pool.h"

#include <stddef.h>

struct db;
struct call;

// On a pool thread: fills in the reply. Negative: the reply becomes the problem of `err`.
// Wakes that it adds are delivered afterwards.
typedef int (*call_fn)(struct call *call, struct db *db, struct http_reply *reply, struct err *err);

struct call {
    struct pool_task task;
    struct app *app;
    struct http_request *request;
    call_fn run;
    struct wakes wakes;
    int64_t queued_ms;
};

// Zeroed, of `size` bytes; NULL when memory runs out (the reply then says so).
void *call_new(void *app, struct http_request *request, size_t size, struct http_reply *reply);
// The same with a function that frees it; that one calls call_free() in the end.
void *call_new_with(void *app, struct http_request *request, size_t size, void (*destroy)(void *call),
                    struct http_reply *reply);
void call_free(void *call);
// Whose a job is that this request makes. `limits` is filled in and borrowed, the name is the request's.
struct quota_holder call_holder(struct app *app, const struct http_request *request, struct quota *limits);
// Parks the request and queues the call. `call` must come from call_new().
enum http_handled call_start(struct call *call, call_fn run, struct http_reply *reply);
// The same in another pool than the app's.
enum http_handled call_start_in(struct call *call, struct pool *pool, call_fn run, struct http_reply *reply);
