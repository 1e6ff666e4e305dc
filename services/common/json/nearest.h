// "Did you mean ...": the known name that somebody may have meant.
#pragma once

#include <stddef.h>

// The name that is at most two edits away (one for short names), or NULL. `name` may be anything.
const char *nearest_name(const char *name, const char *const *names, size_t count);
