// The instance's record: evidence that outlives the worker. The shim appends a line for each thing that it did or saw,
// so that a worker that starts again can say how its former life's instances ended.
#pragma once

#include "services/common/base/macros.h"

// One line, one write. `fd` -1: nothing happens. A failure is ignored: the record is the second witness, not the first.
void record_line(int fd, const char *format, ...) PRINTF_LIKE(2, 3);
