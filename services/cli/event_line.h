// One event of a job's history as a line for people.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>

struct json_object;

// Adds "12:00:00  service.verified  service=cache  epoch=1" and a newline: the time of day, the kind, and what else the
// event says but for what is nested. With `color` the kind is red when something went wrong, green when it ended well.
void event_line(struct strbuf *out, struct json_object *event, bool color);
