#include "services/jobmanager/gather.h"

#include "services/common/base/macros.h"

#define BUSY_CALLS 4
#define WAIT_MAX_US 2000

struct gather gather_after(int64_t began_us, int64_t ended_us, size_t answered, size_t queued)
{
    if (answered < BUSY_CALLS)
        return (struct gather){0};
    return (struct gather){
        .expected = answered + queued,
        .until_us = ended_us + MIN(ended_us - began_us, (int64_t)WAIT_MAX_US),
    };
}

int64_t gather_left_us(const struct gather *gather, size_t queued, int64_t now_us)
{
    return queued < gather->expected ? MAX(gather->until_us - now_us, (int64_t)0) : 0;
}
