#include "services/common/json/yaml.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/walk.h"
#include "services/common/json/yaml_scalar.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct converter {
    yaml_parser_t parser;
    struct strbuf json;
    struct yaml_place *places;
    size_t place_count, place_capacity;
    bool no_memory;
    struct json_limits limits;
    unsigned depth;
    struct yaml_fault fault;
    struct err *err;
};

static int convert_node(struct converter *converter, const yaml_event_t *event);

void yaml_document_release(struct yaml_document *document)
{
    free(document->json);
    free(document->places);
    *document = (struct yaml_document)YAML_DOCUMENT_INIT;
}

static void set_place(struct yaml_fault *fault, yaml_mark_t mark)
{
    fault->line = mark.line + 1;
    fault->column = mark.column + 1;
    json_pointer_init(&fault->pointer);
}

static int refuse(struct converter *converter, enum err_code code, yaml_mark_t mark, const char *problem)
{
    set_place(&converter->fault, mark);
    return err_set(converter->err, code, "%s", problem);
}

// What libyaml found wrong, with a word on the mistake that it cannot name.
static int refuse_syntax(struct converter *converter)
{
    const yaml_parser_t *parser = &converter->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return err_set(converter->err, ERR_NO_MEMORY, "no memory to read YAML");
    const char *problem = parser->problem ? parser->problem : "not YAML";
    const char *hint = strstr(problem, "cannot start any token") ? " (tabs cannot indent)" : "";
    if (parser->error == YAML_READER_ERROR) // it reads ahead: the parser's place is the nearest one known
        return refuse(converter, ERR_INVALID, parser->mark, problem);
    set_place(&converter->fault, parser->problem_mark);
    return err_set(converter->err, ERR_INVALID, "%s%s%s%s", parser->context ? parser->context : "",
                   parser->context ? ": " : "", problem, hint);
}

static int next(struct converter *converter, yaml_event_t *event)
{
    return yaml_parser_parse(&converter->parser, event) ? 0 : refuse_syntax(converter);
}

