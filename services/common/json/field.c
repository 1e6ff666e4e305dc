#include "services/common/json/field.h"
#include "services/common/base/parse.h"
#include "services/common/base/utf8.h"
#include "services/common/json/nearest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct field field_root(struct json_object *value, struct faults *faults)
{
    return (struct field){.value = value, .faults = faults};
}

struct field field_member(const struct field *object, const char *name)
{
    struct field member = {.parent = object, .name = name, .faults = object->faults};
    if (field_is_object(object))
        json_object_object_get_ex(object->value, name, &member.value);
    return member;
}

struct field field_item(const struct field *array, size_t index)
{
    struct field item = {.parent = array, .index = index, .faults = array->faults};
    if (index < field_count(array))
        item.value = json_object_array_get_idx(array->value, index);
    return item;
}

size_t field_count(const struct field *array)
{
    return field_is_array(array) ? json_object_array_length(array->value) : 0;
}

bool field_has(const struct field *object, const char *name)
{
    return field_member(object, name).value;
}

bool field_is_object(const struct field *field)
{
    return json_object_is_type(field->value, json_type_object);
}

bool field_is_array(const struct field *field)
{
    return json_object_is_type(field->value, json_type_array);
}

bool field_is_text(const struct field *field)
{
    return json_object_is_type(field->value, json_type_string);
}

void field_pointer(const struct field *field, struct json_pointer *out)
{
    if (!field->parent) {
        json_pointer_init(out);
        return;
    }
    field_pointer(field->parent, out);
    if (field->name)
        json_pointer_add_name(out, field->name, strlen(field->name));
    else
        json_pointer_add_index(out, field->index);
}

static void PRINTF_LIKE(3, 0)
    add_fault(const struct field *field, enum fault_code code, const char *format, va_list arguments)
{
    struct json_pointer pointer;
    field_pointer(field, &pointer);
    char detail[FAULT_DETAIL_SIZE];
    vsnprintf(detail, sizeof detail, format, arguments);
    faults_add(field->faults, code, pointer.text, "%s", detail);
}

void field_fault(const struct field *field, enum fault_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_fault(field, code, format, arguments);
    va_end(arguments);
}

void field_fault_at(const struct field *object, const char *name, enum fault_code code, const char *format, ...)
{
    struct field member = field_member(object, name);
    va_list arguments;
    va_start(arguments, format);
    add_fault(&member, code, format, arguments);
    va_end(arguments);
}

static const char *type_text(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "a boolean";
    case json_type_double:
        return "a number with a fraction";
    case json_type_int:
        return "an integer";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "an array";
    case json_type_string:
        return "a text";
    }
    return "something else";
}

static enum field_outcome wrong_type(const struct field *field, const char *wanted)
{
    field_fault(field, FAULT_TYPE, "has to be %s, not %s", wanted, type_text(field->value));
    return FIELD_WRONG;
}

enum field_outcome field_as_text(const struct field *field, size_t bytes_max, const char **out)
{
    if (!field->value)
        return FIELD_ABSENT;
    if (!field_is_text(field))
        return wrong_type(field, "a text");
    const char *text = json_object_get_string(field->value);
    size_t length = (size_t)json_object_get_string_len(field->value);
    if (length > bytes_max) {
        field_fault(field, FAULT_RANGE, "has to have at most %zu bytes, not %zu", bytes_max, length);
        return FIELD_WRONG;
    }
    if (strlen(text) != length) {
        field_fault(field, FAULT_FORMAT, "must not contain a NUL character");
        return FIELD_WRONG;
    }
    *out = text;
    return FIELD_READ;
}

static enum field_outcome check_range(const struct field *field, int64_t value, int64_t min, int64_t max, int64_t *out)
{
    if (value < min || value > max) {
        field_fault(field, FAULT_RANGE, "has to be from %" PRId64 " to %" PRId64, min, max);
        return FIELD_WRONG;
    }
    *out = value;
    return FIELD_READ;
}

enum field_outcome field_as_i64(const struct field *field, int64_t min, int64_t max, int64_t *out)
{
    if (!field->value)
        return FIELD_ABSENT;
    if (!json_object_is_type(field->value, json_type_int))
        return wrong_type(field, "an integer");
    return check_range(field, json_object_get_int64(field->value), min, max, out);
}

enum field_outcome field_as_number(const struct field *field, double min, double max, double *out)
{
    if (!field->value)
        return FIELD_ABSENT;
    if (!json_object_is_type(field->value, json_type_int) && !json_object_is_type(field->value, json_type_double))
        return wrong_type(field, "a number");
    double value = json_object_get_double(field->value);
    if (!(value >= min && value <= max)) {
        field_fault(field, FAULT_RANGE, "has to be from %g to %g", min, max);
        return FIELD_WRONG;
    }
    *out = value;
    return FIELD_READ;
}

enum field_outcome field_as_boolean(const struct field *field, bool *out)
{
    if (!field->value)
        return FIELD_ABSENT;
    if (!json_object_is_type(field->value, json_type_boolean))
        return wrong_type(field, "true or false");
    *out = json_object_get_boolean(field->value);
    return FIELD_READ;
}

