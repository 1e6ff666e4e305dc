// Looks into JSON documents in tests.
#pragma once

#include <stdint.h>

struct strbuf;

// Fails the test unless the value at `path` ("stages.0.name"; "" is the whole) is `expected`, written as compact JSON.
// What is not there is null.
void assert_json(const struct strbuf *document, const char *path, const char *expected);
// How many elements the array of this name has.
int64_t json_list_length(const struct strbuf *document, const char *name);
