// Who may call: a bearer token for everything but the health checks, when one is set; else who is on this machine, web
// pages of others excepted.
#pragma once

#include "services/common/http/reply.h"
#include "services/common/http/request.h"

#include <stdbool.h>

// For the server's settings; `app` is a struct app.
bool auth_check(void *app, struct http_request *request, struct http_reply *reply);
