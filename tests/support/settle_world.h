// A job in memory for tests of settling: the view, the arrays behind it, and plans applied to them as the store would
// do.
#pragma once

#include "tests/support/test.h"

#include "services/common/model/settle.h"
#include "services/common/model/states.h"

#define SECOND INT64_C(1000000)
#define START (INT64_C(1000000) * SECOND)
#define ALL_OUTCOMES 0xfu
#define EPOCHS 64

struct world {
    struct settle_view view;
    struct settle_stage stages[8];
    struct settle_service services[8];
    struct settle_instance instances[EPOCHS];
    int64_t leased[8]; // of each stage's open tasks
    int64_t ready[8];
};

void world_init(struct world *world, size_t stages, size_t services);
struct settle_instance *world_instance(struct world *world, int service, int epoch);
struct settle_instance *world_current(struct world *world, int service);
void world_add_instance(struct world *world, int service, int epoch, int state);
// Settles until nothing changes, and holds the plan against its promise of how soon that is. Returns the first plan.
struct settle_plan world_settle(struct world *world);
