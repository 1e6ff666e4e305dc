// The OpenAPI document, written from the tables.
#include "services/jobmanager/api_doc.h"

#include "services/common/base/version.h"
#include "services/common/http/reply.h"
#include "services/common/json/problem_document.h"
#include "services/common/model/job_spec_schema.h"
#include "services/common/model/role.h"
#include "services/jobmanager/api_schemas.h"
#include "services/jobmanager/routes.h"

#include <string.h>

// The text as JSON. Of links the words stay: the pages that they lead to are not served.
static void add_text(struct strbuf *out, const char *member, const char *text)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    for (const char *open, *end; (end = strstr(text, "](")) && (open = memrchr(text, '[', (size_t)(end - text)));
         text = strchr(end, ')') + 1) {
        strbuf_add(&plain, text, (size_t)(open - text));
        strbuf_add(&plain, open + 1, (size_t)(end - open - 1));
    }
    strbuf_add_text(&plain, text);
    out->failed |= plain.failed;
    strbuf_add_text(out, member);
    strbuf_add_json(out, strbuf_text(&plain), plain.length);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// "post_v1_jobs_id_stop": method and path, one underscore for whatever stands between their words.
static void add_operation_id(struct strbuf *out, const struct http_route *route)
{
    bool gap = false;
    strbuf_add_char(out, '"');
    for (const char *at = route->method; *at; at++)
        strbuf_add_char(out, lower(*at));
    for (const char *at = route->pattern; *at; at++) {
        if (strchr("/{}.", *at)) {
            gap = true;
            continue;
        }
        if (gap)
            strbuf_add_char(out, '_');
        gap = false;
        strbuf_add_char(out, *at);
    }
    strbuf_add_text(out, strcmp(route->pattern, "/") == 0 ? "_root\"" : "\"");
}

// `,"example":...`
static void add_example(struct strbuf *out, const char *type)
{
    strbuf_add_text(out, ",\"example\":");
    if (strcmp(type, "JobSpec") == 0)
        strbuf_add_text(out, job_spec_example);
    else
        schema_example_write(api_schemas, type, out);
}

// `"schema":{...},"example":...`
static void add_schema(struct strbuf *out, const char *type)
{
    strbuf_add_text(out, "\"schema\":{");
    schema_type_write(type, 0, out);
    strbuf_add_char(out, '}');
    if (strcmp(type, "object") != 0)
        add_example(out, type);
}

// ---- what is asked

static void add_parameter(struct strbuf *out, bool *first, const char *in, const struct api_parameter *parameter)
{
    add_text(out, *first ? "{\"name\":" : ",{\"name\":", parameter->name);
    strbuf_add_format(out, ",\"in\":\"%s\",", in);
    strbuf_add_text(out, strcmp(in, "path") == 0 ? "\"required\":true," : "");
    if (parameter->meaning)
        add_text(out, "\"description\":", parameter->meaning);
    strbuf_add_text(out, parameter->meaning ? "," : "");
    add_schema(out, parameter->type);
    strbuf_add_char(out, '}');
    *first = false;
}

static void add_path_parameters(struct strbuf *out, const char *pattern, bool *first)
{
    for (const char *at = strchr(pattern, '{'); at; at = strchr(at + 1, '{')) {
        char name[32];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        add_parameter(out, first, "path", &(struct api_parameter){name, api_placeholder_type(pattern, at), NULL});
    }
}

static void add_parameters(struct strbuf *out, const struct api_doc *doc)
{
    bool first = true;
    strbuf_add_text(out, ",\"parameters\":[");
    add_path_parameters(out, doc->pattern, &first);
    for (size_t i = 0; i < API_PARAMETERS_MAX && doc->query[i].name; i++)
        add_parameter(out, &first, "query", &doc->query[i]);
    for (size_t i = 0; i < API_PARAMETERS_MAX && doc->headers[i].name; i++)
        add_parameter(out, &first, "header", &doc->headers[i]);
    if (api_accept_encoding(doc))
        add_parameter(out, &first, "header", api_accept_encoding(doc));
    strbuf_add_char(out, ']');
}

static void add_body(struct strbuf *out, const struct api_doc *doc)
{
    if (!doc->body.media)
        return;
    add_text(out, ",\"requestBody\":{\"description\":", doc->body.meaning);
    strbuf_add_format(out, ",\"required\":%s,\"content\":{\"%s\":{", doc->body.optional ? "false" : "true",
                      doc->body.media);
    if (doc->body.type)
        add_schema(out, doc->body.type);
    strbuf_add_text(out, "}}}");
}

