// Text to json-c tree: scan, then parse, within one budget for the whole process.
//
// json-c takes up to 800 bytes of heap for two bytes of text, so each tree is charged with its estimated size to a
// process-wide budget until it is freed. Thread-safe; one tree belongs to one thread at a time.
#pragma once

#include "services/common/base/err.h"
#include "services/common/json/faults.h"
#include "services/common/json/scan.h"

#include <json-c/json.h>
#include <stddef.h>

#define AUTO_JSON CLEANUP(json_object_cleanup)
void json_object_cleanup(struct json_object **object); // json_object_put for a local of that type

struct json_document {
    struct json_object *root; // borrowed by readers; freed by json_document_release
    size_t heap_bytes;        // charged to the budget
};
#define JSON_DOCUMENT_INIT {0}
#define AUTO_JSON_DOCUMENT CLEANUP(json_document_release)

#define JSON_BUDGET_DEFAULT_BYTES ((size_t)256 << 20)

// Sets the budget for all trees together; trees that exist stay charged. Call once at start, if at all.
void json_budget_set(size_t bytes);
size_t json_budget_used(void);

// Errors: those of json_scan; ERR_UNAVAILABLE when the trees of others leave no room for this one right now.
// `faults` may be NULL; a text that is refused becomes one fault in it, with the pointer of its place.
int json_parse(const char *text, size_t length, const struct json_limits *limits, struct json_document *out,
               struct faults *faults, struct err *err) WARN_UNUSED;
void json_document_release(struct json_document *document); // frees the tree and gives its charge back
