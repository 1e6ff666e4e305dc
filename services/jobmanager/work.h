// A worker's poll or report on its way: HTTP thread -> lane -> (parked -> lane) -> reply.
//
// It belongs to its request and is freed with it. One thread has it at a time.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/work_read.h"

struct work;

// Polls that are parked and wait for what these wakes name, `room` of them at most, ready to be run by a lane. Returns
// how many.
size_t work_invite(struct app *app, const struct wakes *wakes, struct lane_entry **out, size_t room);

typedef int (*work_read_fn)(const char *text, size_t length, struct arena *arena, struct work_body *out,
                            struct faults *faults, struct err *err);
// Reads the request's body with `read` and runs what it says; `reports`: the reply names stale slices.
enum http_handled work_start(struct app *app, struct http_request *request, bool reports, work_read_fn read,
                             struct http_reply *reply);
