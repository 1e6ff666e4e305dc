#include "services/common/http/client_async.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/http/client_easy.h"

#include <stdlib.h>
#include <sys/epoll.h>

#define SPARE_HANDLES 64
#define IDLE_CONNECTIONS 1024L

struct http_async {
    struct http_origin origin;
    struct loop *loop;
    struct loop_timer *timer; // when libcurl wants to be called
    CURLM *multi;
    struct http_async_call *calls;
    size_t count;
    CURL *spares[SPARE_HANDLES]; // handles to use again
    size_t spare_count;
    bool has_cancelled;
    bool is_busy; // inside libcurl: its callbacks must not be answered with more calls into it
};

struct http_async_call {
    struct http_async *async;
    struct http_async_call *previous, *next;
    struct http_exchange exchange;
    http_async_fn done;
    void *context;
    bool is_cancelled; // inside libcurl; ended afterwards
};

DEFINE_CLEANUP(struct http_async *, http_async_free);

static void unlink_call(struct http_async_call *call)
{
    struct http_async *async = call->async;
    if (call->previous)
        call->previous->next = call->next;
    else
        async->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    async->count--;
}

static CURL *take_handle(struct http_async *async)
{
    return async->spare_count > 0 ? async->spares[--async->spare_count] : curl_easy_init();
}

static void give_handle_back(struct http_async *async, CURL *easy)
{
    if (easy && async->spare_count < SPARE_HANDLES)
        async->spares[async->spare_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

static void free_call(struct http_async_call *call)
{
    curl_multi_remove_handle(call->async->multi, call->exchange.easy);
    unlink_call(call);
    give_handle_back(call->async, call->exchange.easy);
    http_exchange_release(&call->exchange);
    free(call);
}

// Ends a call and tells its owner. The call is freed before the callback, so the callback may do as it likes.
static void finish(struct http_async_call *call, CURLcode code)
{
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    http_async_fn done = call->done;
    void *context = call->context;
    bool is_cancelled = call->is_cancelled;
    int result = http_exchange_end(&call->exchange, code, &err);
    response = call->exchange.response;
    call->exchange.response = (struct http_response)HTTP_RESPONSE_INIT;
    free_call(call);
    if (!is_cancelled)
        done(context, result == 0 ? &response : NULL, result == 0 ? NULL : &err);
}

static void finish_all(struct http_async *async)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(async->multi, &left)) != NULL;) {
        struct http_async_call *call = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(call, code);
    }
}

static void free_cancelled(struct http_async *async)
{
    if (!async->has_cancelled)
        return;
    async->has_cancelled = false;
    for (struct http_async_call *call = async->calls, *next; call; call = next) {
        next = call->next;
        if (call->is_cancelled)
            free_call(call);
    }
}

static void drive(struct http_async *async, curl_socket_t fd, int events)
{
    int running = 0;
    async->is_busy = true;
    curl_multi_socket_action(async->multi, fd, events, &running);
    async->is_busy = false;
    free_cancelled(async);
    finish_all(async);
}

static void on_timer(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_event(void *context, int fd, uint32_t events)
{
    int what = 0;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        what |= CURL_CSELECT_ERR;
    drive(context, fd, what);
}

// libcurl asks for a timer. Never calls back from here: it is inside of itself.
static int set_timer(CURLM *multi, long delay_ms, void *context)
{
    UNUSED(multi);
    struct http_async *async = context;
    if (delay_ms < 0)
        loop_timer_disarm(async->timer);
    else
        loop_timer_arm(async->timer, clock_boot_ms() + delay_ms);
    return 0;
}

// libcurl asks to watch a descriptor, or no longer. Its own watch hangs on the descriptor.
static int set_watch(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    UNUSED(easy);
    struct http_async *async = context;
    struct loop_watch *watch = socket_context;
    if (what == CURL_POLL_REMOVE) {
        loop_watch_remove(watch);
        curl_multi_assign(async->multi, fd, NULL);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (watch)
        return loop_watch_change(watch, events, NULL);
    if (loop_watch_add(async->loop, fd, events, on_event, async, &watch, NULL) < 0)
        return -1;
    curl_multi_assign(async->multi, fd, watch);
    return 0;
}

int http_async_new(struct loop *loop, const struct http_client_settings *settings, long max_connections_per_host,
                   struct http_async **out, struct err *err)
{
    struct http_async *async CLEANUP(cleanup_http_async_free) = calloc(1, sizeof *async);
    if (!async)
        return err_set(err, ERR_NO_MEMORY, "client");
    async->loop = loop;
    if (http_origin_init(&async->origin, settings, err) < 0 ||
        loop_timer_add(loop, on_timer, async, &async->timer, err) < 0)
        return -1;
    async->multi = curl_multi_init();
    if (!async->multi)
        return err_set(err, ERR_NO_MEMORY, "client");
    curl_multi_setopt(async->multi, CURLMOPT_SOCKETFUNCTION, set_watch);
    curl_multi_setopt(async->multi, CURLMOPT_SOCKETDATA, async);
    curl_multi_setopt(async->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(async->multi, CURLMOPT_TIMERDATA, async);
    curl_multi_setopt(async->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    curl_multi_setopt(async->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    if (max_connections_per_host > 0)
        curl_multi_setopt(async->multi, CURLMOPT_MAX_HOST_CONNECTIONS, max_connections_per_host);
    *out = TAKE_PTR(async);
    return 0;
}

void http_async_free(struct http_async *async)
{
    if (!async)
        return;
    while (async->calls)
        free_call(async->calls);
    while (async->spare_count > 0)
        curl_easy_cleanup(async->spares[--async->spare_count]);
    if (async->multi)
        curl_multi_cleanup(async->multi);
    loop_timer_remove(async->timer);
    http_origin_release(&async->origin);
    free(async);
}

static void link_call(struct http_async *async, struct http_async_call *call)
{
    call->next = async->calls;
    if (async->calls)
        async->calls->previous = call;
    async->calls = call;
    async->count++;
}

int http_async_start(struct http_async *async, const struct http_call *call, http_async_fn done, void *context,
                     struct http_async_call **out, struct err *err)
{
    struct http_async_call *started = calloc(1, sizeof *started);
    if (!started)
        return err_set(err, ERR_NO_MEMORY, "request");
    *started = (struct http_async_call){.async = async, .done = done, .context = context};
    started->exchange.easy = take_handle(async);
    link_call(async, started);
    if (!started->exchange.easy) {
        unlink_call(started);
        free(started);
        return err_set(err, ERR_NO_MEMORY, "request");
    }
    if (http_exchange_begin(&started->exchange, &async->origin, call, false, err) < 0) {
        free_call(started);
        return -1;
    }
    curl_easy_setopt(started->exchange.easy, CURLOPT_PRIVATE, started);
    CURLMcode code = curl_multi_add_handle(async->multi, started->exchange.easy);
    if (code != CURLM_OK) {
        free_call(started);
        return err_set(err, ERR_INTERNAL, "start of a request: %s", curl_multi_strerror(code));
    }
    if (out)
        *out = started;
    return 0;
}

void http_async_cancel(struct http_async_call *call)
{
    if (!call)
        return;
    if (!call->async->is_busy) {
        free_call(call);
        return;
    }
    // From an on_body callback: libcurl is in the middle of something.
    call->is_cancelled = true;
    call->exchange.is_refused_by_caller = true;
    call->async->has_cancelled = true;
}

size_t http_async_in_flight(const struct http_async *async)
{
    return async->count;
}
