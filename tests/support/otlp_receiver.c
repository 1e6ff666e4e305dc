#include "tests/support/otlp_receiver.h"

#include "services/common/base/macros.h"
#include "services/common/http/server.h"
#include "tests/support/die.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 64
#define BODY_MAX ((size_t)16 << 20)

struct otlp_receiver {
    struct http_server *http;
    char url[64];
    pthread_mutex_t mutex; // guards what follows
    int status, requests, kept;
    struct json_object *bodies[KEPT_MAX];
};

static enum http_handled take(void *app, struct http_request *request, struct http_reply *reply)
{
    struct otlp_receiver *receiver = app;
    size_t length;
    const char *body = http_request_body(request, &length), *type = http_request_header(request, "Content-Type");
    pthread_mutex_lock(&receiver->mutex);
    int status = type && strcmp(type, "application/json") == 0 ? receiver->status : 415;
    receiver->requests++;
    if (status == 200 && receiver->kept < KEPT_MAX)
        receiver->bodies[receiver->kept++] = json_tokener_parse(body);
    pthread_mutex_unlock(&receiver->mutex);
    return http_reply_text(reply, status, HTTP_TYPE_JSON, "{}");
}

struct otlp_receiver *otlp_receiver_start(void)
{
    static const struct http_route routes[] = {{"POST", "/v1/traces", take, 0, "", BODY_MAX, 0, 0}};
    struct err err;
    struct otlp_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        die("no memory for a collector");
    const struct http_server_settings settings = {
        .address = "127.0.0.1", .routes = {routes, 1}, .app = receiver, .threads = 1};
    pthread_mutex_init(&receiver->mutex, NULL);
    receiver->status = 200;
    if (http_server_start(&settings, &receiver->http, &err) < 0)
        die("no collector: %s", err.text);
    snprintf(receiver->url, sizeof receiver->url, "http://127.0.0.1:%d", http_server_port(receiver->http));
    return receiver;
}

void otlp_receiver_stop(struct otlp_receiver *receiver)
{
    http_server_free(receiver->http);
    for (int i = 0; i < receiver->kept; i++)
        json_object_put(receiver->bodies[i]);
    pthread_mutex_destroy(&receiver->mutex);
    free(receiver);
}

const char *otlp_receiver_url(const struct otlp_receiver *receiver)
{
    return receiver->url;
}

void otlp_receiver_answer(struct otlp_receiver *receiver, int status)
{
    pthread_mutex_lock(&receiver->mutex);
    receiver->status = status;
    pthread_mutex_unlock(&receiver->mutex);
}

static int look(struct otlp_receiver *receiver, const int *number)
{
    pthread_mutex_lock(&receiver->mutex);
    int value = *number;
    pthread_mutex_unlock(&receiver->mutex);
    return value;
}

int otlp_receiver_requests(struct otlp_receiver *receiver)
{
    return look(receiver, &receiver->requests);
}

int otlp_receiver_kept(struct otlp_receiver *receiver)
{
    return look(receiver, &receiver->kept);
}

struct json_object *otlp_receiver_spans(struct otlp_receiver *receiver, int i)
{
    struct json_object *spans = NULL;
    if (i >= otlp_receiver_kept(receiver) ||
        json_pointer_get(receiver->bodies[i], "/resourceSpans/0/scopeSpans/0/spans", &spans) < 0)
        die("no spans came in request %d", i);
    return spans;
}
