// An outside worker of stages with mode `pull`, as a user would write one: claims slices and reports them all
// succeeded, in one round trip per slice. One thread each.
#pragma once

#include "tests/support/system.h"

#include <stdint.h>

struct puller {
    struct http_client *client;
    int64_t worker;
    int64_t incarnation;
    char *reports; // members "slices" of the next report; NULL: nothing to report
};

struct puller_grant {
    char job[32], slice[64], stage[64];
    int64_t token, first, count;
};

// Registers under `name`, for one queue.
void puller_init(struct puller *puller, const struct system *system, int manager, const char *name, const char *queue);
void puller_release(struct puller *puller);

// Reports what was granted last as succeeded, and asks for `want` tasks of `queue`, waiting up to wait_ms. Returns how
// many slices were written to `grants`; 0 when there was nothing. A refusal ends the test program.
int puller_turn(struct puller *puller, const char *queue, int64_t want, int wait_ms, struct puller_grant *grants,
                int capacity);
