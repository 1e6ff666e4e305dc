#include "services/worker/orders.h"

#include "services/common/base/arena.h"
#include "services/common/json/field.h"
#include "services/common/json/parse.h"
#include "services/common/json/wire.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define RUN_MAX_BYTES (1 << 20)
#define SLICES_MAX 10000
#define ORDERS_MAX 10000
#define ITEMS_MAX 1000000
#define ORDER_ARENA_BYTES 4096
#define REPLY_ARENA_BYTES 16384

static const struct json_limits reply_limits = {
    .bytes_max = (size_t)256 << 20,
    .depth_max = 64,
    .values_max = 50000000,
    .members_max = 10000,
    .string_bytes_max = (size_t)1 << 20,
    .heap_bytes_max = SIZE_MAX,
};

void slice_order_free(struct slice_order *order)
{
    if (order)
        arena_free(order->arena);
}

void service_order_free(struct service_order *order)
{
    if (order)
        arena_free(order->arena);
}

void poll_reply_release(struct poll_reply *reply)
{
    for (size_t i = 0; i < reply->slice_count; i++)
        slice_order_free(reply->slices[i]);
    for (size_t i = 0; i < reply->start_count; i++)
        service_order_free(reply->starts[i]);
    arena_free(reply->arena);
    *reply = (struct poll_reply){0};
}

// ---- growing lists

// Room for one more element at the end of an array in the wire's arena; NULL when memory is out.
static void *add_element(struct wire *wire, void *items_pointer, size_t *count, size_t size)
{
    char **items = items_pointer;
    size_t capacity = 0;
    if ((*count & (*count - 1)) == 0) { // a power of two or none: full
        capacity = *count;
        char *grown = arena_alloc_zero(wire->arena, *count ? *count * 2 : 1, size);
        wire->no_memory |= !grown;
        if (!grown)
            return NULL;
        if (capacity > 0)
            memcpy(grown, *items, capacity * size);
        *items = grown;
    }
    return *items + size * (*count)++;
}

// ---- services and what to run, as both kinds of orders have them

static void port_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct service_address *address = object;
    struct wire key = *wire;
    key.walk.at = place->key;
    const char *name = NULL;
    int64_t number = 0;
    bool named = wire_text(&key, place, NAME_MAX_BYTES, &name);
    if (!wire_i64(wire, place, 1, 65535, &number) || !named || address->port_count == SPEC_PORTS_MAX)
        return;
    address->ports[address->port_count].name = name;
    address->ports[address->port_count].number = (int)number;
    address->port_count++;
}

static void ports_read(struct wire *wire, const struct wire_place *place, void *object)
{
    wire_members(wire, place, SPEC_PORTS_MAX, port_read, object);
}

static const struct wire_field address_fields[] = {
    {"name", WIRE_TEXT, true, offsetof(struct service_address, name), 0, NAME_MAX_BYTES, NULL},
    {"host", WIRE_TEXT, false, offsetof(struct service_address, host), 0, NAME_MAX_BYTES, NULL},
    {"ports", WIRE_CUSTOM, false, 0, 0, 0, ports_read},
};

// The two members that both kinds of orders have, as pointers into the order that is being read.
struct address_list {
    struct service_address *items;
    size_t count;
};

static void address_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct address_list *list = object;
    struct service_address *address = add_element(wire, &list->items, &list->count, sizeof *address);
    if (address)
        wire_object(wire, place, address_fields, ARRAY_LEN(address_fields), address);
    else
        wire_skip(wire);
}

static struct address_list addresses_read(struct wire *wire, const struct wire_place *place)
{
    struct address_list list = {0};
    size_t count;
    wire_array(wire, place, SPEC_SERVICES_MAX, address_read, &list, &count);
    return list;
}

typedef int spec_reader(const struct field *field, struct arena *arena, void *out, struct err *err);

static int read_stage(const struct field *field, struct arena *arena, void *out, struct err *err)
{
    return stage_spec_read(field, arena, out, err);
}

static int read_service(const struct field *field, struct arena *arena, void *out, struct err *err)
{
    return service_spec_read(field, arena, out, err);
}

