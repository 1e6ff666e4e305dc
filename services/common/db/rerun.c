#include "services/common/db/rerun.h"

#include "services/common/db/transaction.h"

#include <time.h>

bool rerun_wait(struct rerun *rerun, const struct db_error *error)
{
    bool nothing_happened = error->retryable || (error->connection_lost && !error->outcome_unknown);
    if (!nothing_happened || ++rerun->failures >= TRANSACTION_ATTEMPTS)
        return false;
    int64_t pause_ms = backoff_next_ms(&rerun->backoff);
    struct timespec pause = {.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
    return true;
}
