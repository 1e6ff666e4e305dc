// Problem documents (RFC 9457) from an error and its faults; the one place that knows which HTTP status a code is.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/faults.h"

#define PROBLEM_MEDIA_TYPE "application/problem+json"

int problem_status(enum err_code code); // 400 ... 503
// Appends the document. `faults` may be NULL. Texts that are not valid UTF-8 are mended. Details of
// ERR_INTERNAL, ERR_IO and ERR_NO_MEMORY stay in the log: the document says only the title.
void problem_write(const struct err *err, const struct faults *faults, const char *request_id, struct strbuf *out);
