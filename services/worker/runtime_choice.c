#include "services/worker/runtime_choice.h"

#include <stdlib.h>
#include <string.h>

struct choice {
    struct runtime base;
    struct runtime *process, *container;
    struct both *lists; // that are under way
};

// A question that both have to answer.
struct both {
    struct choice *choice;
    struct both *next;
    runtime_list_fn list;
    runtime_inspect_fn inspect;
    void *context;
    char *identity;
    struct runtime_found *found; // with texts of its own
    size_t count;
    int64_t remaining;
};

static struct choice *choice_of(struct runtime *runtime)
{
    return (struct choice *)runtime;
}

// ---- what concerns one of them

static int choose_ports(struct runtime *base, bool container, struct runtime_port *ports, size_t count, struct err *err)
{
    struct choice *choice = choice_of(base);
    return runtime_choose_ports(container ? choice->container : choice->process, container, ports, count, err);
}

static int start(struct runtime *base, const struct runtime_spec *spec, const struct runtime_events *events,
                 void *context, struct runtime_instance **out, struct err *err)
{
    struct choice *choice = choice_of(base);
    return runtime_start(spec->container ? choice->container : choice->process, spec, events, context, out, err);
}

static int adopt(struct runtime *base, const char *identity, const struct runtime_events *events, void *context,
                 struct runtime_instance **out, struct err *err)
{
    struct choice *choice = choice_of(base);
    struct err first;
    if (runtime_adopt(choice->process, identity, events, context, out, &first) == 0)
        return 0;
    if (first.code == ERR_NOT_FOUND)
        return runtime_adopt(choice->container, identity, events, context, out, err);
    return err_set(err, first.code, "%s", first.text);
}

static int adopt_task(struct runtime *base, const char *identity, const char *output,
                      const struct runtime_events *events, void *context, struct runtime_instance **out,
                      struct err *err)
{
    return runtime_adopt_task(choice_of(base)->container, identity, output, events, context, out, err);
}

// ---- what concerns both

static int extend_lease(struct runtime *base, int64_t deadline_boot_ms, struct err *err)
{
    struct choice *choice = choice_of(base);
    int process = runtime_extend_lease(choice->process, deadline_boot_ms, err);
    int container = runtime_extend_lease(choice->container, deadline_boot_ms, err);
    return MIN(process, container);
}

static void both_free(struct both *both)
{
    struct both **link = &both->choice->lists;
    while (*link != both)
        link = &(*link)->next;
    *link = both->next;
    for (size_t i = 0; i < both->count; i++)
        free((char *)both->found[i].identity);
    free(both->found);
    free(both->identity);
    free(both);
}

static struct both *both_new(struct choice *choice, void *context, struct err *err)
{
    struct both *both = calloc(1, sizeof *both);
    if (!both) {
        err_set(err, ERR_NO_MEMORY, "no memory to look for what runs");
        return NULL;
    }
    *both = (struct both){.choice = choice, .next = choice->lists, .context = context};
    choice->lists = both;
    return both;
}

static void fail_list(struct both *both, const struct err *error)
{
    both->list(both->context, NULL, 0, error);
    both_free(both);
}

// Keeps what is found; directories are not asked for again.
static int keep(struct both *both, const struct runtime_found *found, size_t count, struct err *err)
{
    struct runtime_found *grown = realloc(both->found, (both->count + count + 1) * sizeof *grown);
    if (!grown)
        return err_set(err, ERR_NO_MEMORY, "no memory for what runs");
    both->found = grown;
    for (size_t i = 0; i < count; i++) {
        struct runtime_found *kept = &grown[both->count];
        *kept = found[i];
        kept->directory = "";
        kept->identity = strdup(found[i].identity);
        if (!kept->identity)
            return err_set(err, ERR_NO_MEMORY, "no memory for what runs");
        both->count++;
    }
    return 0;
}

static void on_second_list(void *context, const struct runtime_found *found, size_t count, const struct err *error)
{
    struct both *both = context;
    struct err err;
    if (error) {
        fail_list(both, error);
    } else if (keep(both, found, count, &err) < 0) {
        fail_list(both, &err);
    } else {
        both->list(both->context, both->found, both->count, NULL);
        both_free(both);
    }
}

static void on_first_list(void *context, const struct runtime_found *found, size_t count, const struct err *error)
{
    struct both *both = context;
    struct err err;
    if (error)
        fail_list(both, error);
    else if (keep(both, found, count, &err) < 0 ||
             runtime_list(both->choice->container, on_second_list, both, &err) < 0)
        fail_list(both, &err);
}

static int list(struct runtime *base, runtime_list_fn function, void *context, struct err *err)
{
    struct choice *choice = choice_of(base);
    struct both *both = both_new(choice, context, err);
    if (!both)
        return -1;
    both->list = function;
    if (runtime_list(choice->process, on_first_list, both, err) == 0)
        return 0;
    both_free(both);
    return -1;
}

static void tell_inspected(struct both *both, int64_t remaining, const struct err *error)
{
    both->inspect(both->context, remaining, error);
    both_free(both);
}

static void on_second_inspect(void *context, int64_t remaining, const struct err *error)
{
    struct both *both = context;
    tell_inspected(both, error ? -1 : both->remaining + remaining, error);
}

static void on_first_inspect(void *context, int64_t remaining, const struct err *error)
{
    struct both *both = context;
    struct err err;
    both->remaining = remaining;
    if (error)
        tell_inspected(both, -1, error);
    else if (runtime_inspect(both->choice->container, both->identity, on_second_inspect, both, &err) < 0)
        tell_inspected(both, -1, &err);
}

static int inspect(struct runtime *base, const char *identity, runtime_inspect_fn function, void *context,
                   struct err *err)
{
    struct choice *choice = choice_of(base);
    struct both *both = both_new(choice, context, err);
    if (!both)
        return -1;
    both->inspect = function;
    both->identity = strdup(identity);
    int outcome = both->identity ? runtime_inspect(choice->process, identity, on_first_inspect, both, err)
                                 : err_set(err, ERR_NO_MEMORY, "no memory to look for what runs");
    if (outcome < 0)
        both_free(both);
    return outcome;
}

static void free_choice(struct runtime *base)
{
    struct choice *choice = choice_of(base);
    runtime_free(choice->process);
    runtime_free(choice->container);
    while (choice->lists)
        both_free(choice->lists);
    free(choice);
}

int runtime_choice_new(struct runtime *process, struct runtime *container, struct runtime **out, struct err *err)
{
    static const struct runtime_ops ops = {
        // the rest is called with instances, which have their own runtime
        .name = "choice",
        .choose_ports = choose_ports,
        .extend_lease = extend_lease,
        .start = start,
        .adopt = adopt,
        .adopt_task = adopt_task,
        .list = list,
        .inspect = inspect,
        .free = free_choice,
    };
    struct choice *choice = calloc(1, sizeof *choice);
    if (!choice)
        return err_set(err, ERR_NO_MEMORY, "no memory for a runtime");
    *choice = (struct choice){.base.ops = &ops, .process = process, .container = container};
    *out = &choice->base;
    return 0;
}
