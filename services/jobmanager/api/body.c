#include "services/jobmanager/api/body.h"

int body_read(const struct http_request *request, const struct wire_field *fields, size_t count, void *object,
              struct arena *arena, struct faults *faults, struct err *err)
{
    size_t length;
    const char *text = http_request_body(request, &length);
    if (!length) {
        text = "{}";
        length = 2;
    }
    return wire_read(text, length, NULL, fields, count, object, arena, faults, err);
}

int body_none(const struct http_request *request, struct faults *faults, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a body");
    return body_read(request, NULL, 0, NULL, arena, faults, err);
}
