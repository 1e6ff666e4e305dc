// The thread in which a reaper watches its container engine (engine_watch.h), with database connections of its own: an
// engine that hangs holds up no sweep. It says once that engine or database do not answer, and when they do again, and
// goes on whatever happens.
#pragma once

#include "services/reaper/engine_watch.h"

struct engine_thread;

int engine_thread_start(const struct engine_watch_settings *settings, struct engine_thread **out,
                        struct err *err) WARN_UNUSED;
void engine_thread_stop(struct engine_thread *thread); // waits for the end of its round; takes NULL
