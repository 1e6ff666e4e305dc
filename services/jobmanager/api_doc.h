// What the API's document says about each route of routes.c: parameters, bodies, replies, problems. Served as
// /openapi.json and printed as docs/reference/api.md; tests hold it against the route table, and every reply in the
// test suite against it.
//
// To add a call: its row in routes.c, and one of the same method and pattern in api_doc.c. Its bodies are types of
// common/json/schema.h: "Job", "JobsPage", ... A new one is a row in the api_schemas_*.c that it belongs to, with a row
// for each field; limits are the constants that the reader checks, words the functions that name them. What every call
// may be answered with is in api_refusals; only a status that these do not say is a reply of the call's own. A header
// that replies may carry is a row of api_headers.
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/http/route.h"

#include <stdio.h>

#define API_PARAMETERS_MAX 8
#define API_REPLIES_MAX 7
#define API_REPLY_HEADERS_SIZE 96
#define API_LAST_EVENT_TYPE "StreamEnd" // of the data of the event `end`

struct api_parameter {
    const char *name; // NULL: no more
    const char *type; // common/json/schema.h
    const char *meaning;
};

struct api_reply {
    int status;        // 0: no more; two rows of one status have different media types
    const char *media; // media type; NULL: no body
    const char *meaning;
    const char *type;    // of a JSON body, of each line of NDJSON, of the data of each server-sent event but the last
                         // (API_LAST_EVENT_TYPE). Of a problem: its codes, with spaces between
    const char *headers; // rows of api_headers, with spaces between; NULL: none but those of every reply
};

struct api_doc {
    const char *method, *pattern; // of the route
    const char *details;          // Markdown; may be NULL
    struct {
        const char *media, *type, *meaning; // media NULL: the call takes no body
        bool optional;
    } body;
    struct api_parameter query[API_PARAMETERS_MAX], headers[API_PARAMETERS_MAX];
    struct api_reply replies[API_REPLIES_MAX]; // those that api_refusals say are left out
    struct {
        const char *pattern,
            *member; // what the first reply made is {id} of all calls below this pattern; NULL: nothing
    } makes;
};

const struct api_doc *api_doc_find(const struct http_route *route); // NULL: not described

// What calls may be answered with beside their own replies.
enum api_scope { API_ALL, API_WITH_TOKEN, API_WITH_PATH, API_WITH_BODY, API_OTHER_METHODS };
struct api_refusal {
    int status;
    enum api_scope scope;
    const char *name; // in the document
    const char *codes, *meaning, *headers;
};
extern const struct api_refusal api_refusals[];
extern const size_t api_refusal_count;
// Whether it is one of the call's; not when the call has a reply of that status.
bool api_refusal_applies(const struct api_refusal *refusal, const struct http_route *route, const struct api_doc *doc);

// Headers of replies.
struct api_header {
    const char *name, *type, *meaning;
};
extern const struct api_header api_headers[];
extern const size_t api_header_count;
// The headers of this reply, with spaces between; NULL: none but those of every reply. `out` may hold them.
const char *api_reply_headers(const struct api_doc *doc, const struct api_reply *reply,
                              char out[static API_REPLY_HEADERS_SIZE]);
// What a request may say of compression; NULL: none of the call's replies comes compressed.
const struct api_parameter *api_accept_encoding(const struct api_doc *doc);

// The type of a placeholder of a pattern: "{id}" of "/v1/jobs/{id}".
const char *api_placeholder_type(const char *pattern, const char *placeholder);

// The next of the words in *list, which spaces part, as "%.*s"; false when none is left.
bool api_next_word(const char **list, int *length, const char **word);

void api_print_markdown(FILE *out);
void api_write_openapi(struct strbuf *out); // OpenAPI 3.1, JSON
