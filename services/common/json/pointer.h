// JSON pointers (RFC 6901) in fixed memory: "/stages/0/env/a~1b".
//
// What does not fit is cut between two characters; a pointer is for people and never followed blindly.
#pragma once

#include <stddef.h>

#define JSON_POINTER_SIZE 256

struct json_pointer {
    char text[JSON_POINTER_SIZE]; // always NUL-terminated; "" is the whole document
    size_t length;
};

void json_pointer_init(struct json_pointer *pointer);
void json_pointer_add_name(struct json_pointer *pointer, const char *name, size_t length); // escapes '~' and '/'
void json_pointer_add_index(struct json_pointer *pointer, size_t index);
