#include "services/jobmanager/api_doc.h"

#include "services/jobmanager/routes.h"

#include <ctype.h>

static const char head[] =
    "# The API\n"
    "\n"
    "Printed from the tables of the manager. HTTP/1.1 and JSON, described for programs at `/openapi.json`. Times are "
    "RFC 3339 in\n"
    "UTC, durations texts such as `30s`. Lists come in pages: `next` is the `cursor` of the page behind, null at the "
    "end. A query\n"
    "parameter or a field that is not named here is refused.\n"
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
    "`application/problem+json` (RFC 9457): `{type, title, status, code, detail, request_id, errors: [{pointer, code, "
    "detail}]}`.\n"
    "`errors` names every fault of a body by its JSON pointer. Any call may be answered with\n"
    "\n"
    "| Status | Code | When |\n"
    "| --- | --- | --- |\n"
    "| 400 | `invalid` | the request is wrong: nothing was done |\n"
    "| 401 | `unauthorized` | the token is missing, not known, expired or revoked; see `WWW-Authenticate` |\n"
    "| 403 | `forbidden` | the token's role may not do that: `detail` names those that may. Or there are no tokens, "
    "and "
    "a page of another origin asks |\n"
    "| 404 | `not_found` | what the path names does not exist |\n"
    "| 405 | | the path knows other methods: see `Allow` |\n"
    "| 409 | `conflict`, `stale` | the state of things speaks against it |\n"
    "| 413 | `too_large` | a limit on sizes |\n"
    "| 429 | `limit` | a token submits more often than the manager's `submit-rate` allows: try again after "
    "`Retry-After` "
    "seconds |\n"
    "| 503 | `unavailable` | the database is away or too much is waiting: try again after `Retry-After` seconds |\n"
    "\n"
    "A connection that breaks off leaves open whether the call was carried out. All calls may be repeated: a "
    "submission with its\n"
    "`Idempotency-Key`, a report by its tokens, everything else as it is: the retry of a job that has ended finds the "
    "job that an\n"
    "earlier one has made.\n"
    "\n"
    "## Calls\n"
    "\n";

static void print_section(const struct http_route *route, const struct api_doc *doc, FILE *out)
{
    fprintf(out, "\n### %s %s\n\n%c%s.", route->method, route->pattern, toupper((unsigned char)route->summary[0]),
            route->summary + 1);
    if (doc->details)
        fprintf(out, " %s", doc->details);
    fputs("\n\n", out);
    if (doc->body)
        fprintf(out, "- Body: %s\n", doc->body);
    for (size_t i = 0; i < API_QUERY_MAX && doc->query[i].name; i++)
        fprintf(out, "- `?%s=`: %s\n", doc->query[i].name, doc->query[i].meaning);
    for (size_t i = 0; i < API_REPLIES_MAX && doc->replies[i].status; i++)
        fprintf(out, "- %d: %s\n", doc->replies[i].status, doc->replies[i].meaning);
}

void api_print_markdown(FILE *out)
{
    fputs(head, out);
    routes_print_markdown(out);
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct api_doc *doc = api_doc_find(&routes_table.routes[i]);
        if (doc)
            print_section(&routes_table.routes[i], doc, out);
    }
}
