// The API's page of the reference, from the tables.
#include "services/jobmanager/api_doc.h"

#include "services/common/http/reply.h"
#include "services/common/model/job_spec_schema.h"
#include "services/jobmanager/api_schemas.h"
#include "services/jobmanager/routes.h"

#include <ctype.h>
#include <string.h>

static const char head[] =
    "# The API\n"
    "\n"
    "Printed from the tables of the manager. HTTP/1.1 and JSON, described for programs at `/openapi.json`. Times are "
    "RFC 3339 in\n"
    "UTC, durations texts such as `30s`. Lists come in pages: `next` is the `cursor` of the page behind, null at the "
    "end. A query\n"
    "parameter or a field that is not named here is refused. What is got, of a kilobyte or more, and streams but for "
    "server-sent "
    "events,\n"
    "come compressed with gzip to who takes it (`Accept-Encoding`).\n"
    "\n"
    "As soon as there is a token every call but the health checks carries one: `Authorization: Bearer TOKEN`. The "
    "table names the least\n"
    "role that a call needs: a `submitter` may what a `viewer` may, a `worker` only what workers do, an `admin` "
    "everything, and `any` is\n"
    "every valid token. Without a token the manager listens on loopback only, lets everybody on the machine do "
    "everything, and answers\n"
    "neither other host names than `localhost` and addresses nor pages of other origins (403).\n"
    "\n"
    "## Errors\n"
    "\n"
    "`application/problem+json` (RFC 9457), a [Problem](#problem). `errors` names every fault of a body by its JSON "
    "pointer. What is not even\n"
    "HTTP is answered with a page of HTML without `X-Request-Id`, or not at all, and the connection is closed. Any "
    "call may\n"
    "be answered with\n"
    "\n"
    "| Status | Code | When | Headers |\n"
    "| --- | --- | --- | --- |\n";

static const char middle[] =
    "\n"
    "401 and 403 only calls that need a token, 404 those with an id in their path, 413 those with a body.\n"
    "\n"
    "A connection that breaks off leaves open whether the call was carried out. All calls may be repeated: a "
    "submission with its\n"
    "`Idempotency-Key`, a report by its tokens, everything else as it is: the retry of a job that has ended finds the "
    "job that an\n"
    "earlier one has made.\n"
    "\n"
    "## Calls\n"
    "\n";

static void print_words(const char *list, FILE *out)
{
    const char *word;
    int length;
    for (bool more = false; api_next_word(&list, &length, &word); more = true)
        fprintf(out, "%s`%.*s`", more ? ", " : "", length, word);
}

static void print_refusals(FILE *out)
{
    for (size_t i = 0; i < api_refusal_count; i++) {
        fprintf(out, "| %d | ", api_refusals[i].status);
        print_words(api_refusals[i].codes, out);
        fprintf(out, " | %s | ", api_refusals[i].meaning);
        print_words(api_refusals[i].headers, out);
        fputs(" |\n", out);
    }
}

static void print_headers(FILE *out)
{
    fputs("\n## Headers of replies\n\n| Header | Type | Meaning |\n| --- | --- | --- |\n", out);
    for (size_t i = 0; i < api_header_count; i++) {
        fprintf(out, "| `%s` | ", api_headers[i].name);
        schema_type_print(api_headers[i].type, 0, out);
        fprintf(out, " | %s |\n", api_headers[i].meaning);
    }
}

// ---- calls

// Compact JSON in lines: what is not nested deeply begins a new one.
static void print_json(const char *text, FILE *out)
{
    int depth = 0;
    bool quoted = false;
    for (; *text; text++) {
        if (quoted || !strchr("{}[],", *text)) {
            quoted = quoted ? *text != '"' : *text == '"';
            fputs(!quoted && *text == ':' ? ": " : (char[]){*text, '\0'}, out);
            if (quoted && *text == '\\')
                fputc(*++text, out);
            continue;
        }
        bool opens = *text == '{' || *text == '[', closes = *text == '}' || *text == ']';
        depth -= closes;
        if (closes && depth < 2)
            fprintf(out, "\n%*s", 2 * depth, "");
        fputc(*text, out);
        depth += opens;
        if (!closes && depth <= 2 && text[1] != '}' && text[1] != ']')
            fprintf(out, "\n%*s", 2 * depth, "");
        else if (*text == ',')
            fputc(' ', out);
    }
    fputc('\n', out);
}

