// Requests that wait until a job has its outcome or is closed: looked at in batches, one statement for all that were
// woken.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct waiters;

int waiters_new(struct app *app, struct waiters **out, struct err *err) WARN_UNUSED;
void waiters_free(struct waiters *waiters); // nobody may wait any more; takes NULL

// Parks the request and answers it with the job: when it has an outcome (`closed`: when it is closed), when
// `timeout_ms` have passed, or when the manager drains. A job that does not exist is answered with 404.
enum http_handled waiters_start(struct waiters *waiters, struct http_request *request, int64_t job, bool closed,
                                int64_t timeout_ms, struct http_reply *reply);
