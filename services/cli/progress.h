// How far a job is, as one line for a terminal.
#pragma once

#include "services/common/base/strbuf.h"

#include <stddef.h>

struct json_object;

#define PROGRESS_WIDTH_UNKNOWN 80

// Adds a line of at most `columns` - 1 columns without a newline, such as
// "running   [#####.....] 7/14  2 running  1 failed". What has no room is left out: first the bar, then from the right.
void progress_line(struct strbuf *out, struct json_object *job, size_t columns);
