#include "services/jobmanager/api_doc.h"

#include "services/common/http/reply.h"

#include <string.h>

#define JSON HTTP_TYPE_JSON
#define NDJSON HTTP_TYPE_NDJSON
#define PROBLEM HTTP_TYPE_PROBLEM
#define TEXT "text/plain"
#define ZSTD "application/zstd"
#define METRICS "text/plain"
#define SSE HTTP_TYPE_SSE

#define A_PAGE \
    {"limit", API_INTEGER, "most entries of a page, up to 500"}, {"cursor", API_TEXT, "`next` of the page before"}
#define THE_JOB {200, JSON, "the job as it is now"}
#define A_REASON {200, JSON, "`{code, message, evidence, advice}`: the one reason, and what to do"}
#define CONFLICT(when) {409, PROBLEM, when}

static const struct api_doc docs[] = {
    {"POST",
     "/v1/jobs",
     "A header `Idempotency-Key` (1 to 255 visible ASCII characters) makes it safe to submit again after a lost reply.",
     JSON,
     "the job spec",
     {{0}},
     {{201, JSON, "`{id, name, created: true}`, and its URL in `Location`"},
      {200, JSON, "the key is known: the job that it made, `created: false`"},
      CONFLICT("the key is known with another body"),
      {413, PROBLEM, "the spec is too large, or the job alone is above a limit of the token"},
      {429, PROBLEM, "the token submits too often, or its jobs together would be above a limit, which is named"}}},
    {"GET",
     "/v1/jobs",
     NULL,
     NULL,
     NULL,
     {{"state", API_TEXT, "queued, starting, running, paused, or an outcome"},
      {"label", API_TEXT, "`name=value`, or `name` alone"},
      {"name", API_TEXT, "the job's name"},
      {"namespace", API_TEXT, "where it was submitted; a token of a namespace sees no other"},
      {"since", API_TEXT, "created then or later, RFC 3339 in UTC"},
      A_PAGE},
     {{200, JSON, "`{jobs: [...], next}`"}}},
    {"GET",
     "/v1/jobs/{id}",
     "`If-None-Match` with the `ETag` of an earlier reply saves the body.",
     NULL,
     NULL,
     {{"wait", API_TEXT, "`outcome` or `closed`: answer when it is so, or when the time is over"},
      {"timeout", API_TEXT, "of the wait, 30s unless said, 10m at most"}},
     {{200, JSON, "the job; after a wait look whether it is so"}, {304, NULL, "it is as it was"}}},
    {"DELETE",
     "/v1/jobs/{id}",
     "Removes a closed job and all that belongs to it.",
     NULL,
     NULL,
     {{"force", API_BOOLEAN, "stop it first; it is deleted as soon as it is closed"}},
     {{204, NULL, "it is gone"}, {202, JSON, "it is being stopped, and deleted then"}, CONFLICT("it is not closed")}},
    {"POST",
     "/v1/jobs/{id}/stop",
     "Works in every state; twice is the same as once. On a job that has ended it ends the services that are kept.",
     JSON,
     "nothing, or `{}`",
     {{0}},
     {THE_JOB}},
    {"POST",
     "/v1/jobs/{id}/pause",
     "What runs goes on, services stay.",
     JSON,
     "nothing, or `{}`",
     {{0}},
     {THE_JOB, CONFLICT("it has ended")}},
    {"POST", "/v1/jobs/{id}/resume", NULL, JSON, "nothing, or `{}`", {{0}}, {THE_JOB, CONFLICT("it has ended")}},
    {"POST",
     "/v1/jobs/{id}/retry",
     "A job that goes on runs its failed tasks again. One that has ended keeps its outcome: a new job does the rest.",
     JSON,
     "nothing, or `{}`",
     {{0}},
     {THE_JOB, {201, JSON, "the new job, and its URL in `Location`"}, CONFLICT("there is nothing to retry")}},
    {"POST",
     "/v1/jobs/{id}/extend",
     NULL,
     JSON,
     "`{for: \"1h\"}`: so long from now, never shorter than before",
     {{0}},
     {THE_JOB, CONFLICT("it keeps no services")}},
    {"GET", "/v1/jobs/{id}/spec", NULL, NULL, NULL, {{0}}, {{200, JSON, "the spec; listed tasks as their count"}}},
    {"GET",
     "/v1/jobs/{id}/tasks",
     NULL,
     NULL,
     NULL,
     {{"stage", API_TEXT, "its name"},
      {"state", API_TEXT, "held, ready, leased, delayed, succeeded, failed or cancelled"},
      {"single", API_BOOLEAN, "an entry per task instead of per slice"},
      A_PAGE},
     {{200, JSON, "`{slices: [...], next}`, or `{tasks: [...], next}`"}}},
    {"GET",
     "/v1/jobs/{id}/tasks/{stage}/{index}",
     NULL,
     NULL,
     NULL,
     {{0}},
     {{200, JSON, "the task with its item and its last failure"}}},
    {"GET", "/v1/jobs/{id}/services", NULL, NULL, NULL, {{0}}, {{200, JSON, "`{services: [...]}`, all epochs"}}},
    {"GET",
     "/v1/jobs/{id}/results",
     "Outputs of the stages that no other stage reads.",
     NULL,
     NULL,
     {{"follow", API_BOOLEAN, "go on until the job has ended"}},
     {{200, NDJSON, "`{stage, task, output}` a line; a stream that breaks off is not at its end"}}},
    {"GET",
     "/v1/jobs/{id}/logs",
     "All sources in the order in which they arrived, or one. With `Accept: text/event-stream` as server-sent events "
     "that "
     "follow it: `log` events with the line of `format=json`, whose id is the offset behind it, and a last event "
     "`end`. "
     "`Last-Event-ID` resumes exactly, at any manager; 204: there is nothing more.",
     NULL,
     NULL,
     {{"source", API_TEXT, "such as `service/cache/1` (epoch) or `task/count/17/1` (attempt)"},
      {"follow", API_BOOLEAN, "go on to the last byte, until the job is closed"},
      {"format", API_TEXT, "`raw`, or `json` for `{offset, at, source, position, text}` a line"},
      {"offset", API_INTEGER, "begin at this byte of the merged log"}},
     {{200, TEXT, "the bytes as they came (NDJSON with `format=json`)"},
      {204, NULL, "`Last-Event-ID` is the end of a closed job: do not come back"}}},
    {"GET",
     "/v1/jobs/{id}/events",
     "With `Accept: text/event-stream` as server-sent events that follow the job and end with an event `end` "
     "(`{outcome, cleanup}`). `Last-Event-ID` resumes exactly, at any manager; a comment line comes while nothing "
     "happens. 204: there is nothing more.",
     NULL,
     NULL,
     {{"after", API_INTEGER, "events with a higher `seq` only"},
      {"follow", API_BOOLEAN, "go on until the job is closed"}},
     {{200, NDJSON, "`{seq, at, kind, data}` a line, or server-sent events"},
      {204, NULL, "`Last-Event-ID` is the end of a closed job: do not come back"}}},
    {"GET",
     "/v1/jobs/{id}/cleanup",
     "The proof that its services are gone: a certificate for each instance.",
     NULL,
     NULL,
     {{0}},
     {{200, JSON, "`{cleanup, certificates: [...]}`"}}},
    {"GET", "/v1/jobs/{id}/why", NULL, NULL, NULL, {{0}}, {A_REASON}},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}/why", NULL, NULL, NULL, {{0}}, {A_REASON}},
    {"GET", "/v1/jobs/{id}/services/{name}/why", NULL, NULL, NULL, {{0}}, {A_REASON}},
    {"PUT",
     "/v1/bundles/{sha256}",
     "The name is the SHA-256 of the content, 64 lower-case hexadecimal digits.",
     ZSTD,
     "a tar archive, compressed with zstd, 64 MiB at most",
     {{0}},
     {{201, JSON, "it is stored"}, {200, JSON, "it was there already"}, {413, PROBLEM, "it is too large"}}},
    {"HEAD",
     "/v1/bundles/{sha256}",
     "One that is there counts as used now.",
     NULL,
     NULL,
     {{0}},
     {{200, NULL, "it is there"}}},
    {"GET", "/v1/bundles/{sha256}", NULL, NULL, NULL, {{0}}, {{200, ZSTD, "the bundle"}}},
    {"GET", "/v1/services", NULL, NULL, NULL, {A_PAGE}, {{200, JSON, "`{services: [...], next}`"}}},
    {"GET", "/v1/leaks", NULL, NULL, NULL, {{0}}, {{200, JSON, "`{leaks: [...]}`; empty when all is well"}}},
    {"GET", "/v1/workers", NULL, NULL, NULL, {{0}}, {{200, JSON, "`{workers: [...]}`"}}},
    {"GET", "/v1/workers/{id}", NULL, NULL, NULL, {{0}}, {{200, JSON, "the worker"}}},
    {"GET", "/v1/workers/{id}/why", NULL, NULL, NULL, {{0}}, {A_REASON}},
    {"POST",
     "/v1/workers/{id}/drain",
     "It hands back what it has not started.",
     JSON,
     "`{drain: true}`, or nothing; `{drain: false}` takes it back",
     {{0}},
     {{200, JSON, "the worker"}}},
    {"POST",
     "/v1/workers",
     "Each registration is a new incarnation, whose work is fenced from that of the former one. `found` lists "
     "containers of "
     "services that have outlived it (`{job, service, epoch}`); those in `kept` are still wanted, an order to take "
     "them "
     "over follows, all others are to be ended. `held` lists the tokens of tasks whose containers are still there.",
     JSON,
     "`{name, host, boot, runtimes, slots, queues, labels, former_worker, former_incarnation, engine, trouble, found, "
     "held}`",
     {{0}},
     {{201, JSON, "`{worker, incarnation, lease_ms, poll_ms, fence_ms, deployment, kept}`"},
      CONFLICT("`name_taken`: another worker has the name and its lease is not over; `Retry-After` says when")}},
    {"POST",
     "/v1/workers/{id}/poll",
     "Waits until there is something to do, `wait_ms` at most. `held` lists the tokens of all slices that the worker "
     "has: what is "
     "leased to it and not held goes back.",
     JSON,
     "`{incarnation, wait_ms, want: {queue: tasks}, want_services, held, instances, draining}`",
     {{0}},
     {{200, JSON, "`{lease_ms, slices, start, stop, verify, cancel, drain}`"},
      CONFLICT("`stale_incarnation`: end everything that runs and register again")}},
    {"POST",
     "/v1/workers/{id}/report",
     "A slice is reported once; tasks that are named neither as succeeded nor as failed go back. `poll` saves a round "
     "trip.",
     JSON,
     "`{incarnation, slices: [{slice, token, succeeded, failed, outputs}], instances, logs, poll}`",
     {{0}},
     {{200, JSON, "`{stale: [slice, ...]}` and what the poll found"},
      CONFLICT("`stale`: every slice has moved on, nothing of them was recorded; `stale_incarnation`: as above")}},
    {"POST",
     "/v1/tokens",
     "The reply has the token's text, which is shown this once: only its hash is kept. Several tokens of one name may "
     "be "
     "valid at a time. While none of role `admin` is, only such a one can be made.",
     JSON,
     "`{name, role, expires_in, namespace, max_jobs, max_tasks, max_services, max_log_bytes}`; without `expires_in` it "
     "is valid until it is revoked; a viewer or a "
     "submitter "
     "with a `namespace` sees and changes only the jobs in it, all others are of all; the limits are on what its jobs "
     "are together, 0 is none, "
     "and without one the manager's settings count",
     {{0}},
     {{201, JSON, "the token: `{id, token, name, role, namespace, state, created_at, created_by, expires_at, ...}`"},
      CONFLICT("there is no token of role admin yet; or too many tokens are valid")}},
    {"GET",
     "/v1/tokens",
     "Those that have ended too, never their text. `state` is `valid`, `expired` or `revoked`.",
     NULL,
     NULL,
     {A_PAGE},
     {{200, JSON, "`{tokens: [...], next}`"}}},
    {"DELETE",
     "/v1/tokens/{id}",
     "Twice is the same as once. Every manager knows it within two seconds; requests that it has let in and that still "
     "wait or stream end within five more.",
     NULL,
     NULL,
     {{0}},
     {{200, JSON, "the token, `revoked`"}}},
    {"GET", "/v1/version", NULL, NULL, NULL, {{0}}, {{200, JSON, "`{name, version}`"}}},
    {"GET", "/openapi.json", NULL, NULL, NULL, {{0}}, {{200, JSON, "OpenAPI 3.1"}}},
    {"GET", "/livez", NULL, NULL, NULL, {{0}}, {{200, TEXT, "`ok`, whatever the database does"}}},
    {"GET", "/readyz", NULL, NULL, NULL, {{0}}, {{200, TEXT, "`ready`; 503 while it drains or the database is away"}}},
    {"GET", "/metrics", NULL, NULL, NULL, {{0}}, {{200, METRICS, "the Prometheus text format"}}},
    {"GET", "/", NULL, NULL, NULL, {{0}}, {{200, TEXT, "a line per call"}}},
};

const struct api_doc *api_doc_find(const struct http_route *route)
{
    for (size_t i = 0; i < ARRAY_LEN(docs); i++)
        if (strcmp(docs[i].method, route->method) == 0 && strcmp(docs[i].pattern, route->pattern) == 0)
            return &docs[i];
    return NULL;
}
