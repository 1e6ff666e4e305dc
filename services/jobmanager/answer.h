// Replies that all handlers share: JSON and problem documents. The only place where an error of a request is logged.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"
#include "services/common/json/faults.h"

#include <stdbool.h>

// Moves `body` into the reply. A body that ran out of memory becomes a problem.
enum http_handled answer_json(const struct http_request *request, struct http_reply *reply, int status,
                              struct strbuf *body);
#define ANSWER_TAG_SIZE 33
// Names the bytes of `body`, for an ETag.
int answer_tag(const struct strbuf *body, char tag[static ANSWER_TAG_SIZE], struct err *err) WARN_UNUSED;
// answer_json() with status 200; to a GET with an ETag made of the body, or an empty 304 when the client has it
// already.
int answer_tagged(const struct http_request *request, struct http_reply *reply, struct strbuf *body,
                  struct err *err) WARN_UNUSED;
// The problem document of an error; `faults` may be NULL. Adds Retry-After where trying again helps, and to a 401 what
// it wants.
enum http_handled answer_error(const struct http_request *request, struct http_reply *reply, const struct err *err,
                               const struct faults *faults);
// A problem with a code of its own, such as stale_incarnation.
enum http_handled answer_problem(const struct http_request *request, struct http_reply *reply, int status,
                                 const char *code, const char *detail);
