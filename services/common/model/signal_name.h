// The one table of signal names.
#pragma once

#include <stdbool.h>

// "SIGTERM" or "TERM" to its number; -1 when there is none of that name.
int signal_number(const char *name);
// "SIGTERM"; real-time and unknown signals are "SIG<number>". The text lives until the thread's next call.
const char *signal_name(int number);
// Whether a stop policy may ask for it: a signal that a program can expect as "please end".
bool signal_may_stop(int number);
