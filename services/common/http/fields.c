#include "services/common/http/server_internal.h"

#include <string.h>

struct collection {
    struct http_head_field *fields;
    size_t count;
    size_t bytes;
};

static enum MHD_Result collect(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                               const char *value, size_t value_length)
{
    UNUSED(kind);
    struct collection *collection = context;
    collection->fields[collection->count++] = (struct http_head_field){.name = name,
                                                                       .name_length = name_length,
                                                                       .value = value ? value : "",
                                                                       .value_length = value ? value_length : 0};
    collection->bytes += name_length + value_length + 4;
    return collection->count <= HTTP_HEAD_FIELDS ? MHD_YES : MHD_NO;
}

#if MHD_VERSION < 0x01000000
// libmicrohttpd 0.9 cuts lines where it finds them and replaces what ends a name, a value and a line by NULs, in place:
// a sound head is one run of memory. A NUL in a name or a value, a folded line, a bare LF and stray spaces break the
// run.
static bool is_one_run(const struct http_request *request, const char *method, const char *version,
                       const struct http_head *head)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(request->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *at = method + strlen(method) + 1;
    if (request->target_in_place != at)
        return false;
    at += request->target_length + 1;
    if (version != at)
        return false;
    at += strlen(version);
    for (size_t i = 0; i < head->count; i++) {
        const struct http_head_field *field = &head->fields[i];
        if (field->name != at + 2)
            return false;
        at = field->name + field->name_length + 1;
        if (field->value < at || field->value_length != strlen(field->value))
            return false;
        for (; at < field->value; at++)
            if (*at != ' ' && *at != '\t')
                return false;
        at += field->value_length;
    }
    return size && at + 4 == method + size->header_size;
}
#else
// libmicrohttpd 1.0 refuses all of that by itself (MHD_OPTION_CLIENT_DISCIPLINE_LVL 1).
static bool is_one_run(const struct http_request *request, const char *method, const char *version,
                       const struct http_head *head)
{
    UNUSED(method), UNUSED(version), UNUSED(head), UNUSED(request);
    return true;
}
#endif

static bool is_method(const char *method)
{
    size_t length = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return length > 0 && length <= 16 && method[length] == '\0';
}

int http_fields_read(const struct http_request *request, struct MHD_Connection *mhd, const char *method,
                     const char *version, struct http_head_field *fields, struct http_head *head,
                     struct http_framing *framing, int *status, struct err *err)
{
    struct collection collection = {.fields = fields, .bytes = strlen(method) + request->target_length + 12};
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, collect, &collection);
    *head = (struct http_head){.version = version, .fields = fields, .count = collection.count};
    *status = 431;
    if (collection.bytes > request->connection->server->settings.head_limit_bytes)
        return err_set(err, ERR_TOO_LARGE, "the headers are too large");
    *status = 400;
    if (!is_method(method))
        return err_set(err, ERR_INVALID, "the method is none");
    if (http_head_check(head, framing, status, err) < 0)
        return -1;
    *status = 400;
    if (!is_one_run(request, method, version, head))
        return err_set(err, ERR_INVALID, "folded headers, bare line feeds, stray spaces or NULs in the head");
    return 0;
}
