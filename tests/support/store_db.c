#include "tests/support/store_db.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/settle.h"
#include "services/common/model/slice.h"
#include "services/common/model/states.h"
#include "services/common/store/embedded.h"
#include "services/common/store/settle.h"
#include "services/common/store/settle_batch.h"
#include "services/common/store/workers.h"
#include "tests/support/pg.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct db *store_db_again(const char *conninfo)
{
    struct err err = {0};
    struct db *db = NULL;
    struct db_options options = {.statements = store_statements, .statement_count = STATEMENT_COUNT};
    assert_ok(db_open(conninfo, &options, &db, &err), err);
    return db;
}

struct db *store_db_new(struct pg *pg)
{
    return store_db_again(pg_database_new(pg));
}

static void run(struct db *db, const char *text, struct result *out)
{
    struct err err = {0};
    if (db_sql(db, text, NULL, RESULT_TEXT, out, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static char *PRINTF_LIKE(1, 0) format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    return text;
}

int64_t store_sql(struct db *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    AUTO_FREE char *text = format_text(format, arguments);
    va_end(arguments);
    AUTO_RESULT struct result result = RESULT_INIT;
    run(db, text, &result);
    if (result_rows(&result) == 0)
        return 0;
    const char *value = result_text_or_null(&result, 0, 0);
    if (value && (strcmp(value, "t") == 0 || strcmp(value, "f") == 0))
        return *value == 't';
    return value ? strtoll(value, NULL, 10) : 0;
}

char *store_sql_text(struct db *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    AUTO_FREE char *text = format_text(format, arguments);
    va_end(arguments);
    AUTO_RESULT struct result result = RESULT_INIT;
    run(db, text, &result);
    const char *value = result_rows(&result) > 0 ? result_text_or_null(&result, 0, 0) : NULL;
    return strdup(value ? value : "");
}

static void settle(struct db *db, int64_t job, struct wakes *wakes)
{
    struct err err = {0};
    AUTO_WAKES struct wakes ignored = WAKES_INIT;
    assert_ok(settle_jobs(db, &job, 1, wakes ? wakes : &ignored, &err), err);
}

void store_settle(struct db *db, int64_t job, struct wakes *wakes, const char *facts, ...)
{
    va_list arguments;
    va_start(arguments, facts);
    AUTO_FREE char *text = format_text(facts, arguments);
    va_end(arguments);
    store_sql(db, "BEGIN; SELECT id FROM job WHERE id = %lld FOR NO KEY UPDATE; %s", (long long)job, text);
    settle(db, job, wakes);
    store_sql(db, "COMMIT");
}

static int demand_of(struct db *db, const char *queue)
{
    store_sql(db, "INSERT INTO demand (queue, runtime, labels) VALUES ('%s', '', '{}') ON CONFLICT DO NOTHING", queue);
    return (int)store_sql(db, "SELECT id FROM demand WHERE queue = '%s' AND runtime = '' AND labels = '{}'", queue);
}

static void add_stage(struct db *db, int64_t job, int number, const struct store_stage *stage, int priority)
{
    int demand = demand_of(db, stage->queue ? stage->queue : "default");
    store_sql(
        db,
        "INSERT INTO stage (job, stage, name, demand, priority, run, from_stage, after_mask, fail_job, retries_max, "
        "backoff_ms, backoff_max_ms, max_parallel, total, open, released) VALUES (%lld, %d, '%s', %d, %d, '{}', "
        "nullif(%d, -1), %lld, %s, %d, 1000, 60000, %d, %lld, %lld, false)",
        (long long)job, number, stage->name, demand, priority, stage->from, (long long)stage->after,
        stage->goes_on ? "false" : "true", stage->retries, stage->max_parallel, (long long)stage->tasks,
        (long long)stage->tasks);
    store_sql(db,
              "INSERT INTO slice (job, stage, first, count, state, demand, priority) "
              "SELECT %lld, %d, f, least(%lld, %lld - f), 0, %d, %d FROM generate_series(0::bigint, %lld - 1, %lld) f",
              (long long)job, number, (long long)slice_initial_width(stage->tasks), (long long)stage->tasks, demand,
              priority, (long long)stage->tasks, (long long)slice_initial_width(stage->tasks));
    store_sql(db,
              "INSERT INTO item (job, stage, first, count, lines) "
              "SELECT %lld, %d, c * 4, count(*), string_agg(t::text, E'\\n' ORDER BY t) || E'\\n' "
              "FROM generate_series(0, %lld - 1) t, LATERAL (SELECT t / 4 AS c) x GROUP BY c",
              (long long)job, number, (long long)stage->tasks);
}

static void add_service(struct db *db, int64_t job, int number, const struct store_service *service)
{
    store_sql(db,
              "INSERT INTO service (job, service, name, demand, run, depends_mask, on_failure, restart_max, "
              "restart_window_ms, restart_backoff_ms, ready_deadline_ms) "
              "VALUES (%lld, %d, '%s', %d, '{}', %lld, %d, %d, 3600000, 600000, 3600000)",
              (long long)job, number, service->name, demand_of(db, ""), (long long)service->depends,
              service->on_failure, service->restarts);
}

int64_t store_submit(struct db *db, const struct store_job *job)
{
    static const struct store_stage single = {.name = "main", .tasks = 10, .from = -1};
    int64_t id = id_new();
    store_sql(db, "BEGIN");
    store_sql(
        db,
        "INSERT INTO job (id, name, labels, priority, spec, autostop_on, linger_ms, keep_on_failure_ms, timeout_ms, "
        "max_lifetime_ms, services, phase, cleanup, created_at, event_count) "
        "VALUES (%lld, '%s', '{\"team\": \"search\"}', %d, '{\"name\":\"test\"}', %d, %lld, %lld, %lld, %lld, %d, 0, "
        "0, "
        "clock_timestamp(), 1)",
        (long long)id, job->name ? job->name : "test", job->priority, job->keeps ? 0 : 15, (long long)job->linger_ms,
        (long long)job->keep_on_failure_ms, (long long)job->timeout_ms,
        (long long)(job->max_lifetime_ms ? job->max_lifetime_ms : 86400000), job->service_count);
    store_sql(db, "INSERT INTO event VALUES (%lld, 1, clock_timestamp(), 'job.submitted', '{}')", (long long)id);
    for (int i = 0; i < job->stage_count; i++)
        add_stage(db, id, i, &job->stages[i], job->priority);
    if (job->stage_count == 0)
        add_stage(db, id, 0, &single, job->priority);
    for (int i = 0; i < job->service_count; i++)
        add_service(db, id, i, &job->services[i]);
    settle(db, id, NULL);
    store_sql(db, "COMMIT");
    return id;
}

int64_t store_worker(struct db *db, const char *name)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    const char *runtimes[] = {"process"}, *queues[] = {"default", "other"};
    struct worker_registration registration = {
        .name = name,
        .host = "host",
        .boot = "boot",
        .runtimes = runtimes,
        .runtime_count = 1,
        .queues = queues,
        .queue_count = 2,
        .labels = "{}",
        .slots = 4,
    };
    struct worker_registered registered;
    assert_int_equal(workers_register(db, &registration, 30000, &registered, &wakes, &err), REGISTER_DONE);
    return registered.worker;
}

void store_place(struct db *db, int64_t job, int64_t worker)
{
    store_settle(db, job, NULL,
                 "UPDATE instance i SET state = 1, worker = %lld, incarnation = w.incarnation, runtime = 'process', "
                 "object = 'x', placed_at = clock_timestamp(), ready_by = clock_timestamp() + interval '1 hour' "
                 "FROM worker w WHERE w.id = %lld AND i.job = %lld AND i.state = 0",
                 (long long)worker, (long long)worker, (long long)job);
}

void store_observe(struct db *db, int64_t job, const char *service, int state, struct wakes *wakes)
{
    store_settle(
        db, job, wakes,
        "UPDATE instance SET state = %d, failed = failed OR (%d = 8), "
        "ready_at = CASE WHEN %d = 3 THEN clock_timestamp() ELSE ready_at END, "
        "stopped_at = CASE WHEN %d IN (7, 8, 11) THEN coalesce(stopped_at, clock_timestamp()) ELSE stopped_at END, "
        "verified_at = CASE WHEN %d = 11 THEN clock_timestamp() END, grade = CASE WHEN %d = 11 THEN 2 END "
        "WHERE job = %lld AND name = '%s' AND epoch = (SELECT max(epoch) FROM instance WHERE job = %lld AND name = "
        "'%s')",
        state, state, state, state, state, state, (long long)job, service, (long long)job, service);
}

int64_t store_claim(struct db *db, int64_t job, int stage, int64_t tasks, int64_t worker)
{
    AUTO_FREE char *text = store_sql_text(db,
                                          "SELECT first || ' ' || count FROM slice WHERE job = %lld AND stage = %d AND "
                                          "state = 1 ORDER BY rank, first LIMIT 1",
                                          (long long)job, stage);
    long long first = 0, count = 0;
    if (sscanf(text, "%lld %lld", &first, &count) != 2)
        return 0;
    long long take = MIN(count, (long long)tasks);
    store_sql(db, "BEGIN");
    if (take < count)
        store_sql(
            db,
            "INSERT INTO slice (job, stage, first, count, state, attempt, failures, demand, priority, rank) "
            "SELECT job, stage, first + %lld, count - %lld, state, attempt, failures, demand, priority, rank + %lld "
            "FROM slice WHERE job = %lld AND stage = %d AND first = %lld",
            take, take, take, (long long)job, stage, first);
    store_sql(db,
              "UPDATE slice s SET state = 2, count = %lld, attempt = attempt + 1, worker = w.id, incarnation = "
              "w.incarnation, "
              "token = nextval('lease_token'), leased_at = clock_timestamp() FROM worker w "
              "WHERE w.id = %lld AND job = %lld AND stage = %d AND first = %lld",
              take, (long long)worker, (long long)job, stage, first);
    store_sql(db, "COMMIT");
    return take;
}

void store_report(struct db *db, int64_t job, int stage, int state, struct wakes *wakes)
{
    const char *column = state == SLICE_SUCCEEDED ? "succeeded" : state == SLICE_FAILED ? "failed" : "cancelled";
    store_settle(
        db, job, wakes,
        "WITH done AS (UPDATE slice SET state = %d, worker = NULL, incarnation = NULL, token = NULL, leased_at = NULL, "
        "cancel = false WHERE job = %lld AND stage = %d AND state = 2 RETURNING count) "
        "UPDATE stage SET open = open - n, %s = %s + n FROM (SELECT coalesce(sum(count), 0) AS n FROM done) d "
        "WHERE job = %lld AND stage = %d",
        state, (long long)job, stage, column, column, (long long)job, stage);
}

static void check_settled(struct db *db, int64_t job)
{
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_SETTLE_BATCH struct settle_batch batch = {.db = db, .wakes = &wakes};
    assert_ok(settle_batch_load(&batch, &job, 1, &err), err);
    if (batch.count == 0)
        return;
    const struct settle_view *view = &batch.entries[0].view;
    struct settle_plan *plan = &batch.entries[0].plan;
    settle_decide(view, plan);
    if (plan->changes)
        fail_msg("settling job %lld again changes it: outcome %d to %d, cleanup %d to %d, phase %d to %d, kept until "
                 "%lld to %lld, attention at %lld to %lld, at %lld; %zu starts, %zu stops",
                 (long long)job, view->outcome, plan->outcome, view->cleanup, plan->cleanup, view->phase, plan->phase,
                 (long long)view->keep_until_us, (long long)plan->keep_until_us, (long long)view->attention_at_us,
                 (long long)plan->attention_at_us, (long long)view->now_us, plan->start_count, plan->stop_count);
}

void store_check(struct db *db, int64_t job)
{
    AUTO_FREE char *problem =
        store_sql_text(db, "SELECT string_agg(stage || ': ' || problem, '; ') FROM violations(%lld)", (long long)job);
    if (*problem)
        fail_msg("job %lld: %s", (long long)job, problem);
    check_settled(db, job);
}

int64_t store_job_number(struct db *db, int64_t job, const char *column)
{
    return store_sql(db, "SELECT coalesce((%s)::bigint, -1) FROM job WHERE id = %lld", column, (long long)job);
}

void store_expect_ended(struct db *db, int64_t job, int outcome, const char *reason, int cleanup)
{
    store_check(db, job);
    AUTO_FREE char *code =
        store_sql_text(db, "SELECT coalesce(reason_code, '') FROM job WHERE id = %lld", (long long)job);
    assert_string_equal(code, reason);
    assert_int_equal(store_job_number(db, job, "outcome"), outcome);
    assert_int_equal(store_job_number(db, job, "cleanup"), cleanup);
    assert_int_equal(store_job_number(db, job, "(closed_at IS NOT NULL)::int"),
                     cleanup == CLEANUP_NONE || cleanup == CLEANUP_CLEAN);
}

void store_expect_event(struct db *db, int64_t job, const char *kind, int times)
{
    int64_t count = store_sql(db, "SELECT count(*) FROM event WHERE job = %lld AND kind = '%s'", (long long)job, kind);
    if (count != times)
        fail_msg("%lld events '%s', expected %d", (long long)count, kind, times);
}
