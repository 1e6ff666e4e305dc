#include "services/reaper/trace_thread.h"

#include "services/common/base/log.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "services/reaper/rounds.h"

#include <stdbool.h>
#include <stdlib.h>

#define ROUND_MS 1000
#define TROUBLE_MS 5000

struct trace_thread {
    struct trace_export_settings settings;
    const char *database_url;
    struct rounds *rounds;
    struct db *db;
    struct trace_export *export;
    bool in_trouble;
};

static void note(struct trace_thread *thread, bool failed, const struct err *err)
{
    if (failed && !thread->in_trouble)
        log_event(LOG_WARN, "cannot export traces, trying again", "error", err->text, NULL);
    if (!failed && thread->in_trouble)
        log_event(LOG_INFO, "exporting traces again", NULL);
    thread->in_trouble = failed;
}

static int prepare(struct trace_thread *thread, struct err *err)
{
    const struct db_options options = {
        .application_name = "curfew-reaper-traces",
        .statements = store_statements,
        .statement_count = STATEMENT_COUNT,
    };
    if (!thread->db && db_open(thread->database_url, &options, &thread->db, err) < 0)
        return -1;
    return thread->export ? 0 : trace_export_new(&thread->settings, thread->db, &thread->export, err);
}

static int64_t look(void *context)
{
    struct trace_thread *thread = context;
    struct err err = {0};
    int outcome = prepare(thread, &err);
    if (outcome >= 0)
        outcome = trace_export_round(thread->export, &err);
    note(thread, outcome < 0, &err);
    if (outcome < 0)
        return TROUBLE_MS;
    return outcome == thread->settings.limit ? 0 : MIN((int64_t)ROUND_MS, thread->settings.term_ms / 3);
}

static void release(struct trace_thread *thread)
{
    trace_export_free(thread->export);
    db_close(thread->db);
    free(thread);
}

int trace_thread_start(const struct trace_export_settings *settings, const char *database_url,
                       struct trace_thread **out, struct err *err)
{
    struct trace_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return err_set(err, ERR_NO_MEMORY, "no memory to export traces");
    *thread = (struct trace_thread){.settings = *settings, .database_url = database_url};
    if (rounds_start(look, thread, &thread->rounds, err) < 0) {
        release(thread);
        return -1;
    }
    *out = thread;
    return 0;
}

void trace_thread_stop(struct trace_thread *thread)
{
    if (!thread)
        return;
    rounds_stop(thread->rounds);
    release(thread);
}
