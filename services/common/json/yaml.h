// YAML to JSON text, with a map back from places in the JSON to lines and columns.
//
// The YAML of people who write configuration: one document, block or flow style, the core schema of YAML 1.2 (so `yes`,
// `no`, `on` and `off` are texts, and 010 is ten). Refused: anchors, aliases, tags, keys that are no texts, duplicate
// keys, .inf and .nan, a second document. The JSON passes json_scan. Pure; thread-safe.
#pragma once

#include "services/common/base/err.h"
#include "services/common/json/scan.h"

#include <stddef.h>
#include <stdint.h>

struct yaml_place {
    size_t offset; // in the JSON: of a key, an item or the whole
    uint32_t line, column;
};

struct yaml_document {
    char *json; // NUL-terminated
    size_t length;
    struct yaml_place *places; // by rising offset
    size_t place_count;
};
#define YAML_DOCUMENT_INIT {0}
#define AUTO_YAML_DOCUMENT CLEANUP(yaml_document_release)

// On failure `fault` (may be NULL) has the line and column, from 1, and the pointer where it is known.
struct yaml_fault {
    size_t line, column;
    struct json_pointer pointer;
};

// Errors: ERR_INVALID, ERR_TOO_LARGE (`limits`, as for json_scan), ERR_NO_MEMORY; the text is without the place.
int yaml_to_json(const char *text, size_t length, const struct json_limits *limits, struct yaml_document *out,
                 struct yaml_fault *fault, struct err *err) WARN_UNUSED;
void yaml_document_release(struct yaml_document *document);

// Where in the YAML the thing stands that a JSON pointer names, or the nearest thing around it.
void yaml_locate(const struct yaml_document *document, const char *pointer, size_t *line, size_t *column);
