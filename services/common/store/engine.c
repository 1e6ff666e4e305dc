#include "services/common/store/engine.h"

#include "services/common/model/states.h"
#include "services/common/store/settle.h"
#include "services/common/store/sweep.h"
#include "services/common/store/workers.h"

#include <string.h>

// ---- what is to become of what is there

static void add_seen(struct params *params, const struct engine_seen *seen, size_t count)
{
    params_array_begin(params, PARAM_I64);
    for (size_t i = 0; i < count; i++)
        params_add_i64(params, seen[i].job);
    params_array_end(params);
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < count; i++)
        params_add_text(params, seen[i].service, strlen(seen[i].service));
    params_array_end(params);
    params_array_begin(params, PARAM_I32);
    for (size_t i = 0; i < count; i++)
        params_add_i32(params, seen[i].epoch);
    params_array_end(params);
    params_array_begin(params, PARAM_I64);
    for (size_t i = 0; i < count; i++)
        params_add_i64(params, seen[i].token);
    params_array_end(params);
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < count; i++)
        params_add_text(params, seen[i].holder ? seen[i].holder : "", seen[i].holder ? strlen(seen[i].holder) : 0);
    params_array_end(params);
}

int engine_judge(struct db *db, const char *engine, struct engine_seen *seen, size_t count, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (count == 0)
        return 0;
    params_text(&params, engine);
    add_seen(&params, seen, count);
    if (db_query(db, STATEMENT_ENGINE_JUDGE, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    for (int row = 0; row < result_rows(&rows); row++) {
        struct engine_seen *judged = &seen[result_i64(&rows, row, 0) - 1];
        judged->verdict = (enum engine_verdict)result_i32(&rows, row, 1);
        judged->worker = result_i64(&rows, row, 2);
    }
    return result_ok(&rows, err);
}

// ---- an end

static int add_event(struct db *db, struct locked_job *job, const struct engine_end *end, struct err *err)
{
    AUTO_STRBUF struct strbuf data = STRBUF_INIT;
    strbuf_add_format(&data, "{\"service\":\"%s\",\"epoch\":%d,\"by\":\"reaper\"", end->service, end->epoch);
    if (end->exit_code >= 0)
        strbuf_add_format(&data, ",\"exit\":{\"code\":%d,\"signal\":null}", end->exit_code);
    strbuf_add_char(&data, '}');
    if (strbuf_ok(&data, err) < 0)
        return -1;
    return job_add_event(db, job, "service.stopped", strbuf_text(&data), err);
}

static int record_end(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    const struct engine_end *end = argument;
    struct locked_job job;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (job_lock(sweep->db, end->job, &job, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    params_i64(&params, end->job);
    params_text(&params, end->service);
    params_i32(&params, end->epoch);
    params_i32(&params, end->exit_code);
    params_text(&params, end->signals);
    params_text(&params, end->error);
    if (db_query(sweep->db, STATEMENT_ENGINE_ENDED, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    if (result_rows(&rows) == 0)
        return 0;
    wakes_add(wakes, WAKE_JOB, end->job, 0);
    if (add_event(sweep->db, &job, end, err) < 0 || settle_jobs(sweep->db, &end->job, 1, wakes, err) < 0)
        return -1;
    return 1;
}

int engine_ended(const struct sweep *sweep, const struct engine_end *end, struct err *err)
{
    struct engine_end argument = *end;
    return sweep_run(sweep, record_end, &argument, err);
}

// ---- what remains

struct remains {
    const struct engine_seen *seen;
    const char *text;
};

static int add_stuck_event(struct db *db, struct locked_job *job, const struct remains *remains, struct err *err)
{
    AUTO_STRBUF struct strbuf data = STRBUF_INIT;
    strbuf_add_format(&data, "{\"service\":\"%s\",\"epoch\":%d,\"by\":\"reaper\",\"error\":", remains->seen->service,
                      remains->seen->epoch);
    strbuf_add_json(&data, remains->text, strlen(remains->text));
    strbuf_add_char(&data, '}');
    if (strbuf_ok(&data, err) < 0)
        return -1;
    return job_add_event(db, job, "service.stuck", strbuf_text(&data), err);
}

static int record_remains(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    const struct remains *remains = argument;
    struct locked_job job;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (job_lock(sweep->db, remains->seen->job, &job, err) < 0)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    params_i64(&params, remains->seen->job);
    params_text(&params, remains->seen->service);
    params_i32(&params, remains->seen->epoch);
    params_text(&params, remains->text);
    if (db_query(sweep->db, STATEMENT_ENGINE_REMAINS, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    if (result_rows(&rows) == 0)
        return 0;
    bool news = result_bool(&rows, 0, 0);
    wakes_add(wakes, WAKE_JOB, remains->seen->job, 0);
    if (result_ok(&rows, err) < 0 || (news && add_stuck_event(sweep->db, &job, remains, err) < 0) ||
        settle_jobs(sweep->db, &remains->seen->job, 1, wakes, err) < 0)
        return -1;
    return 1;
}

int engine_remains(const struct sweep *sweep, const struct engine_seen *seen, const char *text, struct err *err)
{
    struct remains remains = {.seen = seen, .text = text};
    return sweep_run(sweep, record_remains, &remains, err);
}

// ---- workers that owe something

int engine_debtors(const struct sweep *sweep, const char *engine, int64_t **workers, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_text(&params, engine);
    params_i64(&params, sweep->limit);
    return sweep_ids(sweep, STATEMENT_ENGINE_DEBTORS, &params, workers, err);
}

struct debtor {
    const char *engine;
    int64_t worker;
};

static int take_gone(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    const struct debtor *debtor = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, debtor->worker);
    if (db_query(sweep->db, STATEMENT_ENGINE_LOCK_WORKER, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return 0;
    bool lost = result_bool(&row, 0, 1);
    const struct worker_loss loss = {
        .worker = debtor->worker,
        .before = result_i32(&row, 0, 0) + lost,
        .absence = ABSENCE_UNKNOWN, // of its processes
        .engine = debtor->engine,
        .engine_was_seen = true,
        .why = "its worker was lost",
    };
    if (result_ok(&row, err) < 0)
        return -1;
    return workers_take_back(sweep->db, &loss, wakes, err);
}

int engine_gone(const struct sweep *sweep, const char *engine, int64_t worker, struct err *err)
{
    struct debtor debtor = {.engine = engine, .worker = worker};
    return sweep_run(sweep, take_gone, &debtor, err);
}

// ---- notes

static int write_sight(const struct sweep *sweep, void *argument, struct wakes *wakes, struct err *err)
{
    UNUSED(wakes);
    const struct engine_sight *sight = argument;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_text(&params, sight->engine);
    params_i32(&params, sight->containers);
    params_i32(&params, sight->orphans);
    params_bool(&params, sight->refused);
    params_i32(&params, sight->networks_kept);
    return db_execute(sweep->db, STATEMENT_ENGINE_NOTE, &params, NULL, err);
}

int engine_note(const struct sweep *sweep, const struct engine_sight *sight, struct err *err)
{
    struct engine_sight argument = *sight;
    return sweep_run(sweep, write_sight, &argument, err);
}

int engine_jobs_open(struct db *db, const int64_t *jobs, bool *open, size_t count, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64_array(&params, jobs, count);
    if (db_query(db, STATEMENT_ENGINE_JOBS_OPEN, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    memset(open, 0, count * sizeof *open);
    for (int row = 0; row < result_rows(&rows); row++)
        open[result_i64(&rows, row, 0) - 1] = true;
    return result_ok(&rows, err);
}
