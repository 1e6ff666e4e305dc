#include "services/common/json/wire.h"

#include "services/common/base/id.h"
#include "services/common/base/strbuf.h"
#include "services/common/base/utf8.h"
#include "services/common/json/number_token.h"
#include "services/common/json/pointer.h"
#include "services/common/json/string_token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- faults

static void place_write(const struct wire_place *place, struct json_pointer *out)
{
    if (!place || (!place->parent && !place->key))
        return;
    place_write(place->parent, out);
    if (!place->key) {
        json_pointer_add_index(out, place->index);
        return;
    }
    char name[JSON_POINTER_SIZE];
    size_t length = json_string_decode(place->key, name, sizeof(name));
    json_pointer_add_name(out, name, length);
}

void wire_fault(struct wire *wire, const struct wire_place *place, enum fault_code code, const char *format, ...)
{
    char detail[FAULT_DETAIL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    struct json_pointer pointer;
    json_pointer_init(&pointer);
    place_write(place, &pointer);
    faults_add(wire->faults, code, pointer.text, "%s", detail);
}

static void fault_at_member(struct wire *wire, const struct wire_place *place, const char *name, enum fault_code code,
                            const char *detail)
{
    struct json_pointer pointer;
    json_pointer_init(&pointer);
    place_write(place, &pointer);
    json_pointer_add_name(&pointer, name, strlen(name));
    faults_add(wire->faults, code, pointer.text, "%s", detail);
}

// ---- single values

void wire_skip(struct wire *wire)
{
    json_walk_skip(&wire->walk);
}

bool wire_is_null(const struct wire *wire)
{
    return *wire->walk.at == 'n';
}

bool wire_is_text(const struct wire *wire)
{
    return *wire->walk.at == '"';
}

static bool wrong_type(struct wire *wire, const struct wire_place *place, const char *wanted)
{
    wire_fault(wire, place, FAULT_TYPE, "must be %s", wanted);
    wire_skip(wire);
    return false;
}

bool wire_i64(struct wire *wire, const struct wire_place *place, int64_t min, int64_t max, int64_t *out)
{
    struct json_number number;
    const char *at = wire->walk.at;
    bool is_number = *at == '-' || (*at >= '0' && *at <= '9');
    if (!is_number || json_number_check(at, wire->walk.end, &number) || !number.is_integer)
        return wrong_type(wire, place, "an integer");
    char digits[32] = "";
    memcpy(digits, at, MIN((size_t)(number.end - at), sizeof(digits) - 1));
    int64_t value = strtoll(digits, NULL, 10);
    wire->walk.at = number.end;
    if (value < min || value > max) {
        wire_fault(wire, place, FAULT_RANGE, "must be between %" PRId64 " and %" PRId64, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool wire_boolean(struct wire *wire, const struct wire_place *place, bool *out)
{
    if (*wire->walk.at != 't' && *wire->walk.at != 'f')
        return wrong_type(wire, place, "true or false");
    *out = *wire->walk.at == 't';
    wire_skip(wire);
    return true;
}

// The decoded text, NUL-terminated.
static bool text_read(struct wire *wire, const char **out, size_t *length)
{
    const char *literal = wire->walk.at;
    wire_skip(wire);
    size_t written = (size_t)(wire->walk.at - literal) - 2;
    char *text;
    if (!memchr(literal + 1, '\\', written)) {
        text = arena_copy(wire->arena, literal + 1, written);
        *length = written;
    } else {
        text = arena_alloc(wire->arena, written + 1);
        if (text)
            *length = json_string_decode(literal, text, written + 1);
    }
    wire->no_memory |= !text;
    *out = text;
    return text;
}

bool wire_text(struct wire *wire, const struct wire_place *place, size_t bytes_max, const char **out)
{
    if (!wire_is_text(wire))
        return wrong_type(wire, place, "a text");
    const char *text;
    size_t length;
    if (!text_read(wire, &text, &length))
        return false;
    if (length > bytes_max) {
        wire_fault(wire, place, FAULT_RANGE, "must have at most %zu bytes", bytes_max);
        return false;
    }
    *out = text;
    return true;
}

bool wire_text_cut(struct wire *wire, const struct wire_place *place, size_t bytes_max, const char **out,
                   size_t *length)
{
    if (!wire_is_text(wire))
        return wrong_type(wire, place, "a text");
    const char *text;
    size_t found;
    if (!text_read(wire, &text, &found))
        return false;
    if (found > bytes_max) {
        found = utf8_prefix(text, found, bytes_max);
        text = arena_copy(wire->arena, text, found);
        wire->no_memory |= !text;
    }
    *out = text;
    *length = found;
    return text;
}

// True when no white space stands between the tokens of the value, so that it can be used as it is.
static bool is_compact(const char *at, const char *end)
{
    for (bool in_text = false; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            in_text = !in_text;
        else if (!in_text && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
            return false;
    }
    return true;
}

bool wire_raw(struct wire *wire, const struct wire_place *place, size_t bytes_max, const char **out, size_t *length)
{
    const char *start = wire->walk.at;
    wire_skip(wire);
    *out = start;
    *length = (size_t)(wire->walk.at - start);
    if (!is_compact(start, wire->walk.at)) {
        AUTO_STRBUF struct strbuf compact = STRBUF_INIT;
        json_compact(start, wire->walk.at, &compact);
        *out = strbuf_ok(&compact, NULL) < 0 ? NULL : arena_copy(wire->arena, strbuf_text(&compact), compact.length);
        *length = compact.length;
        wire->no_memory |= !*out;
    }
    if (*length <= bytes_max)
        return *out;
    wire_fault(wire, place, FAULT_RANGE, "must have at most %zu bytes", bytes_max);
    return false;
}

// ---- containers

void wire_array(struct wire *wire, const struct wire_place *place, size_t items_max, wire_fn each, void *object,
                size_t *count)
{
    *count = 0;
    if (*wire->walk.at != '[') {
        wrong_type(wire, place, "an array");
        return;
    }
    bool more = json_walk_enter(&wire->walk);
    for (struct wire_place item = {place, NULL, 0}; more; more = json_walk_next(&wire->walk), item.index++) {
        if (item.index == items_max)
            wire_fault(wire, place, FAULT_RANGE, "must have at most %zu items", items_max);
        if (item.index >= items_max) {
            wire_skip(wire);
            continue;
        }
        each(wire, &item, object);
        (*count)++;
    }
}

void wire_members(struct wire *wire, const struct wire_place *place, size_t members_max, wire_fn each, void *object)
{
    if (*wire->walk.at != '{') {
        wrong_type(wire, place, "an object");
        return;
    }
    size_t count = 0;
    for (bool more = json_walk_enter(&wire->walk); more; more = json_walk_next(&wire->walk), count++) {
        struct wire_place member = {place, json_walk_key(&wire->walk), 0};
        if (count == members_max)
            wire_fault(wire, place, FAULT_RANGE, "must have at most %zu members", members_max);
        if (count >= members_max)
            wire_skip(wire);
        else
            each(wire, &member, object);
    }
}

static void job_read(struct wire *wire, const struct wire_place *place, int64_t *out)
{
    const char *text;
    if (wire_text(wire, place, 64, &text) && id_parse('j', text, out) < 0)
        wire_fault(wire, place, FAULT_FORMAT, "is not the identifier of a job");
}

static void field_read(struct wire *wire, const struct wire_place *place, const struct wire_field *field, void *object)
{
    void *target = (char *)object + field->offset;
    int64_t number;
    size_t length;
    switch (field->kind) {
    case WIRE_I64:
        wire_i64(wire, place, field->min, field->max, target);
        break;
    case WIRE_INT:
        if (wire_i64(wire, place, field->min, field->max, &number))
            *(int *)target = (int)number;
        break;
    case WIRE_BOOLEAN:
        wire_boolean(wire, place, target);
        break;
    case WIRE_TEXT:
        wire_text(wire, place, (size_t)field->max, target);
        break;
    case WIRE_CUT:
        wire_text_cut(wire, place, (size_t)field->max, target, &length);
        break;
    case WIRE_JOB:
        job_read(wire, place, target);
        break;
    case WIRE_CUSTOM:
        field->function(wire, place, object);
        break;
    }
}

static size_t field_find(const struct wire_field *fields, size_t count, const char *key)
{
    size_t i = 0;
    while (i < count && !json_string_equals(key, fields[i].name))
        i++;
    return i;
}

void wire_object(struct wire *wire, const struct wire_place *place, const struct wire_field *fields, size_t count,
                 void *object)
{
    if (*wire->walk.at != '{') {
        wrong_type(wire, place, "an object");
        return;
    }
    uint64_t seen = 0;
    for (bool more = json_walk_enter(&wire->walk); more; more = json_walk_next(&wire->walk)) {
        struct wire_place member = {place, json_walk_key(&wire->walk), 0};
        size_t i = field_find(fields, count, member.key);
        if (i == count && !wire->lenient)
            wire_fault(wire, &member, FAULT_UNKNOWN, "is not a field of this object");
        if (i == count || wire_is_null(wire)) {
            wire_skip(wire);
            continue;
        }
        seen |= UINT64_C(1) << i;
        field_read(wire, &member, &fields[i], object);
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && !(seen >> i & 1))
            fault_at_member(wire, place, fields[i].name, FAULT_REQUIRED, "is required");
}

// ---- documents

static int scan_failed(const struct json_scanned *scanned, struct faults *faults, struct err *err)
{
    if (err->code != ERR_NO_MEMORY)
        faults_add(faults, FAULT_SYNTAX, scanned->pointer.text, "%s", err->text);
    return -1;
}

static int read_document(struct wire *wire, const struct wire_field *fields, size_t count, void *object,
                         struct err *err)
{
    struct wire_place root = {0};
    wire_object(wire, &root, fields, count, object);
    if (wire->no_memory)
        return err_set(err, ERR_NO_MEMORY, "the body does not fit into memory");
    size_t wrong = faults_total(wire->faults);
    if (wrong)
        return err_set(err, ERR_INVALID, "the body has %zu %s", wrong, wrong == 1 ? "fault" : "faults");
    return 0;
}

int wire_read(const char *text, size_t length, const struct json_limits *limits, const struct wire_field *fields,
              size_t count, void *object, struct arena *arena, struct faults *faults, struct err *err)
{
    struct json_scanned scanned;
    if (json_scan(text, length, limits, &scanned, err) < 0)
        return scan_failed(&scanned, faults, err);
    struct wire wire = {.walk = json_walk_start(text, length), .arena = arena, .faults = faults};
    return read_document(&wire, fields, count, object, err);
}

int wire_read_answer(const char *text, size_t length, const struct json_limits *limits, const struct wire_field *fields,
                     size_t count, void *object, struct arena *arena, struct faults *faults, struct err *err)
{
    struct json_scanned scanned;
    if (json_scan(text, length, limits, &scanned, err) < 0)
        return scan_failed(&scanned, faults, err);
    struct wire wire = {.walk = json_walk_start(text, length), .arena = arena, .faults = faults, .lenient = true};
    return read_document(&wire, fields, count, object, err);
}
