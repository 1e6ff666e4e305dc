// What the files that read an engine's replies share.
#pragma once

#include "services/common/base/arena.h"
#include "services/common/json/wire.h"

// The object that is the whole text, by a table of fields. `arena` may be NULL when memory was out: ERR_NO_MEMORY.
int engine_reply_read(const char *text, size_t length, const struct wire_field *fields, size_t count, void *out,
                      struct arena *arena, struct err *err) WARN_UNUSED;
