// When tasks ran, for the traces of their jobs. Private to store/hot*.c.
#pragma once

#include "services/common/store/hot_batch.h"

// Behind hot_report_apply(): of the leases that the reports end, those that hold a watched task are written down.
// Nothing where none are watched.
int hot_trace_write(struct batch *batch, struct err *err) WARN_UNUSED;
