#include "services/common/json/problem_document.h"

#include "services/common/base/macros.h"

#include <string.h>

const char *problem_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Unknown";
}

// Errors may quote bytes of anybody's; the document is valid UTF-8 in any case.
static void add_faults(struct strbuf *out, const struct faults *faults)
{
    strbuf_add_text(out, ",\"errors\":[");
    for (size_t i = 0; faults && i < faults->count; i++) {
        const struct fault *fault = &faults->list[i];
        strbuf_add_text(out, i ? ",{\"pointer\":" : "{\"pointer\":");
        strbuf_add_json_mended(out, fault->pointer);
        strbuf_add_format(out, ",\"code\":\"%s\",\"detail\":", fault_code_name(fault->code));
        strbuf_add_json_mended(out, fault->detail);
        strbuf_add_char(out, '}');
    }
    strbuf_add_char(out, ']');
}

void problem_document(const struct problem_document *document, struct strbuf *out)
{
    strbuf_add_format(out,
                      "{\"type\":\"urn:curfew:problem:%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":",
                      document->code, problem_title(document->status), document->status, document->code);
    strbuf_add_json_mended(out, document->detail);
    strbuf_add_text(out, ",\"request_id\":");
    strbuf_add_json_mended(out, document->request_id);
    add_faults(out, document->faults);
    if (document->more)
        strbuf_add_text(out, document->more);
    strbuf_add_char(out, '}');
}
