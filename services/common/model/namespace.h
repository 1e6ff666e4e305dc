// Namespaces: which jobs a token sees. A job is in exactly one, a token is of one or of all.
#pragma once

#include <stdbool.h>

#define NAMESPACE_SIZE 33           // 1 to 32 lower-case letters, digits and dashes, and NUL
#define NAMESPACE_DEFAULT "default" // where jobs go that are submitted with a token of all, or with none

bool namespace_is_valid(const char *name);
