// Exponential backoff with full jitter.
#pragma once

#include <stdint.h>

struct backoff {
    int64_t base_ms;
    int64_t max_ms;
    unsigned failures;
};

int64_t backoff_next_ms(struct backoff *backoff); // counts a failure; uniform in (ceiling/2, ceiling]
void backoff_reset(struct backoff *backoff);
// Without state or jitter: base * 2^(failures-1), at most max. failures >= 1.
int64_t backoff_delay_ms(int64_t base_ms, int64_t max_ms, unsigned failures);
