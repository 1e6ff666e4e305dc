// The job spec: what a user submits, read, checked and with every default filled in.
//
// Plain structs in one arena. Reading collects every fault with its JSON pointer; a struct job_spec that
// job_spec_parse returned is valid throughout: names are unique, references exist, nothing waits for itself. The
// fields, their defaults and their meaning are tables (job_spec_fields.c) from which docs/reference/job-spec.md is
// printed. Pure; thread-safe as long as each struct belongs to one thread at a time.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/sha256.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/faults.h"
#include "services/common/model/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct arena;
struct field;
struct json_limits;

#define SPEC_BYTES_MAX ((size_t)16 << 20) // of the whole text
#define SPEC_NAME_MAX 63                  // of a job, stage, service, port or queue: [a-z][a-z0-9-]{0,62}
#define SPEC_SERVICES_MAX 64
#define SPEC_STAGES_MAX 64
#define SPEC_TASKS_LISTED_MAX 100000
#define SPEC_TASKS_COUNT_MAX 1000000000
#define SPEC_ITEM_BYTES_MAX 65536 // of one item as it is stored
#define SPEC_ARGUMENTS_MAX 256
#define SPEC_ARGUMENT_BYTES_MAX 16384
#define SPEC_ENV_MAX 256
#define SPEC_ENV_VALUE_BYTES_MAX 16384
#define SPEC_LABELS_MAX 32
#define SPEC_LABEL_NAME_MAX 63
#define SPEC_LABEL_VALUE_MAX 255
#define SPEC_SECRETS_MAX 64
#define SPEC_PORTS_MAX 16

// Never NULL entries; items is NULL when count is 0.
struct text_list {
    char **items;
    size_t count;
};
struct text_pair {
    char *name;
    char *value;
};
struct text_pairs {
    struct text_pair *items; // in the order of the text, names unique
    size_t count;
};

// How a command runs: what services and stages have in common.
struct run_spec {
    char *runtime;            // "process", "docker", "kubernetes"; NULL: the worker's own default
    struct text_list command; // argv; empty only for pull stages and for services that run their image's own command
    char *image;              // NULL: none
    struct text_pairs env;
    struct text_list secrets; // names
    int64_t cpus_milli;       // thousandths of a CPU; 0: no limit
    int64_t memory_bytes;     // 0: no limit
    struct text_pairs where;  // labels that the worker must have
};

// Where the command wants to run: "process", "docker", "kubernetes", or "" for any that runs commands. An image alone
// says docker.
const char *run_spec_runtime(const struct run_spec *run);
bool run_spec_in_container(const struct run_spec *run);

// A bit for each outcome.
#define AUTOSTOP_ON(outcome) (1u << (outcome))
#define AUTOSTOP_ALWAYS ((1u << OUTCOME_COUNT) - 1)
struct autostop_spec {
    unsigned on;                // of AUTOSTOP_ON(outcome) whose services stop by themselves; true is ALWAYS, false 0
    int64_t linger_ms;          // services of a job that succeeded live this much longer
    int64_t keep_on_failure_ms; // services of a job that failed or timed out live this much longer
};

struct port_spec {
    char *name;
    int64_t container; // in the container; 0: not said, as processes get a free port
};

enum ready_kind {
    READY_STARTED, // no check: ready as soon as it runs
    READY_TCP,     // `port` accepts a connection
    READY_HTTP,    // GET http_path on `port` answers 200..399
    READY_EXEC,    // `exec` exits with 0
    READY_LOG,     // a line of output matches log_pattern
};
struct ready_spec {
    enum ready_kind kind;
    char *port;            // TCP, HTTP: a name in the service's ports
    char *http_path;       // HTTP
    struct text_list exec; // EXEC: argv
    char *log_pattern;     // LOG: POSIX extended regular expression that compiles
    int64_t interval_ms;   // between two checks
    int64_t timeout_ms;    // of one check
    int64_t failures;      // so many in a row, once it was ready, make it unhealthy
    int64_t deadline_ms;   // from its start to ready
};

struct stop_policy {
    int signal;       // its number
    int64_t grace_ms; // until SIGKILL
};

struct restart_policy {
    int64_t max; // restarts within the window
    int64_t window_ms;
    int64_t backoff_ms; // before the first; doubles
};

struct service_spec {
    char *name;
    struct run_spec run;
    struct port_spec *ports;
    size_t port_count;
    struct ready_spec ready;
    struct text_list depends_on; // names of services
    enum service_failure on_failure;
    struct restart_policy restart; // with SERVICE_RESTART
    struct stop_policy stop;
};

