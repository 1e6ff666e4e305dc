// Who did what: a line of the log for each call that changed something, but for submissions and what workers do, which
// are too many: the former stand in their job's history.
#pragma once

#include "services/common/http/request.h"

// After the reply to `request`, with its status.
void audit_call(const struct http_request *request, int status);
