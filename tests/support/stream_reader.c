#include "tests/support/stream_reader.h"

#include "tests/support/contract.h"
#include "tests/support/process.h"

#include <stdio.h>
#include <string.h>

#define READ_MS 120000
#define WAIT_MS 60000

static int body_arrives(void *context, const char *bytes, size_t length)
{
    struct stream_reader *reader = context;
    pthread_mutex_lock(&reader->mutex);
    strbuf_add(&reader->body, bytes, length);
    pthread_mutex_unlock(&reader->mutex);
    return 0;
}

static void *read_main(void *context)
{
    struct stream_reader *reader = context;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = "GET",
                             .path = reader->path,
                             .headers = reader->headers,
                             .header_count = reader->header_count,
                             .timeout_ms = READ_MS,
                             .on_body = body_arrives,
                             .on_body_context = reader};
    reader->broken = http_call(reader->client, &call, &response, NULL) < 0;
    reader->status = response.status;
    if (response.status == 0)
        return NULL;
    AUTO_HTTP_RESPONSE struct http_response whole = response; // with what has arrived
    response = (struct http_response)HTTP_RESPONSE_INIT;
    strbuf_add(&whole.body, reader->body.data, reader->body.length);
    contract_check(call.method, call.path, &whole, !reader->broken);
    return NULL;
}

void stream_reader_begin(struct stream_reader *reader, struct manager *manager, const char *id, const char *rest)
{
    reader->client = manager_client(manager);
    pthread_mutex_init(&reader->mutex, NULL);
    snprintf(reader->path, sizeof(reader->path), "/v1/jobs/%s/%s", id, rest);
    pthread_create(&reader->thread, NULL, read_main, reader);
}

void stream_reader_end(struct stream_reader *reader)
{
    pthread_join(reader->thread, NULL);
    http_client_free(reader->client);
    pthread_mutex_destroy(&reader->mutex);
}

size_t stream_count(const struct strbuf *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strbuf_text(text); (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

struct wanted {
    struct stream_reader *reader;
    const char *text;
    size_t times;
};

static bool has_arrived(void *context)
{
    const struct wanted *wanted = context;
    pthread_mutex_lock(&wanted->reader->mutex);
    bool found = stream_count(&wanted->reader->body, wanted->text) >= wanted->times;
    pthread_mutex_unlock(&wanted->reader->mutex);
    return found;
}

bool stream_reader_wait(struct stream_reader *reader, const char *text, size_t times)
{
    struct wanted wanted = {reader, text, times};
    return wait_until(has_arrived, &wanted, WAIT_MS);
}
