// The whole API on one screen: see routes.c.
#pragma once

#include "services/common/http/route.h"

#include <stdio.h>

extern const struct http_route_table routes_table;

// docs/reference/api.md's table of calls.
void routes_print_markdown(FILE *out);
