// The process itself: is it alive, is it ready, what is it.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/version.h"
#include "services/common/db/migrate.h"
#include "services/common/store/embedded.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api_doc.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/routes.h"

enum http_handled livez(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return http_reply_text(reply, 200, HTTP_TYPE_TEXT, "ok\n");
}

static int ready_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    UNUSED(call);
    if (migrate_check(db, store_migrations, store_migration_count, err) < 0) {
        err->code = ERR_UNAVAILABLE;
        return -1;
    }
    http_reply_text(reply, 200, HTTP_TYPE_TEXT, "ready\n");
    return 0;
}

enum http_handled readyz(void *context, struct http_request *request, struct http_reply *reply)
{
    struct app *app = context;
    struct err err;
    if (atomic_load(&app->draining)) {
        err_set(&err, ERR_UNAVAILABLE, "this manager is stopping");
        return answer_error(request, reply, &err, NULL);
    }
    struct call *call = call_new(app, request, sizeof(*call), reply);
    return call ? call_start(call, ready_run, reply) : HTTP_REPLY;
}

enum http_handled version_show(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return http_reply_text(reply, 200, HTTP_TYPE_JSON, "{\"name\":\"curfew\",\"version\":\"" CURFEW_VERSION "\"}");
}

enum http_handled openapi_show(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    UNUSED(app);
    api_write_openapi(&body);
    return answer_json(request, reply, 200, &body);
}

enum http_handled root(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    UNUSED(app);
    strbuf_add_text(&body, "Curfew " CURFEW_VERSION ": jobs whose services go home when the job is done.\n\n");
    for (size_t i = 0; i < routes_table.count; i++)
        strbuf_add_format(&body, "%-6s %-36s %s\n", routes_table.routes[i].method, routes_table.routes[i].pattern,
                          routes_table.routes[i].summary);
    struct err err;
    if (strbuf_ok(&body, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return http_reply_bytes(reply, 200, HTTP_TYPE_TEXT, &body);
}
