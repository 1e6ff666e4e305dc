// A reply whose bytes stay the same while the process lives: made when it is first asked for, plain and compressed,
// with its tag, and copied from then on.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"
#include "services/jobmanager/answer.h"

#include <pthread.h>
#include <stdbool.h>

struct fixed_page {
    const char *content_type;           // a literal
    void (*write)(struct strbuf *body); // appends its bytes
    pthread_mutex_t mutex;              // for what follows
    bool is_made;
    struct strbuf plain, packed;
    char tag[ANSWER_TAG_SIZE];
};
#define FIXED_PAGE_INIT(type, function) \
    {.content_type = (type), .write = (function), .mutex = PTHREAD_MUTEX_INITIALIZER}

// Answers a GET: 200, compressed for who takes that, or 304. Any thread; takes some milliseconds the first time.
enum http_handled fixed_page_answer(struct fixed_page *page, const struct http_request *request,
                                    struct http_reply *reply);
