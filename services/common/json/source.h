// A file that a person wrote, JSON or YAML, as JSON text, with line and column for every JSON pointer.
#pragma once

#include "services/common/json/yaml.h"

#include <stdbool.h>
#include <stddef.h>

struct source {
    const char *json; // valid: it has passed json_scan; borrowed from the text or from `yaml`
    size_t length;
    bool is_yaml;
    struct yaml_document yaml;
};
#define SOURCE_INIT {0}
#define AUTO_SOURCE CLEANUP(source_release)

// A text whose first character is '{' is JSON, anything else is YAML. `text` has to outlive the source.
// Errors and `fault` are those of yaml_to_json.
int source_read(const char *text, size_t length, const struct json_limits *limits, struct source *out,
                struct yaml_fault *fault, struct err *err) WARN_UNUSED;
void source_release(struct source *source);
void source_locate(const struct source *source, const char *pointer, size_t *line, size_t *column);
