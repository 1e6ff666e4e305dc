#include "services/jobmanager/api_doc.h"

#include "services/common/base/version.h"
#include "services/common/http/reply.h"
#include "services/common/model/role.h"
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

// What the placeholder at `at` of a route's pattern takes; everything else is answered with 404 or 400.
static const char *placeholder_schema(const char *pattern, const char *at)
{
    if (strncmp(at, "{id}", 4) == 0 && strncmp(pattern, "/v1/tokens/", 11) == 0)
        return "{\"type\":\"string\",\"pattern\":\"^t[0-9a-hjkmnp-tv-z]{13}$\",\"example\":\"t0d5n3rf8w2c4g\"}";
    if (strncmp(at, "{id}", 4) == 0)
        return strncmp(pattern, "/v1/workers/", 12) == 0
                   ? "{\"type\":\"string\",\"pattern\":\"^[1-9][0-9]{0,18}$\",\"example\":\"1\"}"
                   : "{\"type\":\"string\",\"pattern\":\"^j[0-9a-hjkmnp-tv-z]{13}$\",\"example\":\"j0d5n3rf8w2c4g\"}";
    if (strncmp(at, "{sha256}", 8) == 0)
        return "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\"}";
    if (strncmp(at, "{index}", 7) == 0)
        return "{\"type\":\"string\",\"pattern\":\"^(0|[1-9][0-9]{0,18})$\",\"example\":\"0\"}";
    return "{\"type\":\"string\",\"minLength\":1}";
}

static void add_path_parameters(struct strbuf *out, const char *pattern, bool *first)
{
    for (const char *at = strchr(pattern, '{'); at; at = strchr(at + 1, '{')) {
        strbuf_add_format(out, "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":%s}",
                          *first ? "" : ",", (int)strcspn(at + 1, "}"), at + 1, placeholder_schema(pattern, at));
        *first = false;
    }
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// "post_v1_jobs_id_stop": method and path, one underscore for whatever stands between their words.
static void add_operation_id(struct strbuf *out, const struct http_route *route)
{
    bool gap = false;
    strbuf_add_text(out, "\"operationId\":\"");
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

static void add_refusals(struct strbuf *out, enum role needs)
{
    if (needs == ROLE_NONE)
        return;
    strbuf_add_text(out, "\"401\":{\"$ref\":\"#/components/responses/Unauthorized\"},"
                         "\"403\":{\"$ref\":\"#/components/responses/Forbidden\"},");
}

static void add_operation(struct strbuf *out, const struct http_route *route, const struct api_doc *doc)
{
    strbuf_add_char(out, '"');
    for (const char *at = route->method; *at; at++)
        strbuf_add_char(out, lower(*at));
    strbuf_add_text(out, "\":{");
    add_operation_id(out, route);
    add_text(out, ",\"summary\":", route->summary);
    if (doc->details)
        add_text(out, ",\"description\":", doc->details);
    add_security(out, (enum role)route->role);
    add_parameters(out, doc);
    add_body(out, doc);
    strbuf_add_text(out, ",\"responses\":{");
    for (size_t i = 0; i < API_REPLIES_MAX && doc->replies[i].status; i++)
        add_reply(out, &doc->replies[i]);
    add_refusals(out, (enum role)route->role);
    strbuf_add_text(out, "\"4XX\":{\"$ref\":\"#/components/responses/Problem\"},"
                         "\"5XX\":{\"$ref\":\"#/components/responses/Problem\"}}}");
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

#define REFUSAL(name, meaning)                                                                                   \
    "\"" name "\":{\"description\":\"" meaning                                                                   \
    "\",\"headers\":{\"WWW-Authenticate\":{\"schema\":{\"type\":\"string\"}}},\"content\":{\"" HTTP_TYPE_PROBLEM \
    "\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}"

static const char components[] =
    "\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
    "\"Operations name the least role of the token: viewer; submitter, who may what a viewer may; worker; "
    "admin, who may "
    "everything. Without one: any role.\"}},"
    "\"responses\":{" REFUSAL(
        "Unauthorized", "there is no token, or it is not known, has expired or was "
                        "revoked") "," REFUSAL("Forbidden", "the token's role may not do this; or a page of another "
                                                            "origin asks") ","
                                                                           "\"Problem\":{\"description\":"
                                                                           "\"what is wrong (RFC "
                                                                           "9457)\",\"content\":{"
                                                                           "\"" HTTP_TYPE_PROBLEM
                                                                           "\":{\"schema\":{\"$ref\":\"#/"
                                                                           "components/schemas/"
                                                                           "Problem\"}}}}},"
                                                                           "\"schemas\":{\"Problem\":{"
                                                                           "\"type\":\"object\","
                                                                           "\"required\":[\"type\","
                                                                           "\"title\",\"status\",\"code\","
                                                                           "\"request_id\"]"
                                                                           ","
                                                                           "\"properties\":{\"type\":{"
                                                                           "\"type\":\"string\"},\"title\":{"
                                                                           "\"type\":\"string\"},\"status\":"
                                                                           "{\"type\":\"integer\"},"
                                                                           "\"code\":{\"type\":\"string\"},"
                                                                           "\"detail\":{\"type\":\"string\"}"
                                                                           ",\"request_id\":{\"type\":"
                                                                           "\"string\"},"
                                                                           "\"errors\":{\"type\":\"array\","
                                                                           "\"items\":{\"type\":\"object\","
                                                                           "\"required\":[\"pointer\","
                                                                           "\"code\",\"detail\"],"
                                                                           "\"properties\":{\"pointer\":{"
                                                                           "\"type\":\"string\"},\"code\":{"
                                                                           "\"type\":\"string\"},\"detail\":"
                                                                           "{\"type\":\"string\"}}"
                                                                           "}}}}}}";

void api_write_openapi(struct strbuf *out)
{
    bool first = true;
    strbuf_add_text(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Curfew\",\"version\":\"" CURFEW_VERSION
                         "\",\"description\":\"Batch jobs whose services go home when the job is done.\"},"
                         "\"servers\":[{\"url\":\"/\"}],\"security\":[{\"token\":[]},{}],\"paths\":{");
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
