// What a request of a token of one namespace may see. The namespace is the request's scope; one without sees
// everything.
//
// Whatever names a job passes here before anything else happens to it: on the pool before a call runs, and in whatever
// else waits for a job. A job's namespace never changes, so there is nothing between the look and the deed.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/request.h"
#include "services/common/store/read.h"

#include <stdbool.h>

struct db;

// Whether a route is about jobs in namespaces, or about nothing in particular: all others are refused.
bool space_has_route(const struct http_route *route);
// 0, or ERR_NOT_FOUND: the job that the path names is not there, or in another namespace, which is the same.
int space_check(const struct http_request *request, struct db *db, struct err *err) WARN_UNUSED;
// The same about a job that was looked at.
int space_check_job(const struct http_request *request, const struct job_progress *job, struct err *err) WARN_UNUSED;
