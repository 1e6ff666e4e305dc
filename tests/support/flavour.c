#include "tests/support/flavour.h"

#include "tests/support/system_calls.h"

static struct system *start_system(int slots)
{
    return system_start(&(struct system_plan){.slots = slots, .patient = true});
}

static char *adapt(char *json)
{
    return json;
}

const struct flavour flavour_processes = {
    .start_system = start_system,
    .end_system = system_free,
    .adapt = adapt,
    .leftovers = system_leftovers,
};
