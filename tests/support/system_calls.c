#include "tests/support/system_calls.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/base/strbuf.h"
#include "services/common/db/db.h"
#include "services/common/store/read.h"
#include "tests/support/contract.h"
#include "tests/support/die.h"
#include "tests/support/oracle.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 256
#define CALL_MS 60000
#define WAIT_STEP_MS 5000

#define FORMATTED(buffer, format)                           \
    do {                                                    \
        va_list values_;                                    \
        va_start(values_, format);                          \
        vsnprintf(buffer, sizeof(buffer), format, values_); \
        va_end(values_);                                    \
    } while (0)

// ---- texts

const char *fixture_path(const char *name)
{
    static char paths[8][PATH_SIZE];
    static size_t count;
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/tests/fixtures/%s", build_dir(), name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    }
    if (access(path, X_OK) < 0 || count == ARRAY_LEN(paths))
        die("there is no %s", path);
    return strcpy(paths[count++], path);
}

static void add_fixture(struct strbuf *out, const char *name, size_t length)
{
    char copy[32];
    snprintf(copy, sizeof(copy), "%.*s", (int)length, name);
    strbuf_add_text(out, fixture_path(copy));
}

PRINTF_LIKE(1, 0) static char *quote(const char *format, va_list values)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_FREE char *text = NULL;
    char *quoted_text;
    struct err err;
    if (vasprintf(&text, format, values) < 0)
        die("out of memory");
    for (const char *at = text; *at; at++) {
        const char *end = *at == '@' ? strchr(at + 1, '@') : NULL;
        if (end) {
            add_fixture(&out, at + 1, (size_t)(end - at - 1));
            at = end;
        } else {
            strbuf_add_char(&out, *at == '\'' ? '"' : *at);
        }
    }
    if (strbuf_take(&out, &quoted_text, &err) < 0)
        die("%s", err.text);
    return quoted_text;
}

char *quoted(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *text = quote(format, values);
    va_end(values);
    return text;
}

// ---- calls

struct pending_call {
    struct system *system;
    const char *method, *path, *body;
    const struct http_header *header; // may be NULL
    struct json_object **out;
    int status;
};

static bool answered(void *context)
{
    struct pending_call *call = context;
    for (int i = 0; i < system_count(call->system, SYSTEM_MANAGER); i++) {
        call->status = client_call(system_own_client(call->system, i), call->method, call->path, call->header,
                                   call->header ? 1 : 0, call->body, call->out);
        if (call->status != 0 && call->status != 503)
            return true;
        if (call->out)
            json_object_put(*call->out);
    }
    return false;
}

static int call_until_answered(struct pending_call *call)
{
    if (!wait_until(answered, call, CALL_MS)) {
        system_print_logs(call->system);
        die("no manager answers to %s %s (%d)", call->method, call->path, call->status);
    }
    return call->status;
}

int system_call(struct system *system, const char *method, const char *path, const char *body, struct json_object **out)
{
    struct pending_call call = {.system = system, .method = method, .path = path, .body = body, .out = out};
    return call_until_answered(&call);
}

struct json_object *system_get(struct system *system, const char *format, ...)
{
    char path[PATH_SIZE];
    struct json_object *reply;
    FORMATTED(path, format);
    int status = system_call(system, "GET", path, NULL, &reply);
    if (status != 200)
        die("GET %s: %d %s", path, status, json_object_to_json_string(reply));
    return reply;
}

int system_post(struct system *system, const char *format, ...)
{
    char path[PATH_SIZE];
    FORMATTED(path, format);
    return system_call(system, "POST", path, NULL, NULL);
}

struct stream_call {
    struct system *system;
    const char *path;
    struct http_response response;
};

static bool streamed(void *context)
{
    struct stream_call *call = context;
    for (int i = 0; i < system_count(call->system, SYSTEM_MANAGER); i++) {
        const struct http_call get = {.method = "GET", .path = call->path};
        if (contract_call(system_own_client(call->system, i), &get, &call->response, NULL) == 0 &&
            call->response.status == 200)
            return true;
    }
    return false;
}

char *system_stream(struct system *system, const char *format, ...)
{
    char path[PATH_SIZE], *text;
    struct err err;
    FORMATTED(path, format);
    struct stream_call call = {.system = system, .path = path, .response = HTTP_RESPONSE_INIT};
    if (!wait_until(streamed, &call, CALL_MS))
        die("GET %s: %d %s", path, call.response.status, strbuf_text(&call.response.body));
    if (strbuf_take(&call.response.body, &text, &err) < 0)
        die("%s", err.text);
    http_response_release(&call.response);
    return text;
}

// ---- jobs

void system_submit_text(struct system *system, const char *json, char id[SYSTEM_ID_SIZE])
{
    static unsigned number;
    char key[64];
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    snprintf(key, sizeof(key), "e2e-%d-%" PRId64 "-%u", (int)getpid(), clock_boot_ms(), ++number);
    struct http_header header = {"Idempotency-Key", key};
    struct pending_call call = {
        .system = system, .method = "POST", .path = "/v1/jobs", .body = json, .header = &header, .out = &reply};
    int status = call_until_answered(&call);
    if (status != 201 && status != 200)
        die("submit: %d %s\n%s", status, json_object_to_json_string(reply), json);
    snprintf(id, SYSTEM_ID_SIZE, "%s", json_text_at(reply, "/id"));
}