// The faults inside keep their own pointers, behind the place of the whole.
static void run_faults(struct wire *wire, const struct wire_place *place, const struct faults *faults)
{
    if (faults->count > 0)
        wire_fault(wire, place, FAULT_FORMAT, "%.100s: %.140s", faults->list[0].pointer, faults->list[0].detail);
    else
        wire_fault(wire, place, FAULT_FORMAT, "cannot be read");
}

static void run_read(struct wire *wire, const struct wire_place *place, spec_reader *reader, void *out)
{
    AUTO_JSON_DOCUMENT struct json_document document = JSON_DOCUMENT_INIT;
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    const char *json;
    size_t length;
    struct err err;
    if (!wire_raw(wire, place, RUN_MAX_BYTES, &json, &length))
        return;
    bool parsed = json_parse(json, length, NULL, &document, &faults, &err) >= 0;
    struct field root = field_root(document.root, &faults);
    if (!parsed || reader(&root, wire->arena, out, &err) < 0)
        run_faults(wire, place, &faults);
}

// ---- slices

static void slice_run_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct slice_order *order = object;
    run_read(wire, place, read_stage, &order->run);
}

static void slice_services_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct slice_order *order = object;
    struct address_list list = addresses_read(wire, place);
    order->services = list.items;
    order->service_count = list.count;
}

struct item_list {
    const char **items;
    size_t count;
};

static void item_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct item_list *list = object;
    const char **item = add_element(wire, &list->items, &list->count, sizeof *item);
    const char *json = "null";
    size_t length = strlen(json);
    bool is_null = wire_is_null(wire);
    if (is_null)
        wire_skip(wire);
    else if (!wire_raw(wire, place, SPEC_ITEM_BYTES_MAX, &json, &length))
        return;
    if (item)
        *item = arena_copy(wire->arena, json, length);
    wire->no_memory |= !item || !*item;
}

static void items_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct slice_order *order = object;
    struct item_list list = {0};
    size_t count;
    wire_array(wire, place, ITEMS_MAX, item_read, &list, &count);
    order->items = list.items;
    if (count != (size_t)order->count) // `count` stands before `items` in what a manager writes
        wire_fault(wire, place, FAULT_RANGE, "has %zu items for %lld tasks", count, (long long)order->count);
}

struct adoption_list {
    struct slice_adoption *items;
    size_t count;
};

static void adoption_read(struct wire *wire, const struct wire_place *place, void *object)
{
    static const struct wire_field fields[] = {
        {"task", WIRE_I64, true, offsetof(struct slice_adoption, task), 0, INT64_MAX, NULL},
        {"logged", WIRE_I64, true, offsetof(struct slice_adoption, logged), 0, INT64_MAX, NULL},
    };
    struct adoption_list *list = object;
    struct slice_adoption *adoption = add_element(wire, &list->items, &list->count, sizeof *adoption);
    if (adoption)
        wire_object(wire, place, fields, ARRAY_LEN(fields), adoption);
    else
        wire_skip(wire);
}

static void adopted_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct slice_order *order = object;
    struct adoption_list list = {0};
    size_t count;
    wire_array(wire, place, SLICES_MAX, adoption_read, &list, &count);
    order->adopted = list.items;
    order->adopted_count = list.count;
}

static const struct wire_field slice_fields[] = {
    {"slice", WIRE_TEXT, true, offsetof(struct slice_order, slice), 0, NAME_MAX_BYTES, NULL},
    {"token", WIRE_I64, true, offsetof(struct slice_order, token), 1, INT64_MAX, NULL},
    {"job", WIRE_TEXT, true, offsetof(struct slice_order, job), 0, NAME_MAX_BYTES, NULL},
    {"stage", WIRE_TEXT, true, offsetof(struct slice_order, stage), 0, NAME_MAX_BYTES, NULL},
    {"first", WIRE_I64, true, offsetof(struct slice_order, first), 0, INT64_MAX, NULL},
    {"count", WIRE_I64, true, offsetof(struct slice_order, count), 1, ITEMS_MAX, NULL},
    {"attempt", WIRE_INT, true, offsetof(struct slice_order, attempt), 1, INT32_MAX, NULL},
    {"items", WIRE_CUSTOM, false, 0, 0, 0, items_read},
    {"run", WIRE_CUSTOM, true, 0, 0, 0, slice_run_read},
    {"services", WIRE_CUSTOM, false, 0, 0, 0, slice_services_read},
    {"bundle", WIRE_TEXT, false, offsetof(struct slice_order, bundle), 0, NAME_MAX_BYTES, NULL},
    {"adopted", WIRE_CUSTOM, false, 0, 0, 0, adopted_read},
};

