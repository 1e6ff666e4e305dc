#include "services/jobmanager/api_doc.h"

#include "services/common/http/reply.h"
#include "services/common/model/role.h"

#include <stdio.h>
#include <string.h>

#define JSON HTTP_TYPE_JSON
#define NDJSON HTTP_TYPE_NDJSON
#define PROBLEM HTTP_TYPE_PROBLEM
#define TEXT "text/plain"
#define ZSTD "application/zstd"
#define SSE HTTP_TYPE_SSE

#define REPLY(STATUS, MEDIA, MEANING, ...) {.status = (STATUS), .media = (MEDIA), .meaning = (MEANING), ##__VA_ARGS__}
#define A_PAGE {"limit", "Limit", "most entries of a page"}, {"cursor", "Cursor", "`next` of the page before"}
#define THE_JOB REPLY(200, JSON, "the job as it is now", .type = "Job")
#define TAGGED(TYPE, MEANING) \
    IF_NONE_MATCH, .replies = {REPLY(200, JSON, MEANING, .type = (TYPE), .headers = "ETag"), AS_IT_WAS}
#define A_REASON TAGGED("Why", "the one reason, and what to do")
#define ABOVE_A_LIMIT(when) REPLY(429, PROBLEM, when, .type = "limit", .headers = "Retry-After")
#define CONFLICT(when) REPLY(409, PROBLEM, when, .type = "conflict")
#define NO_MORE REPLY(204, NULL, "`Last-Event-ID` is the end of a closed job: do not come back")
#define IF_NONE_MATCH .headers = {{"If-None-Match", "EntityTag", "the `ETag` of an earlier reply"}}
#define AS_IT_WAS REPLY(304, NULL, "it is as it was", .headers = "ETag Vary")
#define NOTHING {JSON, "Nothing", "nothing, or `{}`", true}

