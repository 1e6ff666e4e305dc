// Holds JSON against the part of JSON Schema that the API's document uses.
//
// Stricter than the standard in one thing: what a schema does not name is refused, so that no reply grows a field that
// nobody describes. A keyword that is not known here ends the test program: it would be believed and not checked.
// Thread-safe.
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#define JSON_SCHEMA_PROBLEM_SIZE 256

// Whether `value` is as `schema` says; `document` is what references lead into. `problem` says where it is not.
bool json_schema_holds(struct json_object *document, struct json_object *schema, struct json_object *value,
                       char problem[static JSON_SCHEMA_PROBLEM_SIZE]);
