#include "services/reaper/trace_export.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/base/log.h"
#include "services/common/base/strbuf.h"
#include "services/common/http/client.h"
#include "services/common/store/traces.h"
#include "services/reaper/leadership.h"

#include <stdlib.h>

#define PATH "/v1/traces"
#define TIMEOUT_MS 10000
#define ADVANCE_MS 10000

struct trace_export {
    struct trace_export_settings settings;
    struct db *db;
    struct http_client *client;
    struct leadership leadership;
    int64_t advance_at_ms;
    int64_t *jobs; // room for a round's
};

int trace_export_new(const struct trace_export_settings *settings, struct db *db, struct trace_export **out,
                     struct err *err)
{
    const struct http_client_settings client = {
        .base_url = settings->endpoint, .token = settings->token, .timeout_ms = TIMEOUT_MS};
    struct trace_export *export = calloc(1, sizeof *export);
    if (!export)
        return err_set(err, ERR_NO_MEMORY, "no memory to export traces");
    *export = (struct trace_export){.settings = *settings, .db = db};
    export->jobs = calloc((size_t)settings->limit, sizeof *export->jobs);
    if (!export->jobs)
        err_set(err, ERR_NO_MEMORY, "no memory to export traces");
    if (!export->jobs || leadership_init(&export->leadership, "traces", settings->term_ms, err) < 0 ||
        http_client_new(&client, &export->client, err) < 0 || traces_start(db, err) < 0) {
        trace_export_free(export);
        return -1;
    }
    *out = export;
    return 0;
}

void trace_export_free(struct trace_export *export)
{
    if (!export)
        return;
    leadership_give_up(&export->leadership, export->db);
    http_client_free(export->client);
    free(export->jobs);
    free(export);
}

// Sending the same again would be refused again.
static bool is_refused_for_good(int status)
{
    return status == 400 || status == 413 || status == 422;
}

static int send_trace(struct trace_export *export, int64_t job, const struct strbuf *trace, struct err *err)
{
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char id[ID_TEXT_SIZE];
    if (http_post(export->client, PATH, trace->data, trace->length, &response, err) < 0)
        return err_prefix(err, "collector");
    if (response.status / 100 == 2)
        return 0;
    if (!is_refused_for_good(response.status))
        return err_set(err, ERR_UNAVAILABLE, "the collector answers with status %d", response.status);
    id_format('j', job, id);
    log_event(LOG_WARN, "a trace was refused by the collector", "job", id, "status", LOG_NUMBER(response.status), NULL);
    return 0;
}

static int export_job(struct trace_export *export, int64_t job, struct err *err)
{
    AUTO_STRBUF struct strbuf trace = STRBUF_INIT;
    if (traces_read(export->db, job, &trace, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1; // deleted meanwhile
    if (send_trace(export, job, &trace, err) < 0)
        return -1;
    return traces_done(export->db, job, err);
}

static int advance(struct trace_export *export, struct err *err)
{
    int64_t now_ms = clock_boot_ms();
    if (now_ms < export->advance_at_ms)
        return 0;
    export->advance_at_ms = now_ms + ADVANCE_MS;
    return traces_advance(export->db, err);
}

int trace_export_round(struct trace_export *export, struct err *err)
{
    if (leadership_renew(&export->leadership, export->db, err) < 0)
        return -1;
    if (!leadership_holds(&export->leadership))
        return 0;
    int count = traces_pending(export->db, export->settings.limit, export->jobs, err);
    for (int i = 0; i < count; i++) {
        if (leadership_keep(&export->leadership, export->db, err) < 0 || export_job(export, export->jobs[i], err) < 0)
            return -1;
        if (!leadership_holds(&export->leadership))
            return i + 1;
    }
    if (count >= 0 && count < export->settings.limit && advance(export, err) < 0)
        return -1;
    return count;
}