enum field_outcome field_as_duration_ms(const struct field *field, int64_t min_ms, int64_t max_ms, int64_t *out)
{
    if (!field->value)
        return FIELD_ABSENT;
    if (!field_is_text(field))
        return wrong_type(field, "a duration in quotes, such as \"10s\"");
    const char *text = NULL;
    enum field_outcome outcome = field_as_text(field, PARSE_DURATION_TEXT_SIZE, &text);
    if (outcome != FIELD_READ)
        return outcome;
    int64_t ms = 0;
    if (parse_duration_ms(text, "duration", &ms, NULL) < 0) {
        field_fault(field, FAULT_FORMAT, "has to be a duration such as \"250ms\", \"10s\" or \"1h30m\", not \"%s\"",
                    text);
        return FIELD_WRONG;
    }
    if (ms < min_ms || ms > max_ms) {
        char least[PARSE_DURATION_TEXT_SIZE], most[PARSE_DURATION_TEXT_SIZE];
        duration_format(min_ms, least);
        duration_format(max_ms, most);
        field_fault(field, FAULT_RANGE, "has to be from %s to %s", least, most);
        return FIELD_WRONG;
    }
    *out = ms;
    return FIELD_READ;
}

enum field_outcome field_as_size_bytes(const struct field *field, int64_t min_bytes, int64_t max_bytes, int64_t *out)
{
    if (!field->value || json_object_is_type(field->value, json_type_int))
        return field_as_i64(field, min_bytes, max_bytes, out);
    if (!field_is_text(field))
        return wrong_type(field, "a size such as \"512Mi\"");
    const char *text = NULL;
    enum field_outcome outcome = field_as_text(field, 32, &text);
    if (outcome != FIELD_READ)
        return outcome;
    int64_t bytes = 0;
    if (parse_size_bytes(text, "size", &bytes, NULL) < 0) {
        field_fault(field, FAULT_FORMAT, "has to be a size such as \"64Ki\", \"512Mi\" or \"2Gi\", not \"%s\"", text);
        return FIELD_WRONG;
    }
    return check_range(field, bytes, min_bytes, max_bytes, out);
}

enum field_outcome field_as_array(const struct field *field, size_t items_max)
{
    if (!field->value)
        return FIELD_ABSENT;
    if (!field_is_array(field))
        return wrong_type(field, "an array");
    if (field_count(field) > items_max) {
        field_fault(field, FAULT_RANGE, "has to have at most %zu items, not %zu", items_max, field_count(field));
        return FIELD_WRONG;
    }
    return FIELD_READ;
}

enum field_outcome field_as_object(const struct field *field)
{
    if (!field->value)
        return FIELD_ABSENT;
    return field_is_object(field) ? FIELD_READ : wrong_type(field, "an object");
}

enum field_outcome field_text(const struct field *object, const char *name, size_t bytes_max, const char **out)
{
    struct field member = field_member(object, name);
    return field_as_text(&member, bytes_max, out);
}

enum field_outcome field_i64(const struct field *object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    struct field member = field_member(object, name);
    return field_as_i64(&member, min, max, out);
}

enum field_outcome field_number(const struct field *object, const char *name, double min, double max, double *out)
{
    struct field member = field_member(object, name);
    return field_as_number(&member, min, max, out);
}

enum field_outcome field_boolean(const struct field *object, const char *name, bool *out)
{
    struct field member = field_member(object, name);
    return field_as_boolean(&member, out);
}

enum field_outcome field_duration_ms(const struct field *object, const char *name, int64_t min_ms, int64_t max_ms,
                                     int64_t *out)
{
    struct field member = field_member(object, name);
    return field_as_duration_ms(&member, min_ms, max_ms, out);
}

enum field_outcome field_size_bytes(const struct field *object, const char *name, int64_t min_bytes, int64_t max_bytes,
                                    int64_t *out)
{
    struct field member = field_member(object, name);
    return field_as_size_bytes(&member, min_bytes, max_bytes, out);
}

enum field_outcome field_array(const struct field *object, const char *name, size_t items_max, struct field *out)
{
    struct field member = field_member(object, name);
    enum field_outcome outcome = field_as_array(&member, items_max);
    if (outcome == FIELD_READ)
        *out = member;
    return outcome;
}

enum field_outcome field_object(const struct field *object, const char *name, struct field *out)
{
    struct field member = field_member(object, name);
    enum field_outcome outcome = field_as_object(&member);
    if (outcome == FIELD_READ)
        *out = member;
    return outcome;
}

bool field_require(const struct field *object, const char *name)
{
    if (field_has(object, name))
        return true;
    field_fault_at(object, name, FAULT_REQUIRED, "is required");
    return false;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

void field_reject_unknown(const struct field *object, const char *const *names, size_t count)
{
    if (!field_is_object(object))
        return;
    json_object_object_foreach(object->value, name, value)
    {
        UNUSED(value);
        if (is_among(name, names, count))
            continue;
        const char *meant = nearest_name(name, names, count);
        field_fault_at(object, name, FAULT_UNKNOWN, "there is no such field%s%s%s", meant ? "; did you mean '" : "",
                       meant ? meant : "", meant ? "'?" : "");
    }
}
