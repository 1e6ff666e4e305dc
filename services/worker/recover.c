#include "services/worker/recover.h"

#include "services/common/base/macros.h"

#include <stdlib.h>

struct leftover {
    struct recovery *recovery;
    struct runtime_instance *instance;
};

struct recovery {
    struct runtime *runtime;
    struct survivors *survivors;
    recovery_fn done;
    void *context;
    struct leftover *leftovers;
    size_t count, gone;
    bool freed; // by its owner; the listing that is under way frees the memory
    bool listing;
};

static void release_leftovers(struct recovery *recovery)
{
    for (size_t i = 0; i < recovery->count; i++)
        runtime_release(recovery->leftovers[i].instance);
    free(recovery->leftovers);
    recovery->leftovers = NULL;
    recovery->count = 0;
}

void recovery_free(struct recovery *recovery)
{
    if (!recovery)
        return;
    release_leftovers(recovery);
    recovery->freed = true;
    if (!recovery->listing)
        free(recovery);
}

static void finish(struct recovery *recovery, const struct err *err)
{
    recovery_fn done = recovery->done;
    void *context = recovery->context;
    size_t ended = recovery->gone;
    recovery_free(recovery);
    done(context, ended, err);
}

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    UNUSED(gone);
    struct leftover *leftover = context;
    struct recovery *recovery = leftover->recovery;
    leftover->instance = NULL;
    runtime_release(instance);
    if (++recovery->gone == recovery->count)
        finish(recovery, NULL);
}

static const struct runtime_events events = {.gone = on_gone};

static int adopt(struct recovery *recovery, const char *identity, bool survives, struct err *err)
{
    struct leftover *leftover = &recovery->leftovers[recovery->count];
    leftover->recovery = recovery;
    if (runtime_adopt(recovery->runtime, identity, &events, leftover, &leftover->instance, err) < 0)
        return -1;
    recovery->count++;
    return survives ? runtime_kill(leftover->instance, err) : 0;
}

static int take(struct recovery *recovery, const struct runtime_found *found, struct err *err)
{
    if (found->survives && survivors_tells(found->identity))
        return survivors_add(recovery->survivors, found->identity, found->begun_boot_ms, err);
    return adopt(recovery, found->identity, found->survives, err);
}

static void on_list(void *context, const struct runtime_found *found, size_t count, const struct err *error)
{
    struct recovery *recovery = context;
    struct err err = {0};
    recovery->listing = false;
    if (recovery->freed) {
        free(recovery);
        return;
    }
    if (error) {
        finish(recovery, error);
        return;
    }
    recovery->leftovers = calloc(count ? count : 1, sizeof *recovery->leftovers);
    int outcome = recovery->leftovers ? 0 : err_set(&err, ERR_NO_MEMORY, "no memory for %zu leftovers", count);
    for (size_t i = 0; i < count && outcome == 0; i++)
        if (!found[i].live)
            outcome = take(recovery, &found[i], &err);
    if (outcome < 0)
        finish(recovery, &err);
    else if (recovery->count == 0)
        finish(recovery, NULL);
}

int recovery_start(struct runtime *runtime, struct survivors *survivors, recovery_fn done, void *context,
                   struct recovery **out, struct err *err)
{
    struct recovery *recovery = calloc(1, sizeof *recovery);
    if (!recovery)
        return err_set(err, ERR_NO_MEMORY, "no memory to recover");
    *recovery = (struct recovery){
        .runtime = runtime, .survivors = survivors, .done = done, .context = context, .listing = true};
    if (runtime_list(runtime, on_list, recovery, err) < 0) {
        free(recovery);
        return -1;
    }
    *out = recovery;
    return 0;
}
