#include "services/common/model/problem.h"
#include "services/common/json/problem_document.h"

#include <stdbool.h>

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

static bool stays_in_the_log(enum err_code code)
{
    return code == ERR_INTERNAL || code == ERR_NO_MEMORY || code == ERR_IO;
}

void problem_write(const struct err *err, const struct faults *faults, const char *request_id, struct strbuf *out)
{
    int status = problem_status(err->code);
    problem_document(
        &(struct problem_document){.status = status,
                                   .code = err_code_name(err->code),
                                   .detail = stays_in_the_log(err->code) ? problem_title(status) : err->text,
                                   .request_id = request_id,
                                   .faults = faults},
        out);
}
