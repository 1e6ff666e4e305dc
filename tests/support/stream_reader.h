// Reads one streaming reply of a manager on a thread of its own, while the test goes on.
#pragma once

#include "services/common/base/strbuf.h"
#include "tests/support/manager.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

// Zeroed but for the headers.
struct stream_reader {
    struct http_header headers[3];
    size_t header_count;
    // private
    struct http_client *client;
    char path[160];
    pthread_t thread;
    pthread_mutex_t mutex;
    // Of the thread until stream_reader_end(), then the caller's, who releases the body.
    struct strbuf body;
    int status;
    bool broken; // it did not end properly
};

// GET /v1/jobs/<id>/<rest>
void stream_reader_begin(struct stream_reader *reader, struct manager *manager, const char *id, const char *rest);
void stream_reader_end(struct stream_reader *reader); // waits for the end of the stream
// Waits until `text` has come `times`; false after twenty seconds.
bool stream_reader_wait(struct stream_reader *reader, const char *text, size_t times);
size_t stream_count(const struct strbuf *text, const char *what); // how often `what` is in `text`