void system_submit(struct system *system, char id[SYSTEM_ID_SIZE], const char *format, ...)
{
    va_list values;
    va_start(values, format);
    AUTO_FREE char *text = quote(format, values);
    va_end(values);
    system_submit_text(system, text, id);
}

void system_stop(struct system *system, const char *id)
{
    int status = system_post(system, "/v1/jobs/%s/stop", id);
    if (status / 100 != 2)
        die("stop of %s: %d", id, status);
}

struct wanted {
    struct system *system;
    const char *id, *pointer, *value;
};

static bool is_so(void *context)
{
    struct wanted *wanted = context;
    AUTO_JSON_OBJECT struct json_object *job = system_get(wanted->system, "/v1/jobs/%s", wanted->id);
    return strcmp(json_text_at(job, wanted->pointer), wanted->value) == 0;
}

void system_expect(struct system *system, const char *id, const char *pointer, const char *value, int64_t timeout_ms)
{
    struct wanted wanted = {system, id, pointer, value};
    if (wait_until(is_so, &wanted, timeout_ms))
        return;
    system_explain(system, id);
    die("%s of job %s was not %s after %" PRId64 " ms", pointer, id, value, timeout_ms);
}

static struct json_object *wait_for(struct system *system, const char *id, const char *what, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    const char *pointer = strcmp(what, "closed") == 0 ? "/closed_at" : "/outcome";
    for (;;) {
        int64_t left_ms = MAX(deadline_ms - clock_boot_ms(), 1);
        struct json_object *job =
            system_get(system, "/v1/jobs/%s?wait=%s&timeout=%" PRId64 "ms", id, what, MIN(left_ms, WAIT_STEP_MS));
        if (*json_text_at(job, pointer))
            return job;
        json_object_put(job);
        if (left_ms <= 1) {
            system_explain(system, id);
            die("job %s: no %s after %" PRId64 " ms", id, what, timeout_ms);
        }
    }
}

struct json_object *system_wait_closed(struct system *system, const char *id, int64_t timeout_ms)
{
    return wait_for(system, id, "closed", timeout_ms);
}

static struct json_object *wait_as(struct system *system, const char *id, const char *what, const char *outcome,
                                   int64_t timeout_ms)
{
    struct json_object *job = wait_for(system, id, what, timeout_ms);
    if (strcmp(json_text_at(job, "/outcome"), outcome) == 0)
        return job;
    system_explain(system, id);
    fail_msg("job %s is %s (%s), not %s", id, json_text_at(job, "/outcome"), json_text_at(job, "/reason/message"),
             outcome);
    return NULL;
}

struct json_object *system_wait_outcome_as(struct system *system, const char *id, const char *outcome,
                                           int64_t timeout_ms)
{
    return wait_as(system, id, "outcome", outcome, timeout_ms);
}

struct json_object *system_wait_closed_as(struct system *system, const char *id, const char *outcome,
                                          int64_t timeout_ms)
{
    return wait_as(system, id, "closed", outcome, timeout_ms);
}

void system_explain(struct system *system, const char *id)
{
    static const char *const parts[] = {"", "/why", "/services", "/cleanup", "/tasks", "/tasks?single=true", "/events"};
    char marker[64];
    system_print_logs(system);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO_FREE char *text = system_stream(system, "/v1/jobs/%s%s", id, parts[i]);
        fprintf(stderr, "---- %s%s\n%s\n", id, parts[i], text);
    }
    AUTO_FREE char *workers = system_stream(system, "/v1/workers");
    fprintf(stderr, "---- workers\n%s\n---- processes\n", workers);
    snprintf(marker, sizeof(marker), "CURFEW_JOB=%s", id);
    oracle_print(marker);
}

int64_t system_job_number(const char *id)
{
    int64_t number;
    if (id_parse('j', id, &number) < 0)
        die("'%s' is no job", id);
    return number;
}

int64_t system_sql(struct system *system, const char *format, ...)
{
    char sql[1024];
    struct err err;
    AUTO_RESULT struct result rows = RESULT_INIT;
    FORMATTED(sql, format);
    if (db_sql(system_db(system), sql, NULL, RESULT_TEXT, &rows, &err) < 0)
        die("%s: %s", sql, err.text);
    return result_rows(&rows) > 0 ? result_i64_or(&rows, 0, 0, 0) : 0;
}

void system_let_an_hour_pass(struct system *system, const char *id)
{
    long long job = system_job_number(id);
    if (system_sql(system,
                   "WITH passed AS (UPDATE instance SET placed_at = placed_at - interval '1 hour' WHERE "
                   "job = %lld), due AS (UPDATE job SET created_at = created_at - interval '1 hour', "
                   "attention_at = clock_timestamp() WHERE id = %lld RETURNING 1) SELECT count(*) FROM due",
                   job, job) != 1)
        die("there is no job %s", id);
}
