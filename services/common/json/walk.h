// Walking through a text that json_scan has accepted, without a tree: for what a tree would be too big, and for finding
// places.
//
// A walk stands at the first character of a value or of a key. It trusts the text; never give it one that was not
// scanned.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct json_walk {
    const char *at;
    const char *end;
};

struct json_walk json_walk_start(const char *text, size_t length);
// Into the array or object: true and it stands at the first item or key; false when that is empty and it stands behind
// it.
bool json_walk_enter(struct json_walk *walk);
// At a key: steps to its value and returns the key's literal.
const char *json_walk_key(struct json_walk *walk);
// Over the value (the walk stands behind it).
void json_walk_skip(struct json_walk *walk);
// Behind a value: true and it stands at the next item or key; false when it was the last and it stands behind the
// container.
bool json_walk_next(struct json_walk *walk);

// Appends the value between `start` and `end` without the white space between its tokens: one line.
void json_compact(const char *start, const char *end, struct strbuf *out);

// The byte offset of what `pointer` names: the key of a member, the first character of an item. When there is no such
// thing, that of the nearest thing around it, at last the start of the document.
size_t json_locate(const char *text, size_t length, const char *pointer);
