// Calls that were refused for who made them: counted for /metrics, and logged, a line a second at most. Tokens have so
// many random bits that guessing them needs no brake; what a flood must not do is fill the log.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/request.h"

enum refusal {
    REFUSAL_MISSING, // no token
    REFUSAL_UNKNOWN, // one that never was, or ended long ago
    REFUSAL_EXPIRED,
    REFUSAL_REVOKED,
    REFUSAL_FORBIDDEN, // a valid one of another role
    REFUSAL_LIMITED,   // a valid one, too often
    REFUSAL_UNCHECKED, // the database could not be asked
    REFUSAL_FOREIGN,   // without tokens: a web page of others
};
#define REFUSAL_COUNT ((int)REFUSAL_FOREIGN + 1)

struct refusals;
int refusals_new(struct refusals **out, struct err *err) WARN_UNUSED;
void refusals_free(struct refusals *refusals); // takes NULL

// Any thread. The line names the request and the token, if it is a known one; never what was sent.
void refusals_note(struct refusals *refusals, enum refusal refusal, const struct http_request *request);
// Appends curfew_auth_refused_total in the Prometheus text format.
void refusals_write(const struct refusals *refusals, struct strbuf *out);
