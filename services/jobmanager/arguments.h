// What handlers read from paths and queries, strictly. Texts are the request's.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/request.h"

#include <stdbool.h>
#include <stdint.h>

// {id} as the id of a job, a token or a worker. ERR_NOT_FOUND when it is malformed: there is no such thing.
int path_job(const struct http_request *request, int64_t *out, struct err *err) WARN_UNUSED;
int path_token(const struct http_request *request, int64_t *out, struct err *err) WARN_UNUSED;
int path_worker(const struct http_request *request, int64_t *out, struct err *err) WARN_UNUSED;

// A query parameter that is absent leaves *out as it is: set the default first. ERR_INVALID names the parameter.
int query_i64(const struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *out,
              struct err *err) WARN_UNUSED;
int query_duration_ms(const struct http_request *request, const char *name, int64_t max_ms, int64_t *out,
                      struct err *err) WARN_UNUSED;
int query_boolean(const struct http_request *request, const char *name, bool *out,
                  struct err *err) WARN_UNUSED; // true, false
// RFC 3339 in UTC, to microseconds since 1970.
int query_time_us(const struct http_request *request, const char *name, int64_t *out, struct err *err) WARN_UNUSED;
