// The reply that is a job: of show, of waiting, of what changes a job.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"

#include <stdint.h>

struct db;

// 200 with the job and its ETag, or 304. Negative: the reply is not filled in.
int job_reply(const struct http_request *request, struct db *db, int64_t job, struct http_reply *reply,
              struct err *err) WARN_UNUSED;
// The job under another status, without ETag.
int job_reply_status(const struct http_request *request, struct db *db, int64_t job, int status,
                     struct http_reply *reply, struct err *err) WARN_UNUSED;
void job_location(struct http_reply *reply, int64_t job); // adds the Location of a new job
