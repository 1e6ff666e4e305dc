#include "services/jobmanager/routes.h"

#include "services/common/model/job_spec.h"
#include "services/common/model/role.h"
#include "services/jobmanager/api/handlers.h"
#include "services/jobmanager/work_read.h"

#define SMALL_BODY 65536
#define BUNDLE_BODY ((size_t)64 << 20)
#define BUNDLE_DEADLINE_MS 600000

static const struct http_route routes[] = {
    {"POST", "/v1/jobs", jobs_submit, ROLE_SUBMITTER, "submit a job", SPEC_BYTES_MAX, 0, 0},
    {"GET", "/v1/jobs", jobs_list, ROLE_VIEWER, "list jobs, newest first", 0, 0, 0},
    {"GET", "/v1/jobs/{id}", job_show, ROLE_VIEWER, "show a job, or wait for it", 0, 0, 0},
    {"DELETE", "/v1/jobs/{id}", job_delete, ROLE_SUBMITTER, "delete a closed job", 0, 0, 0},
    {"POST", "/v1/jobs/{id}/stop", job_stop, ROLE_SUBMITTER, "stop its tasks and services", SMALL_BODY, 0, 0},
    {"POST", "/v1/jobs/{id}/pause", job_pause, ROLE_SUBMITTER, "start no more of its tasks", SMALL_BODY, 0, 0},
    {"POST", "/v1/jobs/{id}/resume", job_resume, ROLE_SUBMITTER, "go on after a pause", SMALL_BODY, 0, 0},
    {"POST", "/v1/jobs/{id}/retry", job_retry, ROLE_SUBMITTER, "run its failed tasks again", SMALL_BODY, 0, 0},
    {"POST", "/v1/jobs/{id}/extend", job_extend, ROLE_SUBMITTER, "keep its kept services longer", SMALL_BODY, 0, 0},
    {"GET", "/v1/jobs/{id}/spec", job_spec_show, ROLE_VIEWER, "what was submitted, defaults filled in", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/tasks", job_tasks, ROLE_VIEWER, "list its slices or tasks", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}", job_task, ROLE_VIEWER, "show one task", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/services", job_services, ROLE_VIEWER, "list its service instances", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/results", job_results, ROLE_VIEWER, "stream its results", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/logs", job_logs, ROLE_VIEWER, "stream its log", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/events", job_events, ROLE_VIEWER, "stream its history", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/cleanup", job_cleanup, ROLE_VIEWER, "the certificates of its services", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/why", job_why, ROLE_VIEWER, "why it is not further", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/tasks/{stage}/{index}/why", task_why, ROLE_VIEWER, "why a task is not further", 0, 0, 0},
    {"GET", "/v1/jobs/{id}/services/{name}/why", service_why, ROLE_VIEWER, "why a service is up, or is not", 0, 0, 0},
    {"PUT", "/v1/bundles/{sha256}", bundle_put, ROLE_SUBMITTER, "upload a bundle", BUNDLE_BODY, HTTP_ROUTE_BODY_FILE,
     BUNDLE_DEADLINE_MS},
    {"HEAD", "/v1/bundles/{sha256}", bundle_head, ROLE_SUBMITTER, "ask whether a bundle is there", 0, 0, 0},
    {"GET", "/v1/bundles/{sha256}", bundle_get, ROLE_WORKER, "download a bundle", 0, 0, 0},
    {"GET", "/v1/services", services_list, ROLE_VIEWER, "list what may be running, of all jobs", 0, 0, 0},
    {"GET", "/v1/leaks", leaks_list, ROLE_VIEWER, "list services that outlive their job", 0, 0, 0},
    {"GET", "/v1/workers", workers_list, ROLE_VIEWER, "list workers", 0, 0, 0},
    {"GET", "/v1/workers/{id}", worker_show, ROLE_VIEWER, "show a worker", 0, 0, 0},
    {"GET", "/v1/workers/{id}/why", worker_why, ROLE_VIEWER, "why a worker does what it does", 0, 0, 0},
    {"POST", "/v1/workers/{id}/drain", worker_drain, ROLE_ADMIN, "give a worker nothing new", SMALL_BODY, 0, 0},
    {"POST", "/v1/workers/{id}/drill", worker_drill, ROLE_ADMIN, "have a worker kill itself", SMALL_BODY, 0, 0},
    {"POST", "/v1/workers", worker_register, ROLE_WORKER, "register a worker", SMALL_BODY, 0, 0},
    {"POST", "/v1/workers/{id}/poll", worker_poll, ROLE_WORKER, "heartbeat; wait for tasks and orders",
     POLL_BODY_LIMIT_BYTES, 0, 0},
    {"POST", "/v1/workers/{id}/report", worker_report, ROLE_WORKER, "report what was done", REPORT_BODY_LIMIT_BYTES, 0,
     0},
    {"POST", "/v1/tokens", token_create, ROLE_ADMIN, "make a token", SMALL_BODY, 0, 0},
    {"GET", "/v1/tokens", tokens_list, ROLE_ADMIN, "list tokens, newest first", 0, 0, 0},
    {"DELETE", "/v1/tokens/{id}", token_delete, ROLE_ADMIN, "revoke a token", 0, 0, 0},
    {"GET", "/v1/doctor", doctor_show, ROLE_VIEWER, "what does not agree in this installation", 0, 0, 0},
    {"GET", "/v1/version", version_show, ROLE_ANY, "the version of this manager", 0, 0, 0},
    {"GET", "/openapi.json", openapi_show, ROLE_ANY, "this API, for programs", 0, 0, 0},
    {"GET", "/livez", livez, ROLE_NONE, "200 while the process answers", 0, HTTP_ROUTE_ALWAYS, 0},
    {"GET", "/readyz", readyz, ROLE_NONE, "200 while database and schema are there", 0, HTTP_ROUTE_ALWAYS, 0},
    {"GET", "/metrics", metrics_show, ROLE_VIEWER, "metrics for Prometheus", 0, HTTP_ROUTE_ALWAYS, 0},
    {"GET", "/", root, ROLE_ANY, "this list", 0, 0, 0},
};

const struct http_route_table routes_table = {routes, ARRAY_LEN(routes)};

void routes_print_markdown(FILE *out)
{
    fputs("| Call | Does | Role |\n| --- | --- | --- |\n", out);
    for (size_t i = 0; i < routes_table.count; i++)
        fprintf(out, "| `%s %s` | %s | %s |\n", routes[i].method, routes[i].pattern, routes[i].summary,
                role_name(routes[i].role));
}
