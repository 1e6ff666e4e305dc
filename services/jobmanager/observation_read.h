// Reads the observed states of instances, which polls and reports carry.
#pragma once

#include "services/common/json/wire.h"
#include "services/common/store/hot.h"

struct observation_list {
    struct instance_observation *items; // in the arena
    size_t count, capacity;
};

// The value at hand: an array of observations, appended to the list.
void observations_read(struct wire *wire, const struct wire_place *place, struct observation_list *list);
