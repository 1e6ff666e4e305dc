// The reaper's sweeps as a table: name, interval, function. What each does is said in services/common/store/reaper.h.
#pragma once

#include "services/common/store/reaper.h"
#include "services/reaper/settings.h"

#include <stddef.h>

struct sweep_entry {
    const char *name;
    int64_t interval_ms; // between its runs while it finds nothing; at once again while it finds as much as it may take
    int (*run)(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err);
};

extern const struct sweep_entry sweep_table[];
extern const size_t sweep_table_count;