static void print_example(const char *what, const char *type, FILE *out)
{
    AUTO_STRBUF struct strbuf example = STRBUF_INIT;
    if (strcmp(type, "JobSpec") == 0)
        strbuf_add_text(&example, job_spec_example);
    else
        schema_example_write(api_schemas, type, &example);
    if (example.length <= 2)
        return;
    fprintf(out, "\n%s:\n\n```json\n", what);
    print_json(strbuf_text(&example), out);
    fputs("```\n", out);
}

static void print_parameter(const char *in, const struct api_parameter *parameter, FILE *out)
{
    fprintf(out, "| `%s` | %s | ", parameter->name, in);
    schema_type_print(parameter->type, 0, out);
    fprintf(out, " | %s |\n", parameter->meaning);
}

static void print_parameters(const char *in, const struct api_parameter *parameters, FILE *out)
{
    for (size_t i = 0; i < API_PARAMETERS_MAX && parameters[i].name; i++)
        print_parameter(in, &parameters[i], out);
}

static void print_path(const char *pattern, FILE *out)
{
    for (const char *at = strchr(pattern, '{'); at; at = strchr(at + 1, '{')) {
        fprintf(out, "| `%.*s` | path | ", (int)strcspn(at + 1, "}"), at + 1);
        schema_type_print(api_placeholder_type(pattern, at), 0, out);
        fputs(" | |\n", out);
    }
}

static void print_asked(const struct api_doc *doc, FILE *out)
{
    const struct api_parameter *encoding = api_accept_encoding(doc);
    if (doc->query[0].name || doc->headers[0].name || encoding || strchr(doc->pattern, '{'))
        fputs("\n| Parameter | In | Type | Meaning |\n| --- | --- | --- | --- |\n", out);
    print_path(doc->pattern, out);
    print_parameters("query", doc->query, out);
    print_parameters("header", doc->headers, out);
    if (encoding)
        print_parameter("header", encoding, out);
    if (!doc->body.media)
        return;
    fprintf(out, "\nBody, `%s`%s: %s", doc->body.media, doc->body.optional ? ", may be absent" : "", doc->body.meaning);
    if (doc->body.type) {
        fputs(", ", out);
        schema_type_print(doc->body.type, 0, out);
    }
    fputs(".\n", out);
    if (doc->body.type)
        print_example("Such as", doc->body.type, out);
}

static void print_reply(const struct api_doc *doc, const struct api_reply *reply, FILE *out)
{
    char headers[API_REPLY_HEADERS_SIZE];
    fprintf(out, "| %d | ", reply->status);
    if (reply->media && strcmp(reply->media, HTTP_TYPE_PROBLEM) == 0) {
        fputs("[Problem](#problem) ", out);
        print_words(reply->type, out);
    } else if (reply->media) {
        fprintf(out, "`%s` ", reply->media);
        if (reply->type)
            schema_type_print(reply->type, 0, out);
    }
    fprintf(out, " | %s | ", reply->meaning);
    print_words(api_reply_headers(doc, reply, headers), out);
    fputs(" |\n", out);
}

static void print_call(const struct http_route *route, const struct api_doc *doc, FILE *out)
{
    const struct api_reply *first = &doc->replies[0];
    fprintf(out, "\n### %s %s\n\n%c%s.", route->method, route->pattern, toupper((unsigned char)route->summary[0]),
            route->summary + 1);
    if (doc->details)
        fprintf(out, " %s", doc->details);
    fputs("\n", out);
    print_asked(doc, out);
    fputs("\n| Status | Body | When | Headers |\n| --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < API_REPLIES_MAX && doc->replies[i].status; i++)
        print_reply(doc, &doc->replies[i], out);
    if (first->media && first->type && strcmp(first->type, "object") != 0)
        print_example("Such as", first->type, out);
}

static void print_schemas(FILE *out)
{
    static const char *const elsewhere[] = {"JobSpec", "Autostop", "Restart"};
    fputs("\n## Schemas\n\nMore fields may come in replies: a program skips those that it does not know.\n", out);
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
        fprintf(out, "\n### %s\n\nSee [the job spec](job-spec.md).\n", elsewhere[i]);
    for (const struct schema_set *const *set = api_schemas; *set; set++)
        for (size_t i = 0; i < (*set)->count; i++)
            schema_print(&(*set)->schemas[i], out);
}

void api_print_markdown(FILE *out)
{
    fputs(head, out);
    print_refusals(out);
    fputs(middle, out);
    routes_print_markdown(out);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct api_doc *doc = api_doc_find(&routes_table.routes[i]);
        if (doc)
            print_call(&routes_table.routes[i], doc, out);
    }
    print_headers(out);
    print_schemas(out);
}
