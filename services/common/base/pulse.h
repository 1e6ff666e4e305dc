// A program's sign of life, for its `health` command: a file that says until when the program is healthy unless it says
// so again, and that is locked for as long as the program lives. So a program that was killed, hangs, or is cut off
// from what it needs is not healthy, and a file of a former life, or of another boot, proves nothing.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

struct pulse {
    int fd; // negative: beats are dropped
    int64_t until_ms;
};

#define PULSE_INIT {.fd = -1}

// Makes the file, not healthy yet. ERR_CONFLICT: another process beats there.
int pulse_open(struct pulse *pulse, const char *path, struct err *err) WARN_UNUSED;
void pulse_close(struct pulse *pulse);
// Healthy until then (CLOCK_BOOTTIME), and not longer, whatever was said before. Writes at most about once a second
// while the time only moves on, does not wait for the disk, and cannot fail in a way that matters: what is not written
// is missed.
void pulse_beat(struct pulse *pulse, int64_t until_ms);

// For another process: 0 when healthy. ERR_UNAVAILABLE says why it is not.
int pulse_check(const char *path, struct err *err) WARN_UNUSED;
