// Texts and addresses that several kinds of orders have in common. Private to store/hot*.c.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/store/hot_batch.h"

// The addresses of this job's services are wanted.
int hot_addresses_want(struct batch *batch, int64_t job, struct err *err) WARN_UNUSED;
// Appends a JSON array of the services of a job that can be reached.
void hot_addresses_write(struct batch *batch, int64_t job, struct strbuf *out);
// A copy in an operation's arena; NULL of NULL.
int hot_give_text(struct arena *arena, const char *text, const char **out, struct err *err) WARN_UNUSED;
