// The whole API on one screen: see routes.c.
#pragma once

#include "services/common/http/route.h"

#include <stdio.h>

enum role {
    ROLE_NONE, // no token needed
    ROLE_VIEWER,
    ROLE_SUBMITTER,
    ROLE_WORKER,
    ROLE_ADMIN,
};

extern const struct http_route_table routes_table;

const char *role_name(int role);
// docs/reference/api.md's table of calls.
void routes_print_markdown(FILE *out);
