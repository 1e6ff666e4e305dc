// Names and references between services, and between stages; that nothing waits for itself.
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/spec_text.h"

#include <string.h>

enum { GRAPH_MAX = 64 };

// Things with names that wait for each other: services, or stages. At most 64, so that sets of them are bit masks.
struct graph {
    struct field list;            // of the document
    const char *names[GRAPH_MAX]; // NULL: it could not be read
    uint64_t waits[GRAPH_MAX];    // for these
    size_t count;
};
_Static_assert(SPEC_SERVICES_MAX <= GRAPH_MAX && SPEC_STAGES_MAX <= GRAPH_MAX, "sets are 64 bits");

static int number_of(const struct graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->count; i++) {
        if (graph->names[i] && strcmp(graph->names[i], name) == 0)
            return (int)i;
    }
    return -1;
}

static void check_names(const struct graph *graph, const char *kind)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct field item = field_item(&graph->list, i);
        if (graph->names[i] && number_of(graph, graph->names[i]) < (int)i)
            field_fault_at(&item, "name", FAULT_DUPLICATE, "there is another %s '%s'", kind, graph->names[i]);
    }
}

// Records that number `i` waits for `name`, which stands at `field`.
static void add_wait(struct graph *graph, size_t i, const char *name, const struct field *field, const char *kind)
{
    int other = number_of(graph, name);
    if (spec_name_problem(name) || strlen(name) > SPEC_NAME_MAX) // said already
        return;
    if (other < 0)
        field_fault(field, FAULT_REFERENCE, "there is no %s '%s'", kind, name);
    else
        graph->waits[i] |= UINT64_C(1) << other;
}

// The texts of a member that is a text or a list of them.
static void add_waits(struct graph *graph, size_t i, const char *member_name, const char *kind)
{
    struct field item = field_item(&graph->list, i);
    struct field member = field_member(&item, member_name);
    if (field_is_text(&member))
        add_wait(graph, i, json_object_get_string(member.value), &member, kind);
    for (size_t j = 0; j < field_count(&member); j++) {
        struct field name = field_item(&member, j);
        if (field_is_text(&name))
            add_wait(graph, i, json_object_get_string(name.value), &name, kind);
    }
}

static void add_waits_of_from(struct graph *graph, size_t i)
{
    struct field item = field_item(&graph->list, i);
    struct field from = field_member(&item, "from");
    struct field after = field_member(&from, "after");
    if (field_is_text(&after))
        add_wait(graph, i, json_object_get_string(after.value), &after, "stage");
    else
        add_waits(graph, i, "from", "stage");
}

// Adds whatever waits only for what is in `over`, until nothing more can be added.
static uint64_t settle(const struct graph *graph, uint64_t over)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < graph->count; i++) {
            uint64_t bit = UINT64_C(1) << i;
            if ((over & bit) || (graph->waits[i] & ~over))
                continue;
            over |= bit;
            changed = true;
        }
    }
    return over;
}

// Follows what `start` waits for until it comes back to where it has been; *entry is on the cycle. Returns the cycle.
static uint64_t find_cycle(const struct graph *graph, uint64_t over, size_t *entry)
{
    uint64_t seen = 0, cycle = 0;
    size_t at = (size_t)__builtin_ctzll(~over);
    for (; !(seen >> at & 1); at = (size_t)__builtin_ctzll(graph->waits[at] & ~over))
        seen |= UINT64_C(1) << at;
    *entry = at;
    for (; !(cycle >> at & 1); at = (size_t)__builtin_ctzll(graph->waits[at] & ~over))
        cycle |= UINT64_C(1) << at;
    return cycle;
}

static void describe_cycle(const struct graph *graph, uint64_t over, size_t entry, struct strbuf *out)
{
    size_t at = entry;
    do {
        strbuf_add_format(out, "%s waits for ", graph->names[at]);
        at = (size_t)__builtin_ctzll(graph->waits[at] & ~over);
    } while (at != entry);
    strbuf_add_text(out, graph->names[entry]);
}

static void check_cycles(const struct graph *graph, const char *const *members)
{
    uint64_t all = graph->count == 64 ? UINT64_MAX : (UINT64_C(1) << graph->count) - 1;
    uint64_t over = settle(graph, ~all);
    while (~over) {
        size_t entry = 0;
        struct strbuf story AUTO_STRBUF = STRBUF_INIT;
        uint64_t cycle = find_cycle(graph, over, &entry);
        describe_cycle(graph, over, entry, &story);
        struct field item = field_item(&graph->list, entry);
        const char *member = members[1] && field_has(&item, members[1]) ? members[1] : members[0];
        field_fault_at(&item, member, FAULT_CYCLE, "%s", strbuf_text(&story));
        over = settle(graph, over | cycle);
    }
}

static void check_services(const struct job_spec *spec, const struct field *root)
{
    static const char *const members[] = {"depends_on", NULL};
    struct graph graph = {.list = field_member(root, "services"), .count = spec->service_count};
    for (size_t i = 0; i < graph.count; i++)
        graph.names[i] = spec->services[i].name;
    check_names(&graph, "service");
    for (size_t i = 0; i < graph.count; i++)
        add_waits(&graph, i, "depends_on", "service");
    check_cycles(&graph, members);
}

static void check_stages(const struct job_spec *spec, const struct field *root)
{
    static const char *const members[] = {"after", "from"};
    struct graph graph = {.list = field_member(root, "stages"), .count = spec->stage_count};
    for (size_t i = 0; i < graph.count; i++)
        graph.names[i] = spec->stages[i].name;
    check_names(&graph, "stage");
    for (size_t i = 0; i < graph.count; i++) {
        add_waits(&graph, i, "after", "stage");
        add_waits_of_from(&graph, i);
    }
    check_cycles(&graph, members);
}

void check_graph(const struct job_spec *spec, const struct field *root, bool stage_at_top)
{
    check_services(spec, root);
    if (!stage_at_top)
        check_stages(spec, root);
}
