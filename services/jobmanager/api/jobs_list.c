// GET /v1/jobs
#include "services/jobmanager/api/handlers.h"

#include "services/common/model/states.h"
#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"

#include <string.h>

#define LABEL_SIZE 320

struct list_call {
    struct call call;
    struct job_filter filter;
    char label[LABEL_SIZE];
};

static int list_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct list_call *list = CONTAINER_OF(call, struct list_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return read_jobs(db, &list->filter, &body, err) < 0 ? -1 : answer_tagged(call->request, reply, &body, err);
}

// "name" or "name=value"
static int label_read(struct list_call *list, const char *text, struct err *err)
{
    if (!text)
        return 0;
    size_t length = strlen(text);
    if (length >= sizeof(list->label))
        return err_set(err, ERR_INVALID, "label is too long");
    memcpy(list->label, text, length + 1);
    list->filter.label = list->label;
    char *equals = strchr(list->label, '=');
    if (equals) {
        *equals = '\0';
        list->filter.value = equals + 1;
    }
    return 0;
}

// A token of a namespace lists no other.
static int space_read(const struct http_request *request, struct job_filter *filter, struct err *err)
{
    const char *own = http_request_scope(request), *asked = http_request_query(request, "namespace");
    filter->space = own ? own : asked;
    if (own && asked && strcmp(own, asked) != 0)
        return err_set(err, ERR_FORBIDDEN, "this token is of namespace '%s'", own);
    return 0;
}

static int filter_read(struct list_call *list, const struct http_request *request, struct err *err)
{
    static const char *const allowed[] = {"state", "label", "name", "since", "limit", "cursor", "namespace", NULL};
    struct job_filter *filter = &list->filter;
    const char *state = http_request_query(request, "state");
    int64_t limit = 50;
    *filter = (struct job_filter){.state = state ? job_state_from_name(state) : -1,
                                  .name = http_request_query(request, "name"),
                                  .cursor = http_request_query(request, "cursor")};
    if (http_request_query_only(request, allowed, err) < 0 ||
        label_read(list, http_request_query(request, "label"), err) < 0 ||
        query_time_us(request, "since", &filter->since_us, err) < 0 ||
        query_i64(request, "limit", 1, READ_LIMIT_MAX, &limit, err) < 0)
        return -1;
    filter->limit = (int)limit;
    if (space_read(request, filter, err) < 0)
        return -1;
    if (state && filter->state < 0)
        return err_set(err, ERR_INVALID, "state '%.40s' is not a state of jobs", state);
    return 0;
}

enum http_handled jobs_list(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    struct list_call *list = call_new(app, request, sizeof(*list), reply);
    if (!list)
        return HTTP_REPLY;
    if (filter_read(list, request, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&list->call, list_run, reply);
}
