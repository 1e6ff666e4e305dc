#include "services/jobmanager/refusals.h"

#include "services/common/base/clock.h"
#include "services/common/base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LOG_INTERVAL_MS 1000

static const char *const names[REFUSAL_COUNT] = {
    [REFUSAL_MISSING] = "missing", [REFUSAL_UNKNOWN] = "unknown",     [REFUSAL_EXPIRED] = "expired",
    [REFUSAL_REVOKED] = "revoked", [REFUSAL_FORBIDDEN] = "forbidden", [REFUSAL_UNCHECKED] = "unchecked",
    [REFUSAL_LIMITED] = "limited", [REFUSAL_FOREIGN] = "foreign_page"};

struct refusals {
    _Atomic int64_t counts[REFUSAL_COUNT];
    _Atomic int64_t unlogged;    // since the last line
    _Atomic int64_t log_next_ms; // no line before
};

int refusals_new(struct refusals **out, struct err *err)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for counters");
}

void refusals_free(struct refusals *refusals)
{
    free(refusals);
}

void refusals_note(struct refusals *refusals, enum refusal refusal, const struct http_request *request)
{
    const char *name = http_request_principal(request);
    int64_t now_ms = clock_boot_ms(), next_ms = atomic_load(&refusals->log_next_ms);
    atomic_fetch_add(&refusals->counts[refusal], 1);
    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&refusals->log_next_ms, &next_ms, now_ms + LOG_INTERVAL_MS)) {
        atomic_fetch_add(&refusals->unlogged, 1);
        return;
    }
    log_event(LOG_WARN, "call refused", "reason", names[refusal], "token", name ? name : "-", "method",
              http_request_method(request), "path", http_request_path(request), "request_id", http_request_id(request),
              "unlogged", LOG_NUMBER(atomic_exchange(&refusals->unlogged, 0)), NULL);
}

void refusals_write(const struct refusals *refusals, struct strbuf *out)
{
    strbuf_add_text(out, "# HELP curfew_auth_refused_total Calls that were refused for who made them.\n"
                         "# TYPE curfew_auth_refused_total counter\n");
    for (int i = 0; i < REFUSAL_COUNT; i++)
        strbuf_add_format(out, "curfew_auth_refused_total{reason=\"%s\"} %" PRId64 "\n", names[i],
                          atomic_load(&refusals->counts[i]));
}
