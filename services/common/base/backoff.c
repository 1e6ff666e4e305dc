// Exponential backoff. Jitter needs to be different in each process, not unpredictable: random() of the kernel is asked
// each time, which is cheap next to any delay.
#include "services/common/base/backoff.h"

#include "services/common/base/macros.h"

#include <sys/random.h>

int64_t backoff_delay_ms(int64_t base_ms, int64_t max_ms, unsigned failures)
{
    int64_t delay = MIN(base_ms, max_ms);
    for (unsigned i = 1; i < failures && delay < max_ms && delay > 0; i++)
        delay = delay > max_ms / 2 ? max_ms : delay * 2;
    return MAX(delay, (int64_t)0);
}

// Uniform in [0, below); 0 when the kernel has no randomness to give.
static int64_t random_below(int64_t below)
{
    uint64_t random = 0;
    if (below <= 0 || getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return 0;
    return (int64_t)(random % (uint64_t)below);
}

int64_t backoff_next_ms(struct backoff *backoff)
{
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    int64_t ceiling = backoff_delay_ms(backoff->base_ms, backoff->max_ms, backoff->failures);
    return ceiling - random_below(ceiling - ceiling / 2);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
