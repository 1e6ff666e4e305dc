#include "services/cli/api.h"

#include "services/cli/print.h"
#include "services/common/http/target.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

struct json_object *api_member(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, name, &member))
        return NULL;
    return member;
}

const char *api_text(struct json_object *object, const char *name)
{
    struct json_object *member = api_member(object, name);
    return json_object_is_type(member, json_type_string) ? json_object_get_string(member) : "";
}

int64_t api_number(struct json_object *object, const char *name)
{
    struct json_object *member = api_member(object, name);
    return json_object_is_type(member, json_type_int) ? json_object_get_int64(member) : 0;
}

bool api_true(struct json_object *object, const char *name)
{
    struct json_object *member = api_member(object, name);
    return json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
}

void api_print(struct json_object *object)
{
    printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static enum err_code code_of_status(int status)
{
    switch (status) {
    case 400:
    case 422:
        return ERR_INVALID;
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 413:
        return ERR_TOO_LARGE;
    case 429:
        return ERR_LIMIT;
    case 502:
    case 503:
    case 504:
        return ERR_UNAVAILABLE;
    default:
        return ERR_INTERNAL;
    }
}

static void print_faults(struct json_object *faults)
{
    for (size_t i = 0; json_object_is_type(faults, json_type_array) && i < json_object_array_length(faults); i++) {
        struct json_object *fault = json_object_array_get_idx(faults, i);
        AUTO_STRBUF struct strbuf line = STRBUF_INIT;
        print_clean(&line, api_text(fault, "pointer"));
        strbuf_add_text(&line, line.length > 0 ? ": " : "");
        print_clean(&line, api_text(fault, "detail"));
        fprintf(stderr, "%s\n", strbuf_text(&line));
    }
}

int api_problem(const struct http_response *response, struct err *err)
{
    AUTO_JSON_DOCUMENT struct json_document document = JSON_DOCUMENT_INIT;
    const char *detail = "";
    if (response->body.length > 0 &&
        json_parse(response->body.data, response->body.length, NULL, &document, NULL, NULL) == 0) {
        detail = api_text(document.root, "detail");
        print_faults(api_member(document.root, "errors"));
    }
    if (response->status == 401)
        return err_set(err, ERR_UNAUTHORIZED, "%s: --token-file or CURFEW_TOKEN_FILE names the file of a valid one",
                       *detail ? detail : "the manager wants a token");
    if (*detail)
        return err_set(err, code_of_status(response->status), "%s", detail);
    return err_set(err, code_of_status(response->status), "the manager answered with status %d", response->status);
}

static int read_answer(const struct http_response *response, struct json_document *out, struct err *err)
{
    if (response->body.length == 0)
        return 0;
    const struct json_limits limits = {.bytes_max = (size_t)64 << 20,
                                       .depth_max = 64,
                                       .values_max = 10000000,
                                       .members_max = 100000,
                                       .string_bytes_max = (size_t)16 << 20,
                                       .heap_bytes_max = (size_t)1 << 30};
    if (json_parse(response->body.data, response->body.length, &limits, out, NULL, err) < 0)
        return err_prefix(err, "answer of the manager");
    return 0;
}

int api_call(struct cli *cli, const char *method, const char *path, const char *json, const char *key,
             int64_t timeout_ms, struct json_document *out, int *status, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_header header = {"Idempotency-Key", key};
    const struct http_call call = {
        .method = method,
        .path = path,
        .headers = &header,
        .header_count = key ? 1 : 0,
        .body = json,
        .body_length = json ? strlen(json) : 0,
        .timeout_ms = timeout_ms,
    };
    if (http_call(cli->client, &call, &response, err) < 0)
        return -1;
    if (status)
        *status = response.status;
    if (response.status < 200 || response.status > 299)
        return api_problem(&response, err);
    return read_answer(&response, out, err);
}

int api_get(struct cli *cli, const char *path, struct json_document *out, struct err *err)
{
    return api_call(cli, "GET", path, NULL, NULL, 0, out, NULL, err);
}

int api_job_path(const char *job, const char *suffix, char *out, size_t size, struct err *err)
{
    AUTO_STRBUF struct strbuf escaped = STRBUF_INIT;
    http_escape(&escaped, job);
    if (strbuf_ok(&escaped, err) < 0)
        return -1;
    int length = snprintf(out, size, "/v1/jobs/%s%s", strbuf_text(&escaped), suffix);
    return *job && length < (int)size ? 0 : err_set(err, ERR_INVALID, "'%.80s' is no job", job);
}
