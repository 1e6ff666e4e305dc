#include "services/jobmanager/api_doc.h"

#include "services/common/base/version.h"
#include "services/common/http/reply.h"
#include "services/jobmanager/routes.h"

#include <string.h>

static void add_text(struct strbuf *out, const char *member, const char *text)
{
    strbuf_add_text(out, member);
    strbuf_add_json(out, text, strlen(text));
}

static const char *type_name(enum api_type type)
{
    switch (type) {
    case API_TEXT:
        return "string";
    case API_INTEGER:
        return "integer";
    case API_BOOLEAN:
        return "boolean";
    }
    return "string";
}

static void add_path_parameters(struct strbuf *out, const char *pattern, bool *first)
{
    for (const char *at = strchr(pattern, '{'); at; at = strchr(at + 1, '{')) {
        strbuf_add_format(out,
                          "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}",
                          *first ? "" : ",", (int)strcspn(at + 1, "}"), at + 1);
        *first = false;
    }
}

static void add_parameters(struct strbuf *out, const struct api_doc *doc)
{
    bool first = true;
    strbuf_add_text(out, ",\"parameters\":[");
    add_path_parameters(out, doc->pattern, &first);
    for (size_t i = 0; i < API_QUERY_MAX && doc->query[i].name; i++) {
        strbuf_add_format(out, "%s{\"name\":\"%s\",\"in\":\"query\",\"schema\":{\"type\":\"%s\"}", first ? "" : ",",
                          doc->query[i].name, type_name(doc->query[i].type));
        add_text(out, ",\"description\":", doc->query[i].meaning);
        strbuf_add_char(out, '}');
        first = false;
    }
    strbuf_add_char(out, ']');
}

static void add_body(struct strbuf *out, const struct api_doc *doc)
{
    if (!doc->body)
        return;
    add_text(out, ",\"requestBody\":{\"description\":", doc->body);
    strbuf_add_format(out, ",\"content\":{\"%s\":{}}}", doc->body_type);
}

static void add_reply(struct strbuf *out, const struct api_reply *reply)
{
    strbuf_add_format(out, "\"%d\":{", reply->status);
    add_text(out, "\"description\":", reply->meaning);
    if (reply->type)
        strbuf_add_format(out, ",\"content\":{\"%s\":{}}", reply->type);
    strbuf_add_text(out, "},");
}

static void add_operation(struct strbuf *out, const struct http_route *route, const struct api_doc *doc)
{
    strbuf_add_char(out, '"');
    for (const char *at = route->method; *at; at++)
        strbuf_add_char(out, (char)(*at - 'A' + 'a'));
    add_text(out, "\":{\"summary\":", route->summary);
    if (doc->details)
        add_text(out, ",\"description\":", doc->details);
    if (route->role == ROLE_NONE)
        strbuf_add_text(out, ",\"security\":[]");
    add_parameters(out, doc);
    add_body(out, doc);
    strbuf_add_text(out, ",\"responses\":{");
    for (size_t i = 0; i < API_REPLIES_MAX && doc->replies[i].status; i++)
        add_reply(out, &doc->replies[i]);
    strbuf_add_text(out, "\"default\":{\"$ref\":\"#/components/responses/Problem\"}}}");
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

static const char components[] =
    "\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
    "\"responses\":{\"Problem\":{\"description\":\"what is wrong (RFC 9457)\",\"content\":{\"" HTTP_TYPE_PROBLEM
    "\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}},"
    "\"schemas\":{\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\",\"request_id\"]"
    ","
    "\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
    "\"code\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"pointer\",\"code\",\"detail\"],"
    "\"properties\":{\"pointer\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}"
    "}}}}}}";

void api_write_openapi(struct strbuf *out)
{
    bool first = true;
    strbuf_add_text(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Curfew\",\"version\":\"" CURFEW_VERSION
                         "\",\"description\":\"Batch jobs whose services go home when the job is done.\"},"
                         "\"security\":[{\"token\":[]},{}],\"paths\":{");
    for (size_t i = 0; i < routes_table.count; i++) {
        if (seen_before(i))
            continue;
        if (!first)
            strbuf_add_char(out, ',');
        first = false;
        add_path(out, i);
    }
    strbuf_add_text(out, "},");
    strbuf_add_text(out, components);
    strbuf_add_char(out, '}');
}
