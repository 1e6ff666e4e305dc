// What belongs to a job and is read whole: its spec, services, cleanup, and why it is not further.
#include "services/jobmanager/api/handlers.h"

#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

typedef int (*part_read_fn)(struct db *db, int64_t job, struct strbuf *out, struct err *err);

struct part_call {
    struct call call;
    int64_t job;
    part_read_fn read;
};

static int part_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct part_call *part = CONTAINER_OF(call, struct part_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (part->read(db, part->job, &body, err) < 0)
        return -1;
    return answer_tagged(call->request, reply, &body, err);
}

static enum http_handled part_call_start(void *app, struct http_request *request, part_read_fn read, call_fn run,
                                         struct http_reply *reply)
{
    struct err err;
    struct part_call *part = call_new(app, request, sizeof(*part), reply);
    if (!part)
        return HTTP_REPLY;
    part->read = read;
    if (path_job(request, &part->job, &err) < 0 ||
        http_request_query_only(request, (const char *const[]){NULL}, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&part->call, run, reply);
}

static enum http_handled part_start(void *app, struct http_request *request, part_read_fn read,
                                    struct http_reply *reply)
{
    return part_call_start(app, request, read, part_run, reply);
}

enum http_handled job_spec_show(void *app, struct http_request *request, struct http_reply *reply)
{
    return part_start(app, request, read_spec, reply);
}

enum http_handled job_services(void *app, struct http_request *request, struct http_reply *reply)
{
    return part_start(app, request, read_services, reply);
}

enum http_handled job_cleanup(void *app, struct http_request *request, struct http_reply *reply)
{
    return part_start(app, request, read_cleanup, reply);
}

enum http_handled job_why(void *app, struct http_request *request, struct http_reply *reply)
{
    return part_start(app, request, read_why, reply);
}

static int service_why_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct part_call *part = CONTAINER_OF(call, struct part_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (read_why_service(db, part->job, http_request_param(call->request, "name"), &body, err) < 0)
        return -1;
    return answer_tagged(call->request, reply, &body, err);
}

enum http_handled service_why(void *app, struct http_request *request, struct http_reply *reply)
{
    return part_call_start(app, request, NULL, service_why_run, reply);
}
