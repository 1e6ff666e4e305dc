// The process itself: is it alive, is it ready, what is it.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/clock.h"
#include "services/common/base/version.h"
#include "services/common/db/migrate.h"
#include "services/common/store/embedded.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api_doc.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/fixed_page.h"
#include "services/jobmanager/routes.h"

enum http_handled livez(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return http_reply_text(reply, 200, HTTP_TYPE_TEXT, "ok\n");
}

// One after the other, on a thread of their own, which a database that hangs does not hold up for long. What came while
// the last one was asked is answered by that, so that nobody waits for more than one answer.
static int ready_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct readiness_look *last = &call->app->last_look;
    if (last->ended_ms < call->queued_ms) {
        last->failed = migrate_check(db, store_migrations, store_migration_count, &last->err) < 0;
        last->ended_ms = clock_boot_ms();
    }
    if (last->failed)
        return err_set(err, ERR_UNAVAILABLE, "%s", last->err.text);
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
    return call ? call_start_in(call, app->probes, ready_run, reply) : HTTP_REPLY;
}

static void version_write(struct strbuf *body)
{
    strbuf_add_text(body, "{\"name\":\"curfew\",\"version\":\"" CURFEW_VERSION "\"}");
}

enum http_handled version_show(void *app, struct http_request *request, struct http_reply *reply)
{
    static struct fixed_page page = FIXED_PAGE_INIT(HTTP_TYPE_JSON, version_write);
    UNUSED(app);
    return fixed_page_answer(&page, request, reply);
}

enum http_handled openapi_show(void *app, struct http_request *request, struct http_reply *reply)
{
    static struct fixed_page page = FIXED_PAGE_INIT(HTTP_TYPE_JSON, api_write_openapi);
    UNUSED(app);
    return fixed_page_answer(&page, request, reply);
}

static void root_write(struct strbuf *body)
{
    strbuf_add_text(body, "Curfew " CURFEW_VERSION ": jobs whose services go home when the job is done.\n\n");
    for (size_t i = 0; i < routes_table.count; i++)
        strbuf_add_format(body, "%-6s %-39s %s\n", routes_table.routes[i].method, routes_table.routes[i].pattern,
                          routes_table.routes[i].summary);
}

enum http_handled root(void *app, struct http_request *request, struct http_reply *reply)
{
    static struct fixed_page page = FIXED_PAGE_INIT(HTTP_TYPE_TEXT, root_write);
    UNUSED(app);
    return fixed_page_answer(&page, request, reply);
}
