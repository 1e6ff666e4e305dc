#include "services/jobmanager/audit.h"

#include "services/common/base/log.h"
#include "services/common/model/role.h"
#include "services/jobmanager/api/handlers.h"

#include <string.h>

static bool is_audited(const struct http_route *route)
{
    if (route->role != ROLE_SUBMITTER && route->role != ROLE_ADMIN)
        return false;
    if (strcmp(route->method, "GET") == 0 || strcmp(route->method, "HEAD") == 0)
        return false;
    return route->handler != jobs_submit && route->handler != bundle_put;
}

// What the {id} of its path is; NULL: it has none.
static const char *subject(const struct http_route *route)
{
    static const struct {
        const char *pattern, *what;
    } subjects[] = {{"/v1/jobs/{id}", "job"}, {"/v1/workers/{id}", "worker"}, {"/v1/tokens/{id}", "token_id"}};
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
        if (strncmp(route->pattern, subjects[i].pattern, strlen(subjects[i].pattern)) == 0)
            return subjects[i].what;
    return NULL;
}

void audit_call(const struct http_request *request, int status)
{
    const struct http_route *route = http_request_route(request);
    const char *name = http_request_principal(request);
    if (!route || status >= 400 || !is_audited(route))
        return;
    log_event(LOG_INFO, "call", "token", name ? name : "-", "method", http_request_method(request), "path",
              http_request_path(request), "status", LOG_NUMBER(status), "request_id", http_request_id(request),
              subject(route), http_request_param(request, "id"), NULL);
}
