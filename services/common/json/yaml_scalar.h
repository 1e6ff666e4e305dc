// Plain scalars by the core schema of YAML 1.2, written as JSON.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum yaml_scalar { YAML_TEXT, YAML_NULL, YAML_BOOLEAN, YAML_NUMBER, YAML_NOT_FINITE };

enum yaml_scalar yaml_scalar_kind(const char *text, size_t length);
// Appends a scalar of the kinds NULL, BOOLEAN and NUMBER. False: a hexadecimal or octal number that does not fit.
bool yaml_scalar_write(const char *text, size_t length, enum yaml_scalar kind, struct strbuf *out);
