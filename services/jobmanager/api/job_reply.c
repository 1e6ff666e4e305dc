#include "services/jobmanager/api/job_reply.h"

#include "services/common/base/id.h"
#include "services/common/store/read.h"
#include "services/jobmanager/answer.h"

#include <stdio.h>

int job_reply(const struct http_request *request, struct db *db, int64_t job, struct http_reply *reply, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return read_job(db, job, NULL, &body, err) < 0 ? -1 : answer_tagged(request, reply, &body, err);
}

int job_reply_status(const struct http_request *request, struct db *db, int64_t job, int status,
                     struct http_reply *reply, struct err *err)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (read_job(db, job, NULL, &body, err) < 0)
        return -1;
    answer_json(request, reply, status, &body);
    return 0;
}

void job_location(struct http_reply *reply, int64_t job)
{
    char id[ID_TEXT_SIZE], location[ID_TEXT_SIZE + 16];
    id_format('j', job, id);
    snprintf(location, sizeof(location), "/v1/jobs/%s", id);
    http_reply_header(reply, "Location", location);
}