// The next thing in the JSON stands at `mark`.
static void add_place(struct converter *converter, yaml_mark_t mark)
{
    if (converter->place_count == converter->place_capacity) {
        size_t capacity = converter->place_capacity ? converter->place_capacity * 2 : 64;
        struct yaml_place *places = reallocarray(converter->places, capacity, sizeof *places);
        if (!places) {
            converter->no_memory = true;
            return;
        }
        converter->places = places;
        converter->place_capacity = capacity;
    }
    converter->places[converter->place_count++] = (struct yaml_place){
        .offset = converter->json.length, .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

static const char *text_of(const yaml_event_t *event)
{
    return (const char *)event->data.scalar.value;
}

static bool is_plain(const yaml_event_t *event)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int write_text(struct converter *converter, const yaml_event_t *event)
{
    const char *text = text_of(event);
    size_t length = event->data.scalar.length;
    if (memchr(text, '\0', length))
        return refuse(converter, ERR_INVALID, event->start_mark, "a NUL character is not allowed");
    strbuf_add_json(&converter->json, text, length);
    return 0;
}

static int convert_scalar(struct converter *converter, const yaml_event_t *event)
{
    size_t length = event->data.scalar.length;
    enum yaml_scalar kind = is_plain(event) ? yaml_scalar_kind(text_of(event), length) : YAML_TEXT;
    if (kind == YAML_TEXT)
        return write_text(converter, event);
    if (kind == YAML_NOT_FINITE)
        return refuse(converter, ERR_INVALID, event->start_mark, "infinity and not-a-number are not allowed");
    if (!yaml_scalar_write(text_of(event), length, kind, &converter->json))
        return refuse(converter, ERR_INVALID, event->start_mark, "the integer does not fit into 64 bits");
    return 0;
}

static int convert_key(struct converter *converter, const yaml_event_t *event)
{
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(converter, ERR_INVALID, event->start_mark, "aliases are not allowed");
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(converter, ERR_INVALID, event->start_mark, "a key has to be a text");
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return refuse(converter, ERR_INVALID, event->start_mark, "anchors and tags are not allowed");
    if (is_plain(event) && yaml_scalar_kind(text_of(event), event->data.scalar.length) != YAML_TEXT)
        return refuse(converter, ERR_INVALID, event->start_mark, "a key has to be a text: put it in quotes");
    add_place(converter, event->start_mark);
    if (write_text(converter, event) < 0)
        return -1;
    strbuf_add_char(&converter->json, ':');
    return 0;
}

static int convert_value(struct converter *converter)
{
    yaml_event_t event CLEANUP(yaml_event_delete) = {0};
    if (next(converter, &event) < 0)
        return -1;
    return convert_node(converter, &event);
}

// 1: a member was written; 0: the mapping is at its end.
static int convert_member(struct converter *converter, bool first)
{
    yaml_event_t event CLEANUP(yaml_event_delete) = {0};
    if (next(converter, &event) < 0)
        return -1;
    if (event.type == YAML_MAPPING_END_EVENT)
        return 0;
    if (!first)
        strbuf_add_char(&converter->json, ',');
    if (convert_key(converter, &event) < 0 || convert_value(converter) < 0)
        return -1;
    return 1;
}

// 1: an item was written; 0: the sequence is at its end.
static int convert_item(struct converter *converter, bool first)
{
    yaml_event_t event CLEANUP(yaml_event_delete) = {0};
    if (next(converter, &event) < 0)
        return -1;
    if (event.type == YAML_SEQUENCE_END_EVENT)
        return 0;
    if (!first)
        strbuf_add_char(&converter->json, ',');
    add_place(converter, event.start_mark);
    return convert_node(converter, &event) < 0 ? -1 : 1;
}

static int convert_nested(struct converter *converter, const yaml_event_t *event)
{
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    int more = 1;
    if (converter->depth >= converter->limits.depth_max)
        return refuse(converter, ERR_TOO_LARGE, event->start_mark, "nested too deeply");
    converter->depth++;
    strbuf_add_char(&converter->json, mapping ? '{' : '[');
    for (bool first = true; more > 0; first = false)
        more = mapping ? convert_member(converter, first) : convert_item(converter, first);
    strbuf_add_char(&converter->json, mapping ? '}' : ']');
    converter->depth--;
    return more;
}

static bool has_anchor_or_tag(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor || event->data.scalar.tag;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    return event->data.mapping_start.anchor || event->data.mapping_start.tag;
}

static int convert_node(struct converter *converter, const yaml_event_t *event)
{
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(converter, ERR_INVALID, event->start_mark, "aliases are not allowed");
    if (has_anchor_or_tag(event))
        return refuse(converter, ERR_INVALID, event->start_mark, "anchors and tags are not allowed");
    return event->type == YAML_SCALAR_EVENT ? convert_scalar(converter, event) : convert_nested(converter, event);
}

static int expect(struct converter *converter, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event CLEANUP(yaml_event_delete) = {0};
    if (next(converter, &event) < 0)
        return -1;
    return event.type == type ? 0 : refuse(converter, ERR_INVALID, event.start_mark, otherwise);
}

static int convert_root(struct converter *converter)
{
    yaml_event_t event CLEANUP(yaml_event_delete) = {0};
    if (next(converter, &event) < 0)
        return -1;
    add_place(converter, event.start_mark);
    return convert_node(converter, &event);
}

static int convert(struct converter *converter)
{
    if (expect(converter, YAML_STREAM_START_EVENT, "not YAML") < 0 ||
        expect(converter, YAML_DOCUMENT_START_EVENT, "there is nothing in it") < 0 || convert_root(converter) < 0 ||
        expect(converter, YAML_DOCUMENT_END_EVENT, "not YAML") < 0)
        return -1;
    return expect(converter, YAML_STREAM_END_EVENT, "only one document is allowed");
}

static const struct yaml_place *place_at(const struct yaml_place *places, size_t count, size_t offset)
{
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (places[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return count ? &places[low] : NULL;
}

// What only the JSON shows: duplicate keys, numbers that do not fit, limits.
static int scan(struct converter *converter)
{
    struct json_scanned scanned;
    struct err local;
    if (converter->no_memory || converter->json.failed)
        return err_set(converter->err, ERR_NO_MEMORY, "no memory to read YAML");
    if (json_scan(strbuf_text(&converter->json), converter->json.length, &converter->limits, &scanned, &local) == 0)
        return 0;
    const struct yaml_place *place = place_at(converter->places, converter->place_count, scanned.offset);
    converter->fault = (struct yaml_fault){.line = place ? place->line : 1, .column = place ? place->column : 1};
    converter->fault.pointer = scanned.pointer;
    return err_set(converter->err, local.code, "%s", scanned.problem);
}

static void release(struct converter *converter)
{
    yaml_parser_delete(&converter->parser);
    strbuf_release(&converter->json);
    free(converter->places);
}

static int finish(struct converter *converter, struct yaml_document *out)
{
    size_t length = converter->json.length;
    char *json = NULL;
    if (strbuf_take(&converter->json, &json, converter->err) < 0)
        return -1;
    *out = (struct yaml_document){
        .json = json, .length = length, .places = TAKE_PTR(converter->places), .place_count = converter->place_count};
    return 0;
}

int yaml_to_json(const char *text, size_t length, const struct json_limits *limits, struct yaml_document *out,
                 struct yaml_fault *fault, struct err *err)
{
    struct converter converter CLEANUP(release) = {.limits = limits ? *limits : (struct json_limits){0}, .err = err};
    if (!yaml_parser_initialize(&converter.parser))
        return err_set(err, ERR_NO_MEMORY, "no memory to read YAML");
    if (!converter.limits.depth_max || converter.limits.depth_max > JSON_DEPTH_CAP)
        converter.limits.depth_max = converter.limits.depth_max ? JSON_DEPTH_CAP : 32;
    yaml_parser_set_encoding(&converter.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&converter.parser, (const unsigned char *)text, length);
    converter.fault = (struct yaml_fault){.line = 1, .column = 1};
    int outcome = convert(&converter) < 0 || scan(&converter) < 0 ? -1 : finish(&converter, out);
    if (fault)
        *fault = converter.fault;
    return outcome;
}

void yaml_locate(const struct yaml_document *document, const char *pointer, size_t *line, size_t *column)
{
    size_t offset = json_locate(document->json, document->length, pointer);
    const struct yaml_place *place = place_at(document->places, document->place_count, offset);
    *line = place ? place->line : 1;
    *column = place ? place->column : 1;
}
