#include "services/worker/lease_keeper.h"

#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/loop.h"
#include "services/common/base/macros.h"
#include "services/common/http/client_async.h"
#include "services/worker/orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 200 // after a failure, and at least
#define POLLS_IN_A_LEASE 4
#define CALL_TIMEOUT_MS 2000
#define PATH_SIZE 64
#define BODY_SIZE 64

struct lease_keeper {
    struct loop *loop;
    struct http_async *http;
    struct http_async_call *call; // NULL: none
    struct loop_timer *timer;     // the next poll
    char path[PATH_SIZE], body[BODY_SIZE];
};

static void poll_again(struct lease_keeper *keeper, int64_t after_ms)
{
    loop_timer_arm(keeper->timer, clock_boot_ms() + MAX(after_ms, (int64_t)AGAIN_MS));
}

static void on_polled(void *context, struct http_response *response, const struct err *failure)
{
    struct lease_keeper *keeper = context;
    struct poll_reply reply = {0};
    struct err err;
    UNUSED(failure);
    keeper->call = NULL;
    if (response && (response->status == 404 || response->status == 409)) {
        log_event(LOG_WARN, "the former incarnation is over, what it had at the engine was given up", NULL);
        return;
    }
    int outcome = response && response->status == 200
                      ? poll_reply_read(strbuf_text(&response->body), response->body.length, &reply, &err)
                      : -1;
    poll_again(keeper, outcome < 0 ? AGAIN_MS : reply.lease_ms / POLLS_IN_A_LEASE);
    poll_reply_release(&reply);
}

static void on_timer(void *context)
{
    struct lease_keeper *keeper = context;
    const struct http_call call = {
        .method = "POST",
        .path = keeper->path,
        .body = keeper->body,
        .body_length = strlen(keeper->body),
        .timeout_ms = CALL_TIMEOUT_MS,
    };
    if (http_async_start(keeper->http, &call, on_polled, keeper, &keeper->call, NULL) < 0)
        poll_again(keeper, AGAIN_MS);
}

int lease_keeper_start(struct loop *loop, struct http_async *http, int64_t worker, int incarnation,
                       struct lease_keeper **out, struct err *err)
{
    struct lease_keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return err_set(err, ERR_NO_MEMORY, "no memory to keep a lease");
    *keeper = (struct lease_keeper){.loop = loop, .http = http};
    snprintf(keeper->path, sizeof keeper->path, "/v1/workers/%lld/poll", (long long)worker);
    snprintf(keeper->body, sizeof keeper->body, "{\"incarnation\":%d,\"wait_ms\":0}", incarnation);
    if (loop_timer_add(loop, on_timer, keeper, &keeper->timer, err) < 0) {
        lease_keeper_free(keeper);
        return -1;
    }
    loop_timer_arm(keeper->timer, clock_boot_ms());
    *out = keeper;
    return 0;
}

void lease_keeper_free(struct lease_keeper *keeper)
{
    if (!keeper)
        return;
    http_async_cancel(keeper->call);
    loop_timer_remove(keeper->timer);
    free(keeper);
}