// The role that the call asks for; or nothing at all, at a manager that has no token.
static void add_security(struct strbuf *out, enum role needs)
{
    const char *role = role_name((int)needs);
    if (needs == ROLE_NONE)
        strbuf_add_text(out, ",\"security\":[]");
    else if (needs == ROLE_ANY)
        strbuf_add_text(out, ",\"security\":[{\"token\":[]},{}]");
    else
        strbuf_add_format(out, ",\"security\":[{\"token\":[\"%s\"]},{}]", role);
}

// ---- what is answered

static void add_headers(struct strbuf *out, const char *headers)
{
    const char *word;
    int length;
    strbuf_add_text(out, ",\"headers\":{\"X-Request-Id\":{\"$ref\":\"#/components/headers/X-Request-Id\"}");
    while (api_next_word(&headers, &length, &word))
        strbuf_add_format(out, ",\"%.*s\":{\"$ref\":\"#/components/headers/%.*s\"}", length, word, length, word);
    strbuf_add_char(out, '}');
}

// `"application/problem+json":{...}`: of this status, with these codes.
static void add_problem(struct strbuf *out, int status, const char *codes)
{
    const char *word, *first = codes;
    int length, first_length = (int)strcspn(codes, " ");
    strbuf_add_format(out,
                      "\"" HTTP_TYPE_PROBLEM "\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\","
                      "\"properties\":{\"status\":{\"const\":%d},\"code\":{\"enum\":[",
                      status);
    for (bool more = false; api_next_word(&codes, &length, &word); more = true)
        strbuf_add_format(out, "%s\"%.*s\"", more ? "," : "", length, word);
    strbuf_add_format(out,
                      "]}}},\"example\":{\"type\":\"urn:curfew:problem:%.*s\",\"title\":\"%s\",\"status\":%d,"
                      "\"code\":\"%.*s\",\"detail\":\"what is wrong this time\",\"request_id\":\"018f3c2e9a7b4d10\","
                      "\"errors\":[]}}",
                      first_length, first, problem_title(status), status, first_length, first);
}

// What the data of server-sent events is: of those named so, and of all others.
static void add_events(struct strbuf *out, const char *type)
{
    strbuf_add_text(out, "\"" HTTP_TYPE_SSE "\":{\"schema\":{\"type\":\"string\"},\"x-event-data\":{\"end\":{");
    schema_type_write(API_LAST_EVENT_TYPE, 0, out);
    strbuf_add_text(out, "},\"*\":{");
    schema_type_write(type, 0, out);
    strbuf_add_text(out, "}}}");
}

static void add_media(struct strbuf *out, const struct api_reply *reply)
{
    if (strcmp(reply->media, HTTP_TYPE_PROBLEM) == 0) {
        add_problem(out, reply->status, reply->type);
        return;
    }
    if (strcmp(reply->media, HTTP_TYPE_SSE) == 0) {
        add_events(out, reply->type);
        return;
    }
    strbuf_add_format(out, "\"%s\":{", reply->media);
    if (reply->type)
        add_schema(out, reply->type);
    else if (strncmp(reply->media, "text/", 5) == 0)
        strbuf_add_text(out, "\"schema\":{\"type\":\"string\"}");
    strbuf_add_char(out, '}');
}

// What was made is the {id} of all calls below its pattern.
static void add_links(struct strbuf *out, const struct api_doc *doc)
{
    bool first = true;
    size_t length = strlen(doc->makes.pattern);
    strbuf_add_text(out, ",\"links\":{");
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        if (strncmp(route->pattern, doc->makes.pattern, length) != 0)
            continue;
        strbuf_add_text(out, first ? "" : ",");
        add_operation_id(out, route);
        strbuf_add_text(out, ":{\"operationId\":");
        add_operation_id(out, route);
        strbuf_add_format(out, ",\"parameters\":{\"id\":\"$response.body#/%s\"}}", doc->makes.member);
        first = false;
    }
    strbuf_add_char(out, '}');
}

// The replies of one status from `at` on; how many rows they are.
static size_t add_reply(struct strbuf *out, const struct api_doc *doc, size_t at)
{
    const struct api_reply *reply = &doc->replies[at];
    char headers[API_REPLY_HEADERS_SIZE];
    size_t end = at + 1;
    while (end < API_REPLIES_MAX && doc->replies[end].status == reply->status)
        end++;
    strbuf_add_format(out, "\"%d\":{", reply->status);
    add_text(out, "\"description\":", reply->meaning);
    add_headers(out, api_reply_headers(doc, reply, headers));
    if (reply->media) {
        strbuf_add_text(out, ",\"content\":{");
        for (size_t i = at; i < end; i++) {
            strbuf_add_text(out, i > at ? "," : "");
            add_media(out, &doc->replies[i]);
        }
        strbuf_add_char(out, '}');
    }
    if (at == 0 && doc->makes.pattern)
        add_links(out, doc);
    strbuf_add_char(out, '}');
    return end - at;
}

