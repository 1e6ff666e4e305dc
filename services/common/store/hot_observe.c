#include "services/common/store/hot_observe.h"

#include "services/common/model/states.h"

static bool is_said_by_workers(int said)
{
    return said == INSTANCE_STARTING || said == INSTANCE_READY || said == INSTANCE_UNHEALTHY ||
           said == INSTANCE_KILLING || said == INSTANCE_STOPPED || said == INSTANCE_FAILED || said == INSTANCE_STUCK ||
           said == INSTANCE_VERIFIED;
}

int observe_next(int state, bool stop_requested, int said)
{
    if (!is_said_by_workers(said) || state == INSTANCE_PENDING)
        return -1;
    if (said == INSTANCE_FAILED && (stop_requested || !instance_may(state, INSTANCE_FAILED)))
        said = INSTANCE_STOPPED;
    else if (said == INSTANCE_STOPPED && !stop_requested && instance_may(state, INSTANCE_FAILED))
        said = INSTANCE_FAILED;
    return instance_may(state, said) ? said : -1;
}

bool observe_fails(int state, bool stop_requested, int next)
{
    bool ends = next == INSTANCE_STOPPED || next == INSTANCE_FAILED || next == INSTANCE_VERIFIED;
    bool had_ended = state == INSTANCE_STOPPED || state == INSTANCE_FAILED;
    return ends && !had_ended && !stop_requested;
}