static const struct api_doc docs[] = {
    {"POST",
     "/v1/jobs",
     "A header `Idempotency-Key` makes it safe to submit again after a lost reply.",
     {JSON, "JobSpec", "the [job spec](job-spec.md)", false},
     .headers =
         {{"Idempotency-Key", "IdempotencyKey", "the same key and body: the same job"},
          {"traceparent", "HeaderText",
           "W3C trace context: kept with the job, and handed on to its tasks and services as `TRACEPARENT`, in which "
           "the parent is the job's span"}},
     .replies = {REPLY(201, JSON, "it was submitted", .type = "Created", .headers = "Location"),
                 REPLY(200, JSON, "the key is known: the job that it made, `created: false`", .type = "Created",
                       .headers = "Location"),
                 REPLY(404, PROBLEM, "its bundle is not there: upload it first", .type = "not_found"),
                 CONFLICT("the key is known with another body"),
                 ABOVE_A_LIMIT(
                     "the token submits too often, or its jobs together would be above a limit, which is named")},
     .makes = {"/v1/jobs/{id}", "id"}},
    {"GET", "/v1/jobs",
     .query = {{"state", "JobState", "what it does, or its outcome"},
               {"label", "LabelQuery", "`name=value`, or `name` alone for one without a value"},
               {"name", "Name", "the job's name"},
               {"namespace", "Namespace", "where it was submitted; a token of a namespace sees no other"},
               {"since", "TimeGiven", "created then or later"},
               A_PAGE},
     TAGGED("JobsPage", "a page of jobs")},
    {"GET", "/v1/jobs/{id}", "`If-None-Match` with the `ETag` of an earlier reply saves the body.",
     .query = {{"wait", "Wait", "answer when it is so, or when the time is over"},
               {"timeout", "Duration", "of the wait, 30s unless said, 10m at most"}},
     TAGGED("Job", "the job; after a wait look whether it is so")},
    {"DELETE", "/v1/jobs/{id}", "Removes a closed job and all that belongs to it.",
     .query = {{"force", "boolean", "stop it first; it is deleted as soon as it is closed"}},
     .replies = {REPLY(204, NULL, "it is gone"),
                 REPLY(202, JSON, "it is being stopped, and deleted then", .type = "Job"),
                 CONFLICT("it is not closed")}},
    {"POST", "/v1/jobs/{id}/stop",
     "Works in every state; twice is the same as once. On a job that has ended it ends the services that are kept.",
     NOTHING, .replies = {THE_JOB}},
    {"POST", "/v1/jobs/{id}/pause", "What runs goes on, services stay.", NOTHING,
     .replies = {THE_JOB, CONFLICT("it has ended")}},
    {"POST", "/v1/jobs/{id}/resume", NULL, NOTHING, .replies = {THE_JOB, CONFLICT("it has ended")}},
    {"POST", "/v1/jobs/{id}/retry",
     "A job that goes on runs its failed tasks again. One that has ended keeps its outcome: a new job does the rest.",
     NOTHING,
     .replies = {THE_JOB, REPLY(201, JSON, "the new job", .type = "Job", .headers = "Location"),
                 CONFLICT("there is nothing to retry"),
                 ABOVE_A_LIMIT("the token's jobs together would be above a limit, which is named")}},
    {"POST",
     "/v1/jobs/{id}/extend",
     NULL,
     {JSON, "Extension", "how long; never shorter than before", false},
     .replies = {THE_JOB, CONFLICT("it keeps no services")}},
    {"GET", "/v1/jobs/{id}/spec",
     TAGGED("JobSpec", "the spec with every default filled in; listed tasks as their count")},
    {"GET", "/v1/jobs/{id}/tasks",
     .query = {{"stage", "Name", "its name"},
               {"state", "SliceState", "what they do"},
               {"single", "boolean", "an entry per task instead of per slice"},
               A_PAGE},
     TAGGED("SlicesPage|TasksPage", "slices, or tasks with `single=true`")},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}", TAGGED("Task", "the task with its item and its last failure")},
    {"GET", "/v1/jobs/{id}/services", TAGGED("Instances", "its services, all epochs")},
    {"GET", "/v1/jobs/{id}/results", "Outputs of the stages that no other stage reads.",
     .query = {{"follow", "boolean", "go on until the job has ended, each result once"}},
     .replies = {REPLY(200, NDJSON, "a result a line; a stream that breaks off is not at its end", .type = "Result")}},
    {"GET", "/v1/jobs/{id}/logs",
     "All sources in the order in which they arrived, or one. With `Accept: text/event-stream` as server-sent events "
     "that follow it: `log` events with the line of `format=json`, whose id is the offset behind it, and a last event "
     "`end` with a [StreamEnd](#streamend). `Last-Event-ID` resumes exactly, at any manager; a comment line comes "
     "while nothing happens.",
     .query = {{"source", "LogSource", "who wrote it"},
               {"follow", "boolean", "go on to the last byte, until the job is closed"},
               {"format", "LogFormat", "`raw`, or `json`: a piece a line"},
               {"offset", "Count", "begin at this byte of the merged log"}},
     .headers = {{"Last-Event-ID", "Count", "of server-sent events: the last one that came"}},
     .replies = {REPLY(200, TEXT, "the bytes as they came"),
                 REPLY(200, NDJSON, "with `format=json`", .type = "LogLine"),
                 REPLY(200, SSE, "as server-sent events", .type = "LogLine"), NO_MORE}},
    {"GET", "/v1/jobs/{id}/events",
     "With `Accept: text/event-stream` as server-sent events that follow the job, each named as its `kind`, with its "
     "`seq` as id, and a last event `end` with a [StreamEnd](#streamend). `Last-Event-ID` resumes exactly, at any "
     "manager; a comment line comes while nothing happens.",
     .query = {{"after", "EventNumber", "events with a higher `seq` only"},
               {"follow", "boolean", "go on until the job is closed"}},
     .headers = {{"Last-Event-ID", "EventNumber", "of server-sent events: the last one that came"}},
     .replies = {REPLY(200, NDJSON, "an event a line", .type = "Event"),
                 REPLY(200, SSE, "as server-sent events", .type = "Event"), NO_MORE}},
    {"GET", "/v1/jobs/{id}/cleanup", "The proof that its services are gone: a certificate for each instance.",
     TAGGED("Cleanup", "the certificates")},
    {"GET", "/v1/jobs/{id}/why", A_REASON},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}/why", A_REASON},
    {"GET", "/v1/jobs/{id}/services/{name}/why", A_REASON},
    {"PUT",
     "/v1/bundles/{sha256}",
     "The name is the SHA-256 of the content. A job that says `bundle: sha256:...` has its files in the directories "
     "that its commands start in.",
     {ZSTD, NULL, "a tar archive, compressed with zstd, 64 MiB at most", false},
     .replies = {REPLY(201, JSON, "it is stored", .type = "Bundle"),
                 REPLY(200, JSON, "it was there already", .type = "Bundle")}},
    {"HEAD", "/v1/bundles/{sha256}", "One that is there counts as used now.",
     .replies = {REPLY(200, NULL, "it is there")}},
    {"GET", "/v1/bundles/{sha256}", .replies = {REPLY(200, ZSTD, "the bundle")}},
    {"GET", "/v1/services", .query = {A_PAGE}, TAGGED("InstancesPage", "a page of services")},
    {"GET", "/v1/leaks", .query = {A_PAGE}, TAGGED("Leaks", "a page of what leaks")},
    {"GET", "/v1/workers", .query = {A_PAGE}, TAGGED("Workers", "a page of the fleet")},
    {"GET", "/v1/workers/{id}", TAGGED("Worker", "the worker")},
    {"GET", "/v1/workers/{id}/why", A_REASON},
    {"POST",
     "/v1/workers/{id}/drain",
     "It hands back what it has not started.",
     {JSON, "Drain", "`{drain: true}`, or nothing; `{drain: false}` takes it back", true},
     .replies = {REPLY(200, JSON, "the worker", .type = "Worker")}},
    {"POST",
     "/v1/workers",
     "Each registration is a new incarnation, whose work is fenced from that of the former one. `found` lists "
     "containers of services that have outlived it; those in `kept` are still wanted, an order to take them over "
     "follows, all others are to be ended.",
     {JSON, "Registration", "who it is, and what it can do", false},
     .replies = {REPLY(201, JSON, "it is registered", .type = "Registered"),
                 REPLY(409, PROBLEM, "another worker has the name and its lease is not over", .type = "name_taken",
                       .headers = "Retry-After")},
     .makes = {"/v1/workers/{id}", "worker"}},
    {"POST",
     "/v1/workers/{id}/poll",
     "Waits until there is something to do, `wait_ms` at most. What is leased to the worker and not in `held` goes "
     "back.",
     {JSON, "Poll", "what it has, and what it could do", false},
     .replies = {REPLY(200, JSON, "what to do", .type = "Work"),
                 REPLY(409, PROBLEM, "end everything that runs and register again", .type = "stale_incarnation")}},
    {"POST",
     "/v1/workers/{id}/report",
     "A slice is reported once; tasks that are named neither as succeeded nor as failed go back. `poll` saves a round "
     "trip.",
     {JSON, "Report", "what was done", false},
     .replies =
         {REPLY(200, JSON, "what was not recorded, and what the poll found", .type = "Reported"),
          REPLY(409, PROBLEM,
                "`stale`: every slice has moved on, nothing of them was recorded; `stale_incarnation`: end everything "
                "that runs and register again",
                .type = "stale stale_incarnation")}},
    {"POST",
     "/v1/tokens",
     "The reply has the token's text, which is shown this once: only its hash is kept. Several tokens of one name may "
     "be valid at a time. While none of role `admin` is, only such a one can be made.",
     {JSON, "TokenRequest", "what for, and what it may do", false},
     .replies = {REPLY(201, JSON, "the token", .type = "Token", .headers = "Cache-Control"),
                 CONFLICT("there is no token of role admin yet; or too many tokens are valid")},
     .makes = {"/v1/tokens/{id}", "id"}},
    {"GET", "/v1/tokens", "Those that have ended too, never their text.", .query = {A_PAGE},
     TAGGED("TokensPage", "a page of tokens")},
    {"DELETE", "/v1/tokens/{id}",
     "Twice is the same as once. Every manager knows it within two seconds; requests that it has let in and that still "
     "wait or stream end within five more.",
     .replies = {REPLY(200, JSON, "the token, `revoked`", .type = "Token")}},
    {"POST",
     "/v1/workers/{id}/drill",
     "For `curfew doctor --drill`: the worker's present life ends as if by SIGKILL, with the next answer to its poll. "
     "It is "
     "given nothing more until then.",
     {JSON, "Drill", "the canary", false},
     .replies = {REPLY(200, JSON, "the worker as it is now", .type = "Worker"),
                 CONFLICT("it has nothing of the canary, has something of other jobs, or does not answer")}},
    {"GET", "/v1/doctor", "Looks at the database, the reaper, the workers and what outlives its job.",
     TAGGED("Doctor", "every check, whatever it found")},
    {"GET", "/v1/version", TAGGED("Version", "who answers")},
    {"GET", "/openapi.json", TAGGED("object", "OpenAPI 3.1")},
    {"GET", "/livez", .replies = {REPLY(200, TEXT, "`ok`, whatever the database does")}},
    {"GET", "/readyz", .replies = {REPLY(200, TEXT, "`ready`; 503 while it drains or the database is away")}},
    {"GET", "/metrics", .replies = {REPLY(200, TEXT, "the Prometheus text format")}},
    {"GET", "/", IF_NONE_MATCH, .replies = {REPLY(200, TEXT, "a line per call", .headers = "ETag"), AS_IT_WAS}},
};