static void add_refusal(struct strbuf *out, const struct api_refusal *refusal, bool has_content)
{
    add_text(out, "{\"description\":", refusal->meaning);
    add_headers(out, refusal->headers);
    if (has_content) {
        strbuf_add_text(out, ",\"content\":{");
        add_problem(out, refusal->status, refusal->codes);
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, '}');
}

static void add_responses(struct strbuf *out, const struct http_route *route, const struct api_doc *doc)
{
    strbuf_add_text(out, ",\"responses\":{");
    for (size_t i = 0; i < API_REPLIES_MAX && doc->replies[i].status;) {
        strbuf_add_text(out, i ? "," : "");
        i += add_reply(out, doc, i);
    }
    for (size_t i = 0; i < api_refusal_count; i++) {
        const struct api_refusal *refusal = &api_refusals[i];
        if (!api_refusal_applies(refusal, route, doc))
            continue;
        strbuf_add_format(out, ",\"%d\":", refusal->status);
        if (strcmp(route->method, "HEAD") == 0)
            add_refusal(out, refusal, false);
        else
            strbuf_add_format(out, "{\"$ref\":\"#/components/responses/%s\"}", refusal->name);
    }
    strbuf_add_char(out, '}');
}

// ---- the document

static void add_operation(struct strbuf *out, const struct http_route *route, const struct api_doc *doc)
{
    strbuf_add_char(out, '"');
    for (const char *at = route->method; *at; at++)
        strbuf_add_char(out, lower(*at));
    strbuf_add_text(out, "\":{\"operationId\":");
    add_operation_id(out, route);
    add_text(out, ",\"summary\":", route->summary);
    if (doc->details)
        add_text(out, ",\"description\":", doc->details);
    add_security(out, (enum role)route->role);
    add_parameters(out, doc);
    add_body(out, doc);
    add_responses(out, route, doc);
    strbuf_add_char(out, '}');
}

// True when an earlier row has the same pattern: its object has this one's operation already.
static bool seen_before(size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(routes_table.routes[i].pattern, routes_table.routes[row].pattern) == 0)
            return true;
    return false;
}

static void add_path(struct strbuf *out, size_t row)
{
    const char *pattern = routes_table.routes[row].pattern;
    bool first = true;
    strbuf_add_format(out, "\"%s\":{", pattern);
    for (size_t i = row; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        const struct api_doc *doc = strcmp(route->pattern, pattern) == 0 ? api_doc_find(route) : NULL;
        if (!doc)
            continue;
        if (!first)
            strbuf_add_char(out, ',');
        first = false;
        add_operation(out, route, doc);
    }
    strbuf_add_char(out, '}');
}

static void add_paths(struct strbuf *out)
{
    strbuf_add_text(out, ",\"paths\":{");
    for (size_t i = 0; i < routes_table.count; i++) {
        if (seen_before(i))
            continue;
        strbuf_add_text(out, i ? "," : "");
        add_path(out, i);
    }
    strbuf_add_char(out, '}');
}

static void add_components(struct strbuf *out)
{
    strbuf_add_text(out, ",\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\","
                         "\"description\":\"Operations name the least role of the token: viewer; submitter, who may "
                         "what a viewer may; worker; admin, who may everything. Without one: any role.\"}},"
                         "\"headers\":{");
    for (size_t i = 0; i < api_header_count; i++) {
        add_text(out, i ? "," : "", api_headers[i].name);
        add_text(out, ":{\"description\":", api_headers[i].meaning);
        strbuf_add_text(out, ",\"schema\":{");
        schema_type_write(api_headers[i].type, 0, out);
        strbuf_add_text(out, "}}");
    }
    strbuf_add_text(out, "},\"responses\":{");
    for (size_t i = 0; i < api_refusal_count; i++) {
        add_text(out, i ? "," : "", api_refusals[i].name);
        strbuf_add_char(out, ':');
        add_refusal(out, &api_refusals[i], true);
    }
    strbuf_add_text(out, "},\"schemas\":{");
    job_spec_write_schemas(out);
    for (const struct schema_set *const *set = api_schemas; *set; set++)
        for (size_t i = 0; i < (*set)->count; i++) {
            strbuf_add_char(out, ',');
            schema_write(&(*set)->schemas[i], out);
        }
    strbuf_add_text(out, "}}");
}

void api_write_openapi(struct strbuf *out)
{
    strbuf_add_text(
        out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Curfew\",\"version\":\"" CURFEW_VERSION
             "\",\"description\":\"Batch jobs whose services go home when the job is done. What is not even HTTP is "
             "answered with a page of HTML without X-Request-Id, or not at all, and the connection is "
             "closed.\"},"
             "\"servers\":[{\"url\":\"/\"}],\"security\":[{\"token\":[]},{}]");
    add_paths(out);
    add_components(out);
    strbuf_add_char(out, '}');
}
