#include "services/jobmanager/answer.h"

#include "services/common/base/log.h"
#include "services/common/base/sha256.h"
#include "services/common/model/problem.h"

#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_MS 1000

enum http_handled answer_json(const struct http_request *request, struct http_reply *reply, int status,
                              struct strbuf *body)
{
    struct err err;
    if (strbuf_ok(body, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return http_reply_bytes(reply, status, HTTP_TYPE_JSON, body);
}

int answer_tag(const struct strbuf *body, char tag[static ANSWER_TAG_SIZE], struct err *err)
{
    char digits[SHA256_HEX_SIZE];
    if (strbuf_ok(body, err) < 0 || sha256_hex(strbuf_text(body), body->length, digits, err) < 0)
        return -1;
    snprintf(tag, ANSWER_TAG_SIZE, "%.*s", ANSWER_TAG_SIZE - 1, digits);
    return 0;
}

int answer_tagged(const struct http_request *request, struct http_reply *reply, struct strbuf *body, struct err *err)
{
    char tag[ANSWER_TAG_SIZE];
    bool is_get = strcmp(http_request_method(request), "GET") == 0;
    if (is_get && answer_tag(body, tag, err) < 0)
        return -1;
    answer_json(request, reply, 200, body);
    if (is_get)
        http_reply_etag(reply, request, tag);
    return 0;
}

static void log_defect(const struct http_request *request, const struct err *err)
{
    if (err->code != ERR_INTERNAL && err->code != ERR_IO && err->code != ERR_NO_MEMORY)
        return;
    log_event(LOG_ERROR, "request failed", "request_id", http_request_id(request), "method",
              http_request_method(request), "path", http_request_path(request), "code", err_code_name(err->code),
              "error", err->text, NULL);
}

enum http_handled answer_error(const struct http_request *request, struct http_reply *reply, const struct err *err,
                               const struct faults *faults)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    log_defect(request, err);
    problem_write(err, faults, http_request_id(request), &body);
    int status = problem_status(err->code);
    http_reply_bytes(reply, status, PROBLEM_MEDIA_TYPE, &body);
    if (status == 503 || status == 429)
        http_reply_retry_after(reply, RETRY_AFTER_MS);
    if (status == 401)
        http_reply_header(reply, "WWW-Authenticate",
                          http_request_bearer(request) ? "Bearer realm=\"curfew\", error=\"invalid_token\""
                                                       : "Bearer realm=\"curfew\"");
    return HTTP_REPLY;
}

enum http_handled answer_problem(const struct http_request *request, struct http_reply *reply, int status,
                                 const char *code, const char *detail)
{
    return http_reply_problem(reply, request, status, code, detail);
}
