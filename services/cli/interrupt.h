// Ctrl-C while a job is followed. Signals of the whole process; one follower at a time.
#pragma once

#include <stdbool.h>

// From now on SIGINT prints `text` to stderr and ends the process as SIGINT does, so that a shell's script ends too.
void interrupt_explain(const char *text);

// From now on the first SIGINT, SIGTERM or SIGHUP is only noted; a second one ends the process at once.
void interrupt_note(void);
bool interrupt_noted(void);
