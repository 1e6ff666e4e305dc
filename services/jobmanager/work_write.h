// Writes the replies of poll and report, without a tree. Pure.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/store/hot.h"
#include "services/common/store/workers.h"

#include <stddef.h>

// What a poll found, as the members of an object.
void poll_reply_write(struct strbuf *out, const struct work_operation *operation, const char *deployment);
// The reply to a report: the stale slices, and what its poll found if it carried one.
void report_reply_write(struct strbuf *out, const struct work_operation *operation, const char *deployment);
// The problem of a report of which every slice was stale.
void report_stale_write(struct strbuf *out, const struct work_operation *operation, const char *request_id);
// `,"adopted":[...]`: the slices of tasks that go on. What there is no room for in the answer is left out, and ended.
void registered_adopted_write(struct strbuf *out, const struct worker_adopted *adopted, size_t count);
size_t work_stale_count(const struct work_operation *operation);
