// What the API's reference says about each route of routes.c: parameters, body, replies. Printed as
// docs/reference/api.md and served as /openapi.json; a test holds it against the route table.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/http/route.h"

#include <stdio.h>

#define API_QUERY_MAX 8
#define API_REPLIES_MAX 6

enum api_type { API_TEXT, API_INTEGER, API_BOOLEAN };

struct api_query {
    const char *name; // NULL: no more
    enum api_type type;
    const char *meaning;
};

struct api_reply {
    int status;       // 0: no more
    const char *type; // media type; NULL: no body
    const char *meaning;
};

struct api_doc {
    const char *method, *pattern; // of the route
    const char *details;          // Markdown; may be NULL
    const char *body_type, *body; // media type and meaning; NULL: none
    struct api_query query[API_QUERY_MAX];
    struct api_reply replies[API_REPLIES_MAX]; // those that every call may have (400, 401, 404, 503) are left out
};

const struct api_doc *api_doc_find(const struct http_route *route); // NULL: not described
void api_print_markdown(FILE *out);
void api_write_openapi(struct strbuf *out); // OpenAPI 3.1, JSON
