#include "services/common/http/client.h"

#include "services/common/base/cleanup.h"
#include "services/common/http/client_easy.h"

#include <stdlib.h>

struct http_client {
    struct http_origin origin;
    CURL *easy; // keeps the connection
};

void http_response_release(struct http_response *response)
{
    strbuf_release(&response->body);
    *response = (struct http_response)HTTP_RESPONSE_INIT;
}

DEFINE_CLEANUP(struct http_client *, http_client_free);

int http_client_new(const struct http_client_settings *settings, struct http_client **out, struct err *err)
{
    struct http_client *client CLEANUP(cleanup_http_client_free) = calloc(1, sizeof *client);
    if (!client)
        return err_set(err, ERR_NO_MEMORY, "client");
    if (http_origin_init(&client->origin, settings, err) < 0)
        return -1;
    client->easy = curl_easy_init();
    if (!client->easy)
        return err_set(err, ERR_NO_MEMORY, "client");
    *out = TAKE_PTR(client);
    return 0;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->easy);
    http_origin_release(&client->origin);
    free(client);
}

int http_call(struct http_client *client, const struct http_call *call, struct http_response *response, struct err *err)
{
    struct http_exchange exchange CLEANUP(http_exchange_release) = {.easy = client->easy};
    http_response_release(response);
    if (http_exchange_begin(&exchange, &client->origin, call, true, err) < 0)
        return -1;
    if (http_exchange_end(&exchange, curl_easy_perform(client->easy), err) < 0)
        return -1;
    *response = exchange.response;
    exchange.response = (struct http_response)HTTP_RESPONSE_INIT;
    return 0;
}

int http_get(struct http_client *client, const char *path, struct http_response *response, struct err *err)
{
    struct http_call call = {.method = "GET", .path = path};
    return http_call(client, &call, response, err);
}

int http_post(struct http_client *client, const char *path, const char *json, size_t length,
              struct http_response *response, struct err *err)
{
    struct http_call call = {.method = "POST", .path = path, .body = json, .body_length = length};
    return http_call(client, &call, response, err);
}
