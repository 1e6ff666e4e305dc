#include "services/common/http/route.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <string.h>

struct segment {
    const char *text; // of a parameter: its name, without the braces
    size_t length;
    bool is_param;
};

struct pattern {
    const struct http_route *route;
    size_t count;
    struct segment segments[HTTP_ROUTE_SEGMENTS];
};

struct http_router {
    size_t count;
    struct pattern patterns[];
};

// Cuts "/a/b" into "a" and "b"; "/" has none. The number of segments, or -1 when there are too many.
static int split(const char *path, size_t length, struct segment segments[static HTTP_ROUTE_SEGMENTS])
{
    const char *end = path + length;
    size_t count = 0;
    for (const char *at = path + 1; length > 1 && at <= end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        const char *stop = slash ? slash : end;
        if (count == HTTP_ROUTE_SEGMENTS)
            return -1;
        segments[count++] = (struct segment){.text = at, .length = (size_t)(stop - at)};
        at = stop + 1;
    }
    return (int)count;
}

static int prepare_segment(struct segment *segment, const char *pattern, struct err *err)
{
    bool opens = segment->length > 0 && segment->text[0] == '{';
    bool closes = segment->length > 0 && segment->text[segment->length - 1] == '}';
    if (segment->length == 0 || opens != closes || (opens && segment->length < 3))
        return err_set(err, ERR_INVALID, "route '%s' has a bad segment", pattern);
    if (opens) {
        segment->text++;
        segment->length -= 2;
        segment->is_param = true;
    }
    if (memchr(segment->text, '{', segment->length) || memchr(segment->text, '}', segment->length))
        return err_set(err, ERR_INVALID, "route '%s' has a bad segment", pattern);
    return 0;
}

static int prepare(struct pattern *pattern, const struct http_route *route, struct err *err)
{
    if (!route->method || !route->handler || !route->pattern || route->pattern[0] != '/')
        return err_set(err, ERR_INVALID, "route '%s' lacks method, handler or slash",
                       route->pattern ? route->pattern : "");
    int count = split(route->pattern, strlen(route->pattern), pattern->segments);
    if (count < 0)
        return err_set(err, ERR_INVALID, "route '%s' has more than %d segments", route->pattern, HTTP_ROUTE_SEGMENTS);
    pattern->route = route;
    pattern->count = (size_t)count;
    size_t params = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        if (prepare_segment(&pattern->segments[i], route->pattern, err) < 0)
            return -1;
        params += pattern->segments[i].is_param;
    }
    if (params > HTTP_ROUTE_PARAMS)
        return err_set(err, ERR_INVALID, "route '%s' has more than %d parameters", route->pattern, HTTP_ROUTE_PARAMS);
    return 0;
}

static bool same_text(const struct segment *a, const struct segment *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static bool same_paths(const struct pattern *a, const struct pattern *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct segment *left = &a->segments[i], *right = &b->segments[i];
        if (left->is_param != right->is_param || (!left->is_param && !same_text(left, right)))
            return false;
    }
    return true;
}

static int check_distinct(const struct http_router *router, size_t index, struct err *err)
{
    const struct pattern *added = &router->patterns[index];
    for (size_t i = 0; i < index; i++) {
        const struct pattern *other = &router->patterns[i];
        if (strcmp(added->route->method, other->route->method) == 0 && same_paths(added, other))
            return err_set(err, ERR_INVALID, "routes '%s' and '%s' match the same requests", other->route->pattern,
                           added->route->pattern);
    }
    return 0;
}

int http_router_new(const struct http_route_table *table, struct http_router **out, struct err *err)
{
    AUTO_FREE struct http_router *router = calloc(1, sizeof *router + table->count * sizeof router->patterns[0]);
    if (!router)
        return err_set(err, ERR_NO_MEMORY, "route table");
    router->count = table->count;
    for (size_t i = 0; i < table->count; i++)
        if (prepare(&router->patterns[i], &table->routes[i], err) < 0 || check_distinct(router, i, err) < 0)
            return -1;
    *out = TAKE_PTR(router);
    return 0;
}

void http_router_free(struct http_router *router)
{
    free(router);
}

// How many of the pattern's segments are literal, plus one, when the path matches; 0 when it does not. More is better.
static size_t path_score(const struct pattern *pattern, const struct segment *segments, size_t count)
{
    if (pattern->count != count)
        return 0;
    size_t literal = 0;
    for (size_t i = 0; i < count; i++) {
        if (pattern->segments[i].is_param)
            continue;
        if (!same_text(&pattern->segments[i], &segments[i]))
            return 0;
        literal++;
    }
    return literal + 1;
}

static bool serves(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0;
}

static const struct pattern *find(const struct http_router *router, const char *method, const struct segment *segments,
                                  size_t count, bool *path_known)
{
    const struct pattern *best = NULL;
    size_t best_score = 0;
    for (size_t i = 0; i < router->count; i++) {
        size_t score = path_score(&router->patterns[i], segments, count);
        if (score == 0)
            continue;
        *path_known = true;
        if (score > best_score && serves(router->patterns[i].route, method)) {
            best = &router->patterns[i];
            best_score = score;
        }
    }
    return best;
}

static void fill_params(const struct pattern *pattern, const struct segment *segments, struct http_route_match *out)
{
    for (size_t i = 0; i < pattern->count; i++) {
        if (!pattern->segments[i].is_param)
            continue;
        out->params[out->param_count++] = (struct http_route_param){
            .name = pattern->segments[i].text,
            .name_length = pattern->segments[i].length,
            .value = segments[i].text,
            .value_length = segments[i].length,
        };
    }
}

enum http_route_outcome http_router_match(const struct http_router *router, const char *method, const char *path,
                                          size_t path_length, struct http_route_match *out)
{
    struct segment segments[HTTP_ROUTE_SEGMENTS];
    bool path_known = false;
    out->route = NULL;
    out->param_count = 0;
    int count = split(path, path_length, segments);
    if (count < 0)
        return HTTP_ROUTE_NOT_FOUND;
    const struct pattern *found = find(router, method, segments, (size_t)count, &path_known);
    if (!found && strcmp(method, "HEAD") == 0)
        found = find(router, "GET", segments, (size_t)count, &path_known);
    if (!found)
        return path_known ? HTTP_ROUTE_METHOD_NOT_ALLOWED : HTTP_ROUTE_NOT_FOUND;
    out->route = found->route;
    fill_params(found, segments, out);
    return HTTP_ROUTE_FOUND;
}

static bool lists(const struct strbuf *out, const char *method)
{
    const char *at = strstr(strbuf_text(out), method);
    return at && (at[strlen(method)] == ',' || at[strlen(method)] == '\0');
}

static void add_method(struct strbuf *out, const char *method)
{
    if (lists(out, method))
        return;
    if (out->length > 0)
        strbuf_add_text(out, ", ");
    strbuf_add_text(out, method);
}

void http_router_allow(const struct http_router *router, const char *path, size_t path_length, struct strbuf *out)
{
    struct segment segments[HTTP_ROUTE_SEGMENTS];
    int count = split(path, path_length, segments);
    bool has_head = false;
    for (size_t i = 0; count >= 0 && i < router->count; i++)
        if (serves(router->patterns[i].route, "HEAD") && path_score(&router->patterns[i], segments, (size_t)count))
            has_head = true;
    for (size_t i = 0; count >= 0 && i < router->count; i++) {
        if (!path_score(&router->patterns[i], segments, (size_t)count))
            continue;
        add_method(out, router->patterns[i].route->method);
        if (serves(router->patterns[i].route, "GET") && !has_head)
            add_method(out, "HEAD");
    }
}
