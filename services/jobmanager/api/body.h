// Small JSON bodies of calls that are not hot.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/http/request.h"
#include "services/common/json/faults.h"
#include "services/common/json/wire.h"

// The body as an object of these fields; an empty body is an empty object.
int body_read(const struct http_request *request, const struct wire_field *fields, size_t count, void *object,
              struct arena *arena, struct faults *faults, struct err *err) WARN_UNUSED;
// Nothing but an empty body or an empty object.
int body_none(const struct http_request *request, struct faults *faults, struct err *err) WARN_UNUSED;
