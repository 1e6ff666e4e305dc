#include "services/common/model/problem.h"
#include "services/common/base/utf8.h"

#include <stdbool.h>
#include <string.h>

int problem_status(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return 400;
    case ERR_UNAUTHORIZED:
        return 401;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
    case ERR_STALE:
        return 409;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_LIMIT:
        return 429;
    case ERR_NO_MEMORY:
    case ERR_UNAVAILABLE:
        return 503;
    case ERR_TIMEOUT:
        return 504;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_IO:
    case ERR_INTERNAL:
        return 500;
    }
    return 500;
}

const char *problem_title(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return "The request is wrong";
    case ERR_UNAUTHORIZED:
        return "A valid token is needed";
    case ERR_FORBIDDEN:
        return "This token may not do that";
    case ERR_NOT_FOUND:
        return "There is no such thing";
    case ERR_CONFLICT:
        return "The state of things speaks against it";
    case ERR_STALE:
        return "This has moved on";
    case ERR_TOO_LARGE:
        return "The request is too large";
    case ERR_LIMIT:
        return "Too many requests";
    case ERR_UNAVAILABLE:
        return "Not available right now";
    case ERR_TIMEOUT:
        return "It took too long";
    case ERR_NO_MEMORY:
        return "Out of memory";
    case ERR_IO:
        return "Something that is needed failed";
    case ERR_UNSUPPORTED:
        return "Not supported here";
    case ERR_INTERNAL:
        return "An internal error";
    }
    return "An internal error";
}

// Errors may quote bytes of anybody's; the document is valid UTF-8 in any case.
static void add_text(struct strbuf *out, const char *text)
{
    size_t length = strlen(text);
    struct strbuf mended AUTO_STRBUF = STRBUF_INIT;
    for (size_t at = 0; at < length;) {
        size_t valid = utf8_prefix(text + at, length - at, length - at);
        strbuf_add(&mended, text + at, valid);
        at += valid;
        if (at < length)
            strbuf_add_char(&mended, '?');
        at++;
    }
    strbuf_add_json(out, strbuf_text(&mended), mended.length);
}

static void add_faults(struct strbuf *out, const struct faults *faults)
{
    strbuf_add_text(out, ",\"errors\":[");
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->list[i];
        strbuf_add_text(out, i ? ",{\"pointer\":" : "{\"pointer\":");
        add_text(out, fault->pointer);
        strbuf_add_format(out, ",\"code\":\"%s\",\"detail\":", fault_code_name(fault->code));
        add_text(out, fault->detail);
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
}

static bool stays_in_the_log(enum err_code code)
{
    return code == ERR_INTERNAL || code == ERR_NO_MEMORY || code == ERR_IO;
}

void problem_write(const struct err *err, const struct faults *faults, const char *request_id, struct strbuf *out)
{
    const char *code = err_code_name(err->code), *title = problem_title(err->code);
    strbuf_add_format(
        out, "{\"type\":\"urn:curfew:problem:%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":", code,
        title, problem_status(err->code), code);
    add_text(out, stays_in_the_log(err->code) ? title : err->text);
    if (request_id) {
        strbuf_add_text(out, ",\"request_id\":");
        add_text(out, request_id);
    }
    if (faults && faults->count)
        add_faults(out, faults);
    strbuf_add_char(out, '}');
}