const struct api_doc *api_doc_find(const struct http_route *route)
{
    for (size_t i = 0; i < ARRAY_LEN(docs); i++)
        if (strcmp(docs[i].method, route->method) == 0 && strcmp(docs[i].pattern, route->pattern) == 0)
            return &docs[i];
    return NULL;
}

// ---- what all have in common

const struct api_refusal api_refusals[] = {
    {400, API_ALL, "Invalid", "invalid", "the request is wrong: nothing was done", NULL},
    {401, API_WITH_TOKEN, "Unauthorized", "unauthorized", "the token is missing, not known, expired or revoked",
     "WWW-Authenticate"},
    {403, API_WITH_TOKEN, "Forbidden", "forbidden",
     "the token's role may not do that: `detail` names those that may. Or there are no tokens, and a page of another "
     "origin asks",
     "WWW-Authenticate"},
    {404, API_WITH_PATH, "NotFound", "not_found", "what the path names does not exist", NULL},
    {405, API_OTHER_METHODS, "MethodNotAllowed", "method_not_allowed", "the path knows other methods", "Allow"},
    {413, API_WITH_BODY, "TooLarge", "too_large", "a limit on sizes, or a job alone is above one of the token", NULL},
    {414, API_ALL, "UriTooLong", "too_large", "the request line is too long", NULL},
    {417, API_ALL, "ExpectationFailed", "invalid", "`Expect` asks for something else than `100-continue`", NULL},
    {431, API_ALL, "HeadTooLarge", "too_large", "the headers are too large or too many", NULL},
    {500, API_ALL, "Internal", "internal io", "something failed that should not: the log says what", NULL},
    {503, API_ALL, "Unavailable", "unavailable no_memory", "the database is away or too much is waiting: try again",
     "Retry-After"},
    {504, API_ALL, "Timeout", "timeout", "it took too long", NULL},
    {505, API_ALL, "Version", "internal", "a version of HTTP that is not spoken here", NULL},
};
const size_t api_refusal_count = ARRAY_LEN(api_refusals);

