// Containers that have outlived a former life of this worker: what it tells the manager of them, and what it does with
// them after the manager's answer.
//
// Services that are still wanted wait for an order to take them over (service_order.adopts); all others are stopped.
// Tasks are ended: what their slice had achieved was in the memory that is gone. Until a task is seen to be gone its
// token is held, so that nobody else runs it meanwhile. Single-threaded, on the loop.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/worker/orders.h"

struct runtime;
struct services;
struct survivors;

// `changed` is called when a task has gone: its token is not held any more. Never from within a call.
int survivors_new(struct runtime *runtime, void (*changed)(void *context), void *context, struct survivors **out,
                  struct err *err) WARN_UNUSED;
void survivors_free(struct survivors *survivors); // takes NULL
// Whether the manager has a name for it: services and tasks. Everything else is ended before there is anything to say.
bool survivors_tells(const char *identity);
// An identity as the runtime lists it (runtime.h); twice is once.
int survivors_add(struct survivors *survivors, const char *identity, struct err *err) WARN_UNUSED;
size_t survivors_count(const struct survivors *survivors);

// Members of the registration, `,"found":[...],"held":[...]`: without what `services` (may be NULL) has taken over by
// now.
void survivors_write(const struct survivors *survivors, const struct services *services, struct strbuf *out);
// The manager's answer: `kept` is still wanted.
void survivors_settle(struct survivors *survivors, struct services *services, const struct instance_name *kept,
                      size_t kept_count);
size_t survivors_held(const struct survivors *survivors, int64_t *tokens, size_t capacity); // takes NULL
