// A json-c tree from a text that json_scan has accepted.
//
// json-c's own tokener crashes when memory runs out and switches locales for each text; this one does neither. Only
// json_parse uses it.
#pragma once

#include "services/common/base/err.h"

#include <json-c/json.h>
#include <stddef.h>

// *out is NULL for the text `null`. ERR_NO_MEMORY is the only error.
int json_build(const char *text, size_t length, struct json_object **out, struct err *err) WARN_UNUSED;
