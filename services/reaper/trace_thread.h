// The thread in which a reaper exports traces (trace_export.h), with a database connection of its own: a collector that
// hangs holds up no sweep. It says once that collector or database do not answer, and when they do again.
#pragma once

#include "services/reaper/trace_export.h"

struct trace_thread;

int trace_thread_start(const struct trace_export_settings *settings, const char *database_url,
                       struct trace_thread **out, struct err *err) WARN_UNUSED;
void trace_thread_stop(struct trace_thread *thread); // waits for the end of its round; takes NULL