bool api_refusal_applies(const struct api_refusal *refusal, const struct http_route *route, const struct api_doc *doc)
{
    for (size_t i = 0; i < API_REPLIES_MAX && doc->replies[i].status; i++)
        if (doc->replies[i].status == refusal->status)
            return false;
    switch (refusal->scope) {
    case API_ALL:
        return true;
    case API_WITH_TOKEN:
        return route->role != ROLE_NONE;
    case API_WITH_PATH:
        return strchr(route->pattern, '{');
    case API_WITH_BODY:
        return route->body_limit_bytes > 0;
    case API_OTHER_METHODS:
        return false;
    }
    return false;
}

const struct api_header api_headers[] = {
    {"X-Request-Id", "RequestId", "The request's own, where it has a sane one; else a new one. The log has it too."},
    {"Location", "HttpPath", "Where the job is that was made."},
    {"ETag", "EntityTag", "Names what this reply looks like now. `W/` stands before that of a compressed one."},
    {"Vary", "\"Accept-Encoding\"", "The reply might have come compressed."},
    {"Content-Encoding", "\"gzip\"", "The reply is compressed."},
    {"Retry-After", "Seconds", "Trying again is no use before."},
    {"WWW-Authenticate", "HeaderText", "What is wrong with the token."},
    {"Allow", "HeaderText", "The methods that the path knows."},
    {"Cache-Control", "HeaderText", "`no-store`."},
};
const size_t api_header_count = ARRAY_LEN(api_headers);

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(*words, text) != 0)
        words++;
    return *words;
}

