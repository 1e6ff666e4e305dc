// GET /v1/jobs/{id}/tasks, /tasks/{stage}/{index} and its /why
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/parse.h"
#include "services/common/model/states.h"
#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

struct tasks_call {
    struct call call;
    int64_t job;
    struct task_filter filter;
};

static int tasks_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct tasks_call *tasks = CONTAINER_OF(call, struct tasks_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (read_tasks(db, tasks->job, &tasks->filter, &body, err) < 0)
        return -1;
    return answer_tagged(call->request, reply, &body, err);
}

static int filter_read(const struct http_request *request, struct task_filter *filter, struct err *err)
{
    static const char *const allowed[] = {"stage", "state", "single", "limit", "cursor", NULL};
    const char *state = http_request_query(request, "state");
    int64_t limit = 100;
    *filter = (struct task_filter){.stage = http_request_query(request, "stage"),
                                   .state = state ? slice_state_from_name(state) : -1,
                                   .cursor = http_request_query(request, "cursor")};
    if (http_request_query_only(request, allowed, err) < 0 ||
        query_boolean(request, "single", &filter->single, err) < 0 ||
        query_i64(request, "limit", 1, READ_LIMIT_MAX, &limit, err) < 0)
        return -1;
    filter->limit = (int)limit;
    if (state && filter->state < 0)
        return err_set(err, ERR_INVALID, "state '%.40s' is not a state of tasks", state);
    return 0;
}

enum http_handled job_tasks(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    struct tasks_call *tasks = call_new(app, request, sizeof(*tasks), reply);
    if (!tasks)
        return HTTP_REPLY;
    if (path_job(request, &tasks->job, &err) < 0 || filter_read(request, &tasks->filter, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&tasks->call, tasks_run, reply);
}

typedef int (*task_read_fn)(struct db *db, int64_t job, const char *stage, int64_t index, struct strbuf *out,
                            struct err *err);

struct task_call {
    struct call call;
    int64_t job, index;
    const char *stage;
    task_read_fn read;
};

static int task_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct task_call *task = CONTAINER_OF(call, struct task_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (task->read(db, task->job, task->stage, task->index, &body, err) < 0)
        return -1;
    return answer_tagged(call->request, reply, &body, err);
}

static enum http_handled task_start(void *app, struct http_request *request, task_read_fn read,
                                    struct http_reply *reply)
{
    struct err err;
    const char *index = http_request_param(request, "index");
    struct task_call *task = call_new(app, request, sizeof(*task), reply);
    if (!task)
        return HTTP_REPLY;
    task->read = read;
    task->stage = http_request_param(request, "stage");
    if (path_job(request, &task->job, &err) < 0 ||
        http_request_query_only(request, (const char *const[]){NULL}, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    if (parse_i64(index, 0, INT64_MAX, "index", &task->index, NULL) < 0) {
        err_set(&err, ERR_NOT_FOUND, "task '%.40s' does not exist", index);
        return answer_error(request, reply, &err, NULL);
    }
    return call_start(&task->call, task_run, reply);
}

enum http_handled job_task(void *app, struct http_request *request, struct http_reply *reply)
{
    return task_start(app, request, read_task, reply);
}

enum http_handled task_why(void *app, struct http_request *request, struct http_reply *reply)
{
    return task_start(app, request, read_why_task, reply);
}
