// What an engine says of its own work: whether it can do anything, and what has become of a probe.
#include "services/common/base/cleanup.h"
#include "services/common/engine/reply.h"
#include "services/common/engine/reply_read.h"

#include <string.h>

#define ARENA_BYTES 1024
#define COMPONENTS_MAX 64
#define NAME_MAX_BYTES 64

struct exec_state {
    bool running;
    int64_t code, pid;
};

static const struct wire_field exec_fields[] = {
    {"Running", WIRE_BOOLEAN, true, offsetof(struct exec_state, running), 0, 0, NULL},
    {"ExitCode", WIRE_I64, false, offsetof(struct exec_state, code), INT32_MIN, INT32_MAX, NULL},
    {"Pid", WIRE_I64, false, offsetof(struct exec_state, pid), 0, INT32_MAX, NULL},
};

int engine_exec_read(const char *text, size_t length, struct engine_exec *out, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    struct exec_state state = {.code = -1};
    if (engine_reply_read(text, length, exec_fields, ARRAY_LEN(exec_fields), &state, arena, err) < 0)
        return -1;
    *out = (struct engine_exec){.began = state.pid > 0, .code = state.running ? -1 : (int)state.code};
    return 0;
}

// ---- its parts

struct component {
    const char *name;
};

static const struct wire_field component_fields[] = {
    {"Name", WIRE_CUT, false, offsetof(struct component, name), 0, NAME_MAX_BYTES, NULL},
};

static void component_read(struct wire *wire, const struct wire_place *place, void *object)
{
    bool *reaches = object;
    struct component component = {0};
    wire_object(wire, place, component_fields, ARRAY_LEN(component_fields), &component);
    *reaches |= component.name && strcmp(component.name, "containerd") == 0;
}

static void components_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, COMPONENTS_MAX, component_read, object, &count);
}

static const struct wire_field parts_fields[] = {
    {"Components", WIRE_CUSTOM, false, 0, 0, 0, components_read},
};

int engine_reaches_read(const char *text, size_t length, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(ARENA_BYTES);
    bool reaches = false;
    if (engine_reply_read(text, length, parts_fields, ARRAY_LEN(parts_fields), &reaches, arena, err) < 0)
        return -1;
    return reaches;
}