// What goes through http_reply_gzip(), a fixed page or a stream. Health checks say a word only.
static bool packs(const struct api_doc *doc, const struct api_reply *reply)
{
    static const char *const texts[] = {JSON, NDJSON, TEXT, NULL}, *const words[] = {"/livez", "/readyz", NULL};
    return reply->status == 200 && reply->media && strcmp(doc->method, "GET") == 0 && is_one_of(reply->media, texts) &&
           !is_one_of(doc->pattern, words);
}

const char *api_reply_headers(const struct api_doc *doc, const struct api_reply *reply,
                              char out[static API_REPLY_HEADERS_SIZE])
{
    const char *own = reply->headers ? reply->headers : "";
    if (packs(doc, reply))
        snprintf(out, API_REPLY_HEADERS_SIZE, "%s%sVary Content-Encoding", own, *own ? " " : "");
    return packs(doc, reply) ? out : reply->headers;
}

const struct api_parameter *api_accept_encoding(const struct api_doc *doc)
{
    static const struct api_parameter parameter = {"Accept-Encoding", "HeaderText",
                                                   "with `gzip`, long replies come compressed"};
    return packs(doc, &doc->replies[0]) ? &parameter : NULL;
}

const char *api_placeholder_type(const char *pattern, const char *placeholder)
{
    static const struct {
        const char *pattern, *placeholder, *type;
    } types[] = {
        {"/v1/jobs/", "{id}", "JobId"},        {"/v1/workers/", "{id}", "WorkerId"},
        {"/v1/tokens/", "{id}", "TokenId"},    {"/v1/bundles/", "{sha256}", "Sha256"},
        {"/v1/jobs/", "{stage}", "Name"},      {"/v1/jobs/", "{name}", "Name"},
        {"/v1/jobs/", "{index}", "TaskIndex"},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strncmp(pattern, types[i].pattern, strlen(types[i].pattern)) == 0 &&
            strncmp(placeholder, types[i].placeholder, strlen(types[i].placeholder)) == 0)
            return types[i].type;
    return "Word";
}

bool api_next_word(const char **list, int *length, const char **word)
{
    if (!*list)
        return false;
    *word = *list + strspn(*list, " ");
    *length = (int)strcspn(*word, " ");
    *list = *word + *length;
    return *length > 0;
}
