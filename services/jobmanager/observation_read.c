#include "services/jobmanager/observation_read.h"

#include "services/common/model/signal_name.h"
#include "services/common/model/states.h"
#include "services/jobmanager/work_read.h"

#include <string.h>

#define OBJECT_BYTES_MAX 512
#define JSON_BYTES_MAX 16384 // of ports and signals as they are kept

static void state_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct instance_observation *observation = object;
    const char *name;
    if (!wire_text(wire, place, 64, &name))
        return;
    observation->state = instance_state_from_name(name);
    bool reportable = observation->state == INSTANCE_STARTING || observation->state == INSTANCE_READY ||
                      observation->state == INSTANCE_UNHEALTHY || observation->state == INSTANCE_KILLING ||
                      observation->state == INSTANCE_STOPPED || observation->state == INSTANCE_FAILED ||
                      observation->state == INSTANCE_STUCK || observation->state == INSTANCE_VERIFIED;
    if (!reportable)
        wire_fault(wire, place, FAULT_CHOICE, "is not a state that a worker observes");
}

static void grade_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct instance_observation *observation = object;
    const char *name;
    if (!wire_text(wire, place, 64, &name))
        return;
    for (int grade = GRADE_EXIT; grade <= GRADE_VERIFIED; grade++)
        if (strcmp(grade_name(grade), name) == 0)
            observation->grade = grade;
    if (observation->grade < 0)
        wire_fault(wire, place, FAULT_CHOICE, "is not a grade that a worker can give");
}

static void port_read(struct wire *wire, const struct wire_place *place, void *object)
{
    UNUSED(object);
    int64_t port;
    wire_i64(wire, place, 1, 65535, &port);
}

static void ports_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct instance_observation *observation = object;
    struct wire ahead = *wire;
    wire_members(&ahead, place, SPEC_PORTS_MAX, port_read, NULL);
    size_t length;
    const char *json;
    if (wire_raw(wire, place, JSON_BYTES_MAX, &json, &length))
        observation->ports = arena_copy(wire->arena, json, length);
}

struct signal_sent {
    const char *signal, *at;
};
static const struct wire_field signal_fields[] = {
    {"signal", WIRE_TEXT, true, offsetof(struct signal_sent, signal), 0, 32, NULL},
    {"at", WIRE_TEXT, true, offsetof(struct signal_sent, at), 0, 40, NULL},
};

static void signal_read(struct wire *wire, const struct wire_place *place, void *object)
{
    UNUSED(object);
    struct signal_sent sent = {0};
    wire_object(wire, place, signal_fields, ARRAY_LEN(signal_fields), &sent);
}

static void signals_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct instance_observation *observation = object;
    struct wire ahead = *wire;
    size_t count, length;
    wire_array(&ahead, place, 64, signal_read, NULL, &count);
    const char *json;
    if (wire_raw(wire, place, JSON_BYTES_MAX, &json, &length))
        observation->signals = arena_copy(wire->arena, json, length);
}

// By name or by number.
static void exit_signal_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct instance_observation *observation = object;
    int64_t number;
    const char *name;
    if (!wire_is_text(wire)) {
        if (wire_i64(wire, place, 0, 128, &number))
            observation->exit_signal = (int)number;
    } else if (wire_text(wire, place, 32, &name)) {
        observation->exit_signal = signal_number(name);
        if (observation->exit_signal < 0)
            wire_fault(wire, place, FAULT_CHOICE, "is not the name of a signal");
    }
}

static const struct wire_field exit_fields[] = {
    {"code", WIRE_INT, false, offsetof(struct instance_observation, exit_code), 0, 255, NULL},
    {"signal", WIRE_CUSTOM, false, 0, 0, 0, exit_signal_read},
};

static void exit_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_object(wire, place, exit_fields, ARRAY_LEN(exit_fields), object);
}

#define AT(member) offsetof(struct instance_observation, member)
static const struct wire_field observation_fields[] = {
    {"job", WIRE_JOB, true, AT(job), 0, 0, NULL},
    {"service", WIRE_TEXT, true, AT(service), 0, SPEC_NAME_MAX, NULL},
    {"epoch", WIRE_INT, true, AT(epoch), 1, INT32_MAX, NULL},
    {"state", WIRE_CUSTOM, true, 0, 0, 0, state_read},
    {"object", WIRE_TEXT, false, AT(object), 0, OBJECT_BYTES_MAX, NULL},
    {"host", WIRE_TEXT, false, AT(host), 0, 255, NULL},
    {"ports", WIRE_CUSTOM, false, 0, 0, 0, ports_read},
    {"boundary", WIRE_TEXT, false, AT(boundary), 0, 64, NULL},
    {"error", WIRE_CUT, false, AT(error), 0, WORK_ERROR_BYTES_MAX, NULL},
    {"exit", WIRE_CUSTOM, false, 0, 0, 0, exit_read},
    {"signals", WIRE_CUSTOM, false, 0, 0, 0, signals_read},
    {"grade", WIRE_CUSTOM, false, 0, 0, 0, grade_read},
};

static void observation_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct observation_list *list = object;
    struct instance_observation observation = {.exit_code = -1, .exit_signal = -1, .grade = -1};
    wire_object(wire, place, observation_fields, ARRAY_LEN(observation_fields), &observation);
    struct instance_observation *items =
        arena_grow(wire->arena, list->items, list->count, &list->capacity, sizeof(*list->items));
    wire->no_memory |= !items;
    if (!items)
        return;
    list->items = items;
    list->items[list->count++] = observation;
}

void observations_read(struct wire *wire, const struct wire_place *place, struct observation_list *list)
{
    size_t count;
    wire_array(wire, place, WORK_INSTANCES_MAX, observation_read, list, &count);
}
