#include "services/common/json/source.h"
#include "services/common/json/walk.h"

#include <string.h>

static bool looks_like_json(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    return at < length && text[at] == '{';
}

static int check_json(const char *text, size_t length, const struct json_limits *limits, struct yaml_fault *fault,
                      struct err *err)
{
    struct json_scanned scanned;
    struct err local;
    if (json_scan(text, length, limits, &scanned, &local) == 0)
        return 0;
    if (fault)
        *fault = (struct yaml_fault){.line = scanned.line, .column = scanned.column, .pointer = scanned.pointer};
    return err_set(err, local.code, "%s", scanned.problem);
}

int source_read(const char *text, size_t length, const struct json_limits *limits, struct source *out,
                struct yaml_fault *fault, struct err *err)
{
    struct source source = {.json = text, .length = length, .is_yaml = !looks_like_json(text, length)};
    if (!source.is_yaml) {
        if (check_json(text, length, limits, fault, err) < 0)
            return -1;
    } else {
        if (yaml_to_json(text, length, limits, &source.yaml, fault, err) < 0)
            return -1;
        source.json = source.yaml.json;
        source.length = source.yaml.length;
    }
    *out = source;
    return 0;
}

void source_release(struct source *source)
{
    yaml_document_release(&source->yaml);
    *source = (struct source)SOURCE_INIT;
}

void source_locate(const struct source *source, const char *pointer, size_t *line, size_t *column)
{
    if (source->is_yaml)
        yaml_locate(&source->yaml, pointer, line, column);
    else
        json_line_column(source->json, source->length, json_locate(source->json, source->length, pointer), line,
                         column);
}