// Makes an order with an arena of its own, so that it can outlive the reply. NULL when memory is out.
static void *new_order(struct wire *wire, size_t size, size_t arena_offset)
{
    struct arena *arena = arena_new(ORDER_ARENA_BYTES);
    char *order = arena ? arena_alloc_zero(arena, 1, size) : NULL;
    wire->no_memory |= !order;
    if (order)
        *(struct arena **)(void *)(order + arena_offset) = arena;
    else
        arena_free(arena);
    return order;
}

// Reads an object whose texts belong to the order's arena.
static void order_read(struct wire *wire, const struct wire_place *place, const struct wire_field *fields, size_t count,
                       void *order, struct arena *arena)
{
    struct wire own = *wire;
    own.arena = arena;
    wire_object(&own, place, fields, count, order);
    wire->walk = own.walk;
    wire->no_memory |= own.no_memory;
}

struct slice_order *slice_order_read(struct wire *wire, const struct wire_place *place)
{
    struct slice_order *order = new_order(wire, sizeof *order, offsetof(struct slice_order, arena));
    if (order)
        order_read(wire, place, slice_fields, ARRAY_LEN(slice_fields), order, order->arena);
    else
        wire_skip(wire);
    return order;
}

static void slice_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct poll_reply *reply = object;
    struct slice_order *order = slice_order_read(wire, place);
    struct slice_order **entry = order ? add_element(wire, &reply->slices, &reply->slice_count, sizeof *entry) : NULL;
    if (entry)
        *entry = order;
    else
        slice_order_free(order);
}

static void slices_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, SLICES_MAX, slice_read, object, &count);
}

// ---- starts

static void service_run_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct service_order *order = object;
    run_read(wire, place, read_service, &order->run);
}

static void service_services_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct service_order *order = object;
    struct address_list list = addresses_read(wire, place);
    order->services = list.items;
    order->service_count = list.count;
}

static const struct wire_field start_fields[] = {
    {"job", WIRE_TEXT, true, offsetof(struct service_order, job), 0, NAME_MAX_BYTES, NULL},
    {"service", WIRE_TEXT, true, offsetof(struct service_order, service), 0, NAME_MAX_BYTES, NULL},
    {"epoch", WIRE_INT, true, offsetof(struct service_order, epoch), 1, INT32_MAX, NULL},
    {"object", WIRE_TEXT, true, offsetof(struct service_order, object), 0, NAME_MAX_BYTES, NULL},
    {"run", WIRE_CUSTOM, true, 0, 0, 0, service_run_read},
    {"services", WIRE_CUSTOM, false, 0, 0, 0, service_services_read},
    {"bundle", WIRE_TEXT, false, offsetof(struct service_order, bundle), 0, NAME_MAX_BYTES, NULL},
    {"adopt", WIRE_BOOLEAN, false, offsetof(struct service_order, adopts), 0, 0, NULL},
    {"ready", WIRE_BOOLEAN, false, offsetof(struct service_order, ready), 0, 0, NULL},
};

static void start_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct poll_reply *reply = object;
    struct service_order *order = new_order(wire, sizeof *order, offsetof(struct service_order, arena));
    struct service_order **entry = order ? add_element(wire, &reply->starts, &reply->start_count, sizeof *entry) : NULL;
    if (!entry) {
        service_order_free(order);
        wire_skip(wire);
        return;
    }
    *entry = order;
    order_read(wire, place, start_fields, ARRAY_LEN(start_fields), order, order->arena);
}

static void starts_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, ORDERS_MAX, start_read, object, &count);
}

// ---- stops, verifies, cancels, stale

