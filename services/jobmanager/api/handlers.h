// The handlers of all routes; which is whose is in routes.c. They read arguments, call the store, reply.
#pragma once

#include "services/common/http/route.h"

#define HANDLER(name) enum http_handled name(void *app, struct http_request *request, struct http_reply *reply)

// jobs_submit.c, jobs_list.c, job_show.c
HANDLER(jobs_submit);
HANDLER(jobs_list);
HANDLER(job_show);
HANDLER(job_spec_show);
// job_control.c
HANDLER(job_stop);
HANDLER(job_pause);
HANDLER(job_resume);
HANDLER(job_retry);
HANDLER(job_extend);
HANDLER(job_delete);
// job_parts.c, tasks.c
HANDLER(job_services);
HANDLER(job_cleanup);
HANDLER(job_why);
HANDLER(service_why);
HANDLER(task_why);
HANDLER(job_tasks);
HANDLER(job_task);
// streams.c
HANDLER(job_results);
HANDLER(job_logs);
HANDLER(job_events);
// bundles.c
HANDLER(bundle_put);
HANDLER(bundle_head);
HANDLER(bundle_get);
// fleet.c
HANDLER(services_list);
HANDLER(leaks_list);
HANDLER(workers_list);
HANDLER(worker_show);
HANDLER(worker_why);
HANDLER(worker_drain);
HANDLER(worker_drill);
HANDLER(doctor_show);
// tokens.c
HANDLER(token_create);
HANDLER(tokens_list);
HANDLER(token_delete);
// worker_register.c, worker_work.c
HANDLER(worker_register);
HANDLER(worker_poll);
HANDLER(worker_report);
// system.c
HANDLER(livez);
HANDLER(readyz);
HANDLER(version_show);
HANDLER(openapi_show);
HANDLER(root);
// metrics.c
HANDLER(metrics_show);

#undef HANDLER
