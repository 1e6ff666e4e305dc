// The one shape of problem documents (RFC 9457):
//
//     {"type": "urn:curfew:problem:invalid", "title": ..., "status": 400, "code": "invalid", "detail": ...,
//      "request_id": ..., "errors": [{"pointer": "/stages/0/command", "code": "required", "detail": ...}]}
#pragma once

#include "services/common/base/strbuf.h"
#include "services/common/json/faults.h"

struct problem_document {
    int status;
    const char *code;   // a stable word, a literal
    const char *detail; // what is not UTF-8 in it is mended
    const char *request_id;
    const struct faults *faults; // NULL: none
    const char *more;            // further members, `,"stale":[...]`; NULL: none
};

const char *problem_title(int status); // "Not Found"; "Unknown" for a status that we never send
// Appends the document.
void problem_document(const struct problem_document *document, struct strbuf *out);
