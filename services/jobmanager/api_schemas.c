// What many calls have in common: ids, times, numbers, problems.
#include "services/jobmanager/api_schemas.h"

#include "services/common/json/faults.h"
#include "services/common/model/job_spec_schema.h"
#include "services/common/model/namespace.h"
#include "services/common/store/read.h"

#define CROCKFORD "[0-7][0-9a-hjkmnp-tv-z]{12}$"

static const char *fault_word(int number)
{
    return fault_code_name((enum fault_code)number);
}

static const struct schema_field problem[] = {
    FIELD("type", "ProblemType", "What kind of problem it is: one for each `code`."),
    FIELD("title", "Message", "The same for people."),
    FIELD("status", "Status", "The HTTP status."),
    FIELD("code", "ProblemCode", "What programs look at."),
    FIELD("detail", "Message", "What is wrong this time."),
    FIELD("request_id", "RequestId", "As in `X-Request-Id`: what to look for in the manager's log."),
    FIELD("errors", "Fault[]", "What is wrong in the body: everything at once.", .max = FAULTS_MAX),
    FIELD("stale", "SliceName[]", "With `code` `stale`: the slices of a report that have moved on.", .optional = true),
};

static const struct schema_field fault[] = {
    FIELD("pointer", "Pointer", "Where in the body."),
    FIELD("code", "FaultCode", "What programs look at."),
    FIELD("detail", "Message", "What is wrong there."),
};

static const struct schema schemas[] = {
    TEXT("JobId", 14, 14, "^j" CROCKFORD, "\"j0d5n3rf8w2c4g\"", "the id of a job; later jobs have greater ids"),
    TEXT("TokenId", 14, 14, "^t" CROCKFORD, "\"t0d5n3rf8w2c4g\"", "the id of a token, which is no secret"),
    INTEGER("WorkerId", 1, INT64_MAX, "17", "the id of a worker"),
    TEXT("WorkerName", 1, 255, NULL, "\"w1\"", "what a worker is called"),
    TEXT("Namespace", 1, NAMESPACE_SIZE - 1, "^[a-z0-9-]+$", "\"default\"", "which jobs a token sees"),
    TEXT("Time", 27, 27, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$",
         "\"2026-01-31T12:00:00.123456Z\"", "a time in UTC, RFC 3339 with microseconds"),
    TEXT("TimeGiven", 20, 64, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$",
         "\"2026-01-31T12:00:00Z\"", "a time in UTC, RFC 3339"),
    INTEGER("Count", 0, INT64_MAX, "2", "how many"),
    INTEGER("Milliseconds", 0, INT64_MAX, "30000", "a time in milliseconds"),
    INTEGER("Epoch", 0, INT32_MAX, "1", "which start of the service, from 1; 0: it was not started yet"),
    INTEGER("Attempt", 0, INT32_MAX, "1", "which attempt, from 1; 0: none yet"),
    INTEGER("TaskIndex", 0, INT64_MAX, "0", "the number of a task in its stage, from 0"),
    INTEGER("Limit", 1, READ_LIMIT_MAX, "50", "how many entries of a page"),
    TEXT("Cursor", 1, READ_CURSOR_SIZE - 1, NULL, "\"j0d5n3rf8w2c4g\"", "`next` of the page before"),
    INTEGER("Port", 1, 65535, "40123", "a port"),
    TEXT("Host", 0, 255, NULL, "\"10.0.0.7\"", "a host name or an address"),
    TEXT("Message", 0, 4096, NULL, "\"what there is to say\"", "a text for people"),
    TEXT("Line", 0, 0, NULL, "\"what there is to say\"", "a text"),
    TEXT("Word", 1, 255, "^[!-~]+$", "\"process\"", "a name that programs look at; more of them may come"),
    TEXT("Sha256", 64, 71, "^(sha256:)?[0-9a-f]{64}$",
         "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
         "64 lower-case hexadecimal digits; `sha256:` may stand before them"),
    TEXT("RequestId", 1, 128, "^[!-~]+$", "\"018f3c2e9a7b4d10\"", "what a request is called in logs"),
    TEXT("IdempotencyKey", 1, 255, "^[!-~]+$", "\"nightly-2026-01-31\"", "visible ASCII characters"),
    TEXT("EntityTag", 0, 1024, NULL, "\"\\\"5f4dcc3b5aa765d61d8327deb882cf99\\\"\"", "tags as in `ETag`, or `*`"),
    TEXT("HeaderText", 0, 8192, NULL, "\"no-store\"", "a text"),
    INTEGER("Seconds", 1, INT32_MAX, "1", "a time in seconds"),
    INTEGER("EventNumber", 0, INT32_MAX, "4", "the number of an event within its job"),
    INTEGER("Status", 400, 599, "400", "an HTTP status"),
    TEXT("ProblemType", 1, 255, "^urn:curfew:problem:[a-z_]+$", "\"urn:curfew:problem:invalid\"", "a URN"),
    TEXT("ProblemCode", 1, 64, "^[a-z_]+$", "\"invalid\"", "a word; each status lists its own"),
    TEXT("Pointer", 0, FAULT_POINTER_SIZE - 1, NULL, "\"/stages/0/command\"", "a JSON pointer (RFC 6901)"),
    WORD_OF("FaultCode", fault_word, FAULT_CONFLICT + 1, "what is wrong with a field"),
    REPLY("Fault", fault, "one fault of a body"),
    REPLY("Problem", problem, "what is wrong, as RFC 9457 has it"),
};
const struct schema_set api_schemas_common = {schemas, ARRAY_LEN(schemas)};

const struct schema_set *const api_schemas[] = {
    &api_schemas_jobs, &api_schemas_work, &api_schemas_tokens, &job_spec_types, &api_schemas_common, NULL,
};
