// POST /v1/workers/{id}/poll and /report: the hot calls; everything is in work.c.
#include "services/jobmanager/api/handlers.h"

#include "services/jobmanager/work.h"

enum http_handled worker_poll(void *app, struct http_request *request, struct http_reply *reply)
{
    return work_start(app, request, false, poll_read, reply);
}

enum http_handled worker_report(void *app, struct http_request *request, struct http_reply *reply)
{
    return work_start(app, request, true, report_read, reply);
}
