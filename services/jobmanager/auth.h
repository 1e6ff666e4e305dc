// Who may call: as soon as there is a token, whoever sends one of a role that the call's route asks for; else who is on
// this machine, web pages of others excepted. Health checks are for everybody.
#pragma once

#include "services/common/base/err.h"
#include "services/common/http/reply.h"
#include "services/common/http/request.h"

#include <stdbool.h>

struct app;

// For the server's settings; `app` is a struct app. The request's principal becomes the token's name, id and role.
bool auth_check(void *app, struct http_request *request, struct http_reply *reply);
// Whether the token that let the request in is valid still: 0, or ERR_UNAUTHORIZED. For requests that wait for long.
int auth_still(const struct app *app, const struct http_request *request, struct err *err) WARN_UNUSED;
