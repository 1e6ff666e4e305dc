// Containers that have outlived a former life of this worker: what it tells the manager of them, and what it does with
// them after the manager's answer.
//
// Services that are still wanted wait for an order to take them over (service_order.adopts); all others are stopped.
// Tasks go on when the manager says so, with the answer to the registration: of their slice only what they achieve is
// left, what its other tasks had achieved was in the memory that is gone. All other tasks are ended. Until a task is
// seen to be gone its token is held, so that nobody else runs it meanwhile. Single-threaded, on the loop.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/worker/orders.h"

struct runtime;
struct services;
struct survivors;
struct tasks;

// `changed` is called when a task has gone: its token is not held any more. Never from within a call.
int survivors_new(struct runtime *runtime, void (*changed)(void *context), void *context, struct survivors **out,
                  struct err *err) WARN_UNUSED;
void survivors_free(struct survivors *survivors); // takes NULL
// Whether the manager has a name for it: services and tasks. Everything else is ended before there is anything to say.
bool survivors_tells(const char *identity);
// What the runtime lists (runtime.h); twice is once. `begun_boot_ms` of a task that could go on, else 0.
int survivors_add(struct survivors *survivors, const char *identity, int64_t begun_boot_ms,
                  struct err *err) WARN_UNUSED;
size_t survivors_count(const struct survivors *survivors);

// Members of the registration, `,"found":[...],"held":[...]` and `,"adoptable":[...]` when there is any: without what
// `services` (may be NULL) has taken over by now.
void survivors_write(const struct survivors *survivors, const struct services *services, struct strbuf *out);

// The manager's answer.
struct survivors_answer {
    const struct instance_name *kept; // services that are still wanted
    size_t kept_count;
    struct slice_order **adopted; // slices whose tasks go on; what is taken over becomes NULL
    size_t adopted_count;
};
// Ends the tasks that do not go on: before the registration is kept, so that a later life, which the manager may give
// them to, cannot take what becomes of them for their own doing.
void survivors_end_others(struct survivors *survivors, const struct survivors_answer *answer);
// The rest: services wait or are stopped, tasks go on in `tasks`.
void survivors_settle(struct survivors *survivors, struct services *services, struct tasks *tasks,
                      const struct survivors_answer *answer);
size_t survivors_held(const struct survivors *survivors, int64_t *tokens, size_t capacity); // takes NULL