enum stage_mode { STAGE_EXEC, STAGE_STREAM, STAGE_PULL };
enum stage_failure { STAGE_FAILURE_FAIL_JOB, STAGE_FAILURE_CONTINUE };
enum task_source {
    TASKS_SINGLE, // none given: one task whose item is null
    TASKS_LISTED, // `items`
    TASKS_COUNT,  // so many tasks, the item of each is null
    TASKS_FROM,   // the outputs of stage `from`
};
struct retry_policy {
    int64_t max; // retries after the first attempt
    int64_t backoff_ms;
    int64_t backoff_max_ms;
};

// The items of listed tasks: each compact JSON on one line, followed by '\n'; item i is text[starts[i], starts[i + 1] -
// 1). So text[starts[a], starts[b]) is the NDJSON of tasks [a, b).
struct spec_items {
    char *text;
    size_t *starts; // count + 1 of them
    size_t count;
};

struct stage_spec {
    char *name; // "main" for the stage of a job that gives its command at the top level
    struct run_spec run;
    char *queue;
    enum stage_mode mode;
    enum task_source tasks;
    int64_t task_count;      // known at submission: 1, the length of the list, the count; 0 with TASKS_FROM
    struct spec_items items; // with TASKS_LISTED
    char *from;              // TASKS_FROM: the stage whose outputs are the tasks, as they come; else NULL
    struct text_list
        after; // stages that must be closed before the first task of this one; `from: {after: x}` adds x here
    struct retry_policy retries;
    int64_t timeout_ms;   // of one attempt; 0: none
    int64_t slots;        // of the worker that one task (stream: one process) takes
    int64_t max_parallel; // tasks that run at once; 0: no limit
    enum stage_failure on_failure;
};

struct job_spec {
    char *name;
    struct autostop_spec autostop;
    char *bundle;     // "sha256:" and 64 hex digits; NULL: none
    int64_t priority; // -100..100, higher first
    struct text_pairs labels;
    int64_t timeout_ms;      // of the whole job; 0: none
    int64_t max_lifetime_ms; // of each service, whatever autostop says
    struct service_spec *services;
    size_t service_count;
    struct stage_spec *stages; // at least one
    size_t stage_count;
    struct arena *arena; // owns everything above
};
#define JOB_SPEC_INIT {0}
#define AUTO_JOB_SPEC CLEANUP(job_spec_release)

// The limits for the text of a spec, for whoever reads it before (json/source.h).
extern const struct json_limits job_spec_limits;

// Reads and checks a JSON text. On failure *out is empty and `faults` has one or more faults; err says how many.
// Errors: ERR_INVALID, ERR_TOO_LARGE (the text or its tree), ERR_UNAVAILABLE (the budget of json/parse.h),
// ERR_NO_MEMORY.
int job_spec_parse(const char *text, size_t length, struct job_spec *out, struct faults *faults,
                   struct err *err) WARN_UNUSED;
void job_spec_release(struct job_spec *spec);

// Appends the spec as JSON with all defaults written out, in the order of the tables. Without items the listed tasks
// are written as {"count": n}: that is what is kept when the items are stored apart. job_spec_parse reads both.
void job_spec_write(const struct job_spec *spec, bool with_items, struct strbuf *out);

// One stage (without its items) or service on its own: what a worker is told to run, written and read back. What was
// read belongs to `arena`. Reading checks the fields but not references to other stages and services.
void stage_spec_write(const struct stage_spec *stage, struct strbuf *out);
void service_spec_write(const struct service_spec *service, struct strbuf *out);
// Outcome 0. Errors: ERR_INVALID (faults were added to the field's list), ERR_NO_MEMORY.
int stage_spec_read(const struct field *field, struct arena *arena, struct stage_spec *out,
                    struct err *err) WARN_UNUSED;
int service_spec_read(const struct field *field, struct arena *arena, struct service_spec *out,
                      struct err *err) WARN_UNUSED;

// The number of a service or stage by its name; -1 when there is none.
int job_spec_service(const struct job_spec *spec, const char *name);
int job_spec_stage(const struct job_spec *spec, const char *name);

// The items of tasks [first, first + count) as NDJSON; borrowed. The range has to be within the list.
const char *spec_items_range(const struct spec_items *items, size_t first, size_t count, size_t *length);

// What an Idempotency-Key is held against: the SHA-256 of the body as it was sent, in hex.
int job_spec_fingerprint(const char *body, size_t length, char out[static SHA256_HEX_SIZE],
                         struct err *err) WARN_UNUSED;

// docs/reference/job-spec.md: every field with type, default and meaning.
void job_spec_print_markdown(FILE *out);

// Names as users write them: "exec", "fail_job", "tcp", ...
const char *stage_mode_name(enum stage_mode mode);
const char *stage_failure_name(enum stage_failure failure);
const char *service_failure_name(enum service_failure failure);
const char *ready_kind_name(enum ready_kind kind);