static const struct wire_field instance_fields[] = {
    {"job", WIRE_TEXT, true, offsetof(struct instance_name, job), 0, NAME_MAX_BYTES, NULL},
    {"service", WIRE_TEXT, true, offsetof(struct instance_name, service), 0, NAME_MAX_BYTES, NULL},
    {"epoch", WIRE_INT, true, offsetof(struct instance_name, epoch), 1, INT32_MAX, NULL},
    {"reason", WIRE_TEXT, false, offsetof(struct instance_name, reason), 0, NAME_MAX_BYTES, NULL},
};

void instance_name_read(struct wire *wire, const struct wire_place *place, struct instance_name *out)
{
    wire_object(wire, place, instance_fields, ARRAY_LEN(instance_fields), out);
}

static void stop_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct poll_reply *reply = object;
    struct instance_name *name = add_element(wire, &reply->stops, &reply->stop_count, sizeof *name);
    if (name)
        wire_object(wire, place, instance_fields, ARRAY_LEN(instance_fields), name);
    else
        wire_skip(wire);
}

static void stops_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, ORDERS_MAX, stop_read, object, &count);
}

static void verify_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct poll_reply *reply = object;
    struct instance_name *name = add_element(wire, &reply->verifies, &reply->verify_count, sizeof *name);
    if (name)
        wire_object(wire, place, instance_fields, ARRAY_LEN(instance_fields), name);
    else
        wire_skip(wire);
}

static void verifies_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, ORDERS_MAX, verify_read, object, &count);
}

static const struct wire_field cancel_fields[] = {
    {"slice", WIRE_TEXT, true, offsetof(struct slice_name, slice), 0, NAME_MAX_BYTES, NULL},
    {"token", WIRE_I64, true, offsetof(struct slice_name, token), 1, INT64_MAX, NULL},
};

static void cancel_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct poll_reply *reply = object;
    struct slice_name *name = add_element(wire, &reply->cancels, &reply->cancel_count, sizeof *name);
    if (name)
        wire_object(wire, place, cancel_fields, ARRAY_LEN(cancel_fields), name);
    else
        wire_skip(wire);
}

static void cancels_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, ORDERS_MAX, cancel_read, object, &count);
}

static void stale_one_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct poll_reply *reply = object;
    const char **entry = add_element(wire, &reply->stale, &reply->stale_count, sizeof *entry);
    const char *slice = "";
    wire_text(wire, place, NAME_MAX_BYTES, &slice);
    if (entry)
        *entry = slice;
}

static void stale_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, SLICES_MAX, stale_one_read, object, &count);
}

// ---- the reply

static const struct wire_field reply_fields[] = {
    {"lease_ms", WIRE_I64, false, offsetof(struct poll_reply, lease_ms), 0, INT64_MAX, NULL},
    {"slices", WIRE_CUSTOM, false, 0, 0, 0, slices_read},
    {"start", WIRE_CUSTOM, false, 0, 0, 0, starts_read},
    {"stop", WIRE_CUSTOM, false, 0, 0, 0, stops_read},
    {"verify", WIRE_CUSTOM, false, 0, 0, 0, verifies_read},
    {"cancel", WIRE_CUSTOM, false, 0, 0, 0, cancels_read},
    {"drain", WIRE_BOOLEAN, false, offsetof(struct poll_reply, drain), 0, 0, NULL},
    {"drill", WIRE_BOOLEAN, false, offsetof(struct poll_reply, drill), 0, 0, NULL},
    {"stale", WIRE_CUSTOM, false, 0, 0, 0, stale_read},
};

int poll_reply_read(const char *text, size_t length, struct poll_reply *out, struct err *err)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct poll_reply reply = {.arena = arena_new(REPLY_ARENA_BYTES)};
    if (!reply.arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a reply");
    int outcome = wire_read_answer(text, length, &reply_limits, reply_fields, ARRAY_LEN(reply_fields), &reply,
                                   reply.arena, &faults, err);
    if (outcome == 0) {
        *out = reply;
        return 0;
    }
    if (faults.count > 0)
        err_set(err, ERR_INVALID, "reply of the manager: %.80s: %.140s", faults.list[0].pointer, faults.list[0].detail);
    poll_reply_release(&reply);
    return -1;
}
