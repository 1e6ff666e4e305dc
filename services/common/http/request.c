#include "services/common/http/request_internal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/http/target.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

struct http_arena_block {
    struct http_arena_block *next;
    char bytes[];
};

struct http_request *http_request_new(const char *target)
{
    struct http_request *request = malloc(sizeof *request);
    if (!request)
        return NULL;
    memset(request, 0, offsetof(struct http_request, arena.fixed));
    atomic_init(&request->references, 1);
    request->body_fd = -1;
    request->framing.content_length = -1;
    request->method = "";
    request->started_us = clock_boot_us();
    request->target_length = strlen(target);
    request->target_in_place = target;
    request->path = http_request_copy(request, target, request->target_length);
    request->path_length = request->target_length;
    if (!request->path) {
        http_request_unref(request);
        return NULL;
    }
    return request;
}

void http_request_ref(struct http_request *request)
{
    atomic_fetch_add_explicit(&request->references, 1, memory_order_relaxed);
}

static void arena_release(struct http_arena *arena)
{
    while (arena->blocks) {
        struct http_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

void http_request_unref(struct http_request *request)
{
    if (atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) != 1)
        return;
    if (request->destroy_context)
        request->destroy_context(request->context);
    http_reply_release(&request->reply);
    http_body_release(request);
    cleanup_close(&request->body_fd);
    arena_release(&request->arena);
    free(request);
}

static char *arena_take(struct http_arena *arena, size_t length)
{
    if (length <= sizeof arena->fixed - arena->used) {
        char *bytes = arena->fixed + arena->used;
        arena->used += length;
        return bytes;
    }
    struct http_arena_block *block = malloc(sizeof *block + length);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block->bytes;
}

char *http_request_copy(struct http_request *request, const char *text, size_t length)
{
    char *copy = arena_take(&request->arena, length + 1);
    if (!copy)
        return NULL;
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

// Unescapes into the arena.
static const char *copy_unescaped(struct http_request *request, const char *text, size_t length, bool plus_is_space,
                                  struct err *err)
{
    char *copy = arena_take(&request->arena, length + 1);
    if (!copy) {
        err_set(err, ERR_NO_MEMORY, "request");
        return NULL;
    }
    return http_unescape(text, length, plus_is_space, copy, &length, err) < 0 ? NULL : copy;
}

static int add_query_param(struct http_request *request, const char *text, size_t length, struct err *err)
{
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals ? (size_t)(equals - text) : length;
    const char *value = equals ? equals + 1 : "";
    size_t value_length = equals ? length - name_length - 1 : 0;
    if (name_length == 0)
        return err_set(err, ERR_INVALID, "a query parameter without a name");
    if (request->query_count == HTTP_QUERY_PARAMS)
        return err_set(err, ERR_INVALID, "more than %d query parameters", HTTP_QUERY_PARAMS);
    struct http_pair *pair = &request->query[request->query_count];
    pair->name = copy_unescaped(request, text, name_length, true, err);
    pair->value = pair->name ? copy_unescaped(request, value, value_length, true, err) : NULL;
    if (!pair->value)
        return err_prefix(err, "query");
    if (http_request_query(request, pair->name))
        return err_set(err, ERR_INVALID, "query parameter '%.64s' is given twice", pair->name);
    request->query_count++;
    return 0;
}

static int read_query(struct http_request *request, struct err *err)
{
    const char *at = request->query_text, *end = at + request->query_length;
    while (at < end) {
        const char *ampersand = memchr(at, '&', (size_t)(end - at));
        const char *stop = ampersand ? ampersand : end;
        if (add_query_param(request, at, (size_t)(stop - at), err) < 0)
            return -1;
        at = stop + 1;
    }
    return 0;
}

int http_request_read_target(struct http_request *request, int *status, struct err *err)
{
    struct err reason = {0};
    const char *target = request->path;
    if (http_target_split(target, request->target_length, &request->path, &request->path_length, &request->query_text,
                          &request->query_length, &reason) < 0) {
        *status = reason.code == ERR_TOO_LARGE ? 414 : 400;
        return err_set(err, reason.code, "%s", reason.text);
    }
    if (request->query_text && read_query(request, err) < 0) {
        *status = 400;
        return -1;
    }
    if (request->query_text)
        request->path = http_request_copy(request, request->path, request->path_length);
    *status = 500;
    return request->path ? 0 : err_set(err, ERR_NO_MEMORY, "request");
}

static bool is_sane_id(const struct http_head_field *field)
{
    for (size_t i = 0; i < field->value_length; i++) {
        char c = field->value[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!fine)
            return false;
    }
    return field->value_length > 0 && field->value_length < HTTP_REQUEST_ID_SIZE;
}

// 16 hexadecimal digits: a counter from a random start, mixed (splitmix64), so that ids of replicas do not collide.
static void make_id(char out[static HTTP_REQUEST_ID_SIZE])
{
    static atomic_uint_fast64_t counter;
    static const char digits[] = "0123456789abcdef";
    uint64_t n = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
    if (n == 0 && random_bytes(&n, sizeof n, NULL) == 0)
        atomic_fetch_add_explicit(&counter, n, memory_order_relaxed);
    n *= 0x9E3779B97F4A7C15u;
    n = (n ^ (n >> 30)) * 0xBF58476D1CE4E5B9u;
    n = (n ^ (n >> 27)) * 0x94D049BB133111EBu;
    n ^= n >> 31;
    for (int i = 0; i < 16; i++, n >>= 4)
        out[i] = digits[n & 15];
    out[16] = '\0';
}

void http_request_make_id(struct http_request *request)
{
    make_id(request->id);
}

static void choose_id(struct http_request *request, const struct http_head *head)
{
    for (size_t i = 0; i < head->count; i++) {
        const struct http_head_field *field = &head->fields[i];
        if (field->name_length != 12 || strncasecmp(field->name, "X-Request-Id", 12) != 0 || !is_sane_id(field))
            continue;
        memcpy(request->id, field->value, field->value_length);
        request->id[field->value_length] = '\0';
        return;
    }
    http_request_make_id(request);
}

int http_request_read_head(struct http_request *request, const struct http_head *head, struct err *err)
{
    for (size_t i = 0; i < head->count; i++) {
        const struct http_head_field *field = &head->fields[i];
        size_t length = field->value_length;
        while (length > 0 && (field->value[length - 1] == ' ' || field->value[length - 1] == '\t'))
            length--;
        struct http_pair *pair = &request->headers[i];
        pair->name = http_request_copy(request, field->name, field->name_length);
        pair->value = http_request_copy(request, field->value, length);
        if (!pair->name || !pair->value)
            return err_set(err, ERR_NO_MEMORY, "request");
    }
    request->header_count = head->count;
    choose_id(request, head);
    return 0;
}

int http_request_read_match(struct http_request *request, const struct http_route_match *match, struct err *err)
{
    request->match = *match;
    for (size_t i = 0; i < match->param_count; i++) {
        request->params[i] = copy_unescaped(request, match->params[i].value, match->params[i].value_length, false, err);
        if (!request->params[i])
            return -1;
    }
    return 0;
}

const char *http_request_method(const struct http_request *request)
{
    return request->is_head && request->match.route ? request->match.route->method : request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const struct http_route *http_request_route(const struct http_request *request)
{
    return request->match.route;
}

const char *http_request_id(const struct http_request *request)
{
    return request->id;
}

bool http_request_from_loopback(const struct http_request *request)
{
    return request->is_loopback;
}

const char *http_request_param(const struct http_request *request, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < request->match.param_count; i++)
        if (request->match.params[i].name_length == length && memcmp(request->match.params[i].name, name, length) == 0)
            return request->params[i];
    return NULL;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    return NULL;
}

static bool contains(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

int http_request_query_only(const struct http_request *request, const char *const *allowed, struct err *err)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (!contains(allowed, request->query[i].name))
            return err_set(err, ERR_INVALID, "unknown query parameter '%.64s'", request->query[i].name);
    return 0;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

const char *http_request_bearer(const struct http_request *request)
{
    const char *value = http_request_header(request, "Authorization");
    if (!value || strncasecmp(value, "Bearer ", 7) != 0)
        return NULL;
    value += 7 + strspn(value + 7, " ");
    return *value ? value : NULL;
}

const char *http_request_body(const struct http_request *request, size_t *length)
{
    *length = request->body.length;
    return strbuf_text(&request->body);
}

int http_request_body_file(const struct http_request *request, int64_t *length)
{
    *length = request->body_received;
    return request->body_fd;
}

void http_request_set_context(struct http_request *request, void *context, void (*destroy)(void *context))
{
    if (request->destroy_context)
        request->destroy_context(request->context);
    request->context = context;
    request->destroy_context = destroy;
}

void *http_request_context(const struct http_request *request)
{
    return request->context;
}

void http_request_set_principal(struct http_request *request, const char *name, int64_t id, int role)
{
    request->principal = http_request_copy(request, name, strlen(name));
    request->principal_id = id;
    request->role = role;
}

const char *http_request_principal(const struct http_request *request)
{
    return request->principal;
}

int64_t http_request_principal_id(const struct http_request *request)
{
    return request->principal_id;
}

int http_request_role(const struct http_request *request)
{
    return request->role;
}

int http_request_set_scope(struct http_request *request, const char *scope, struct err *err)
{
    request->scope = http_request_copy(request, scope, strlen(scope));
    return request->scope ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for a request");
}

const char *http_request_scope(const struct http_request *request)
{
    return request->scope;
}
