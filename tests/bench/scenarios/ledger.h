// Which tasks were given to the pretended workers: each exactly once, or the program ends.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ledger {
    struct ledger_job *jobs; // open addressing, by id
    size_t room, count;
    int64_t tasks; // in all
};

void ledger_release(struct ledger *ledger);
// Tasks [first, first + count) of the job with this 13 character id, of jobs of `per_job` tasks, are given out.
void ledger_give(struct ledger *ledger, const char *job, int64_t per_job, int64_t first, int64_t count);
