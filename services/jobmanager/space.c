#include "services/jobmanager/space.h"

#include "services/common/model/role.h"
#include "services/jobmanager/arguments.h"

#include <string.h>

#define JOBS "/v1/jobs"
#define ONE_JOB JOBS "/{id}"
#define BUNDLES "/v1/bundles/"

static bool begins_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool space_has_route(const struct http_route *route)
{
    return route->role == ROLE_ANY || strcmp(route->pattern, JOBS) == 0 || begins_with(route->pattern, ONE_JOB) ||
           begins_with(route->pattern, BUNDLES);
}

int space_check_job(const struct http_request *request, const struct job_progress *job, struct err *err)
{
    const char *space = http_request_scope(request);
    if (!space || (job->found && strcmp(job->space, space) == 0))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "job '%.40s' does not exist", http_request_param(request, "id"));
}

int space_check(const struct http_request *request, struct db *db, struct err *err)
{
    struct job_progress progress;
    int64_t job;
    if (!http_request_scope(request) || !begins_with(http_request_route(request)->pattern, ONE_JOB))
        return 0;
    if (path_job(request, &job, err) < 0 || read_progress(db, &job, 1, &progress, err) < 0)
        return -1;
    return space_check_job(request, &progress, err);
}
