#include "tests/support/hot_lane.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/workers.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct hot_lane open_with(const char *conninfo, int64_t lease_ms)
{
    struct err err = {0};
    struct hot_settings settings = {.worker_lease_ms = lease_ms, .log_limit_bytes = 1000, .event_limit = 50};
    struct hot_lane opened = {.db = store_db_again(conninfo), .own = store_db_again(conninfo)};
    assert_ok(hot_new(opened.own, &settings, &opened.hot, &err), err);
    return opened;
}

struct hot_lane hot_lane_open(const char *conninfo)
{
    return open_with(conninfo, 30000);
}

struct hot_lane hot_lane_open_patient(const char *conninfo)
{
    return open_with(conninfo, INT64_C(3600) * 1000);
}

void hot_lane_close(struct hot_lane *of)
{
    hot_free(of->hot);
    db_close(of->own);
    db_close(of->db);
    wakes_release(&of->wakes);
}

static void submit_text(struct hot_lane *of, const char *key, char *json, struct submit_operation *out)
{
    struct err err = {0};
    char fingerprint[SHA256_HEX_SIZE];
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    if (job_spec_parse(json, strlen(json), &spec, &faults, &err) < 0)
        fail_msg("%s: %s: %s", json, faults.count ? faults.list[0].pointer : "",
                 faults.count ? faults.list[0].detail : err.text);
    assert_ok(job_spec_fingerprint(json, strlen(json), fingerprint, &err), err);
    *out = (struct submit_operation){.spec = &spec,
                                     .idempotency_key = key,
                                     .fingerprint = fingerprint,
                                     .traceparent = of->traceparent,
                                     .job = id_new()};
    assert_ok(hot_run(of->hot, &out, 1, NULL, 0, &of->wakes, &err), err);
    out->spec = NULL;
    out->fingerprint = NULL;
}

int64_t hot_lane_submit(struct hot_lane *of, const char *format, ...)
{
    char *json = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&json, format, arguments) < 0)
        abort();
    va_end(arguments);
    AUTO_FREE char *owned = json;
    struct submit_operation operation;
    submit_text(of, NULL, owned, &operation);
    if (operation.failed)
        fail_msg("%s: %s", owned, operation.err.text);
    assert_true(operation.created);
    return operation.job;
}

bool hot_lane_submit_key(struct hot_lane *of, const char *key, const char *json, struct submit_operation *out)
{
    AUTO_FREE char *copy = strdup(json);
    submit_text(of, key, copy, out);
    return out->failed;
}

void hot_lane_run(struct hot_lane *of, struct work_operation **works, size_t count)
{
    struct err err = {0};
    assert_ok(hot_run(of->hot, NULL, 0, works, count, &of->wakes, &err), err);
}

void hot_lane_work(struct hot_lane *of, struct work_operation *work)
{
    hot_lane_run(of, &work, 1);
    if (work->failed)
        fail_msg("%s: %s", err_code_name(work->err.code), work->err.text);
}

struct hot_worker hot_worker_new(struct db *db, const char *name)
{
    int64_t id = store_worker(db, name);
    return (struct hot_worker){id, (int)store_sql(db, "SELECT incarnation FROM worker WHERE id = %lld", (long long)id)};
}

struct work_operation hot_poll(struct hot_worker worker, const struct queue_want *want)
{
    return (struct work_operation){
        .worker = worker.id,
        .incarnation = worker.incarnation,
        .polls = true,
        .wants = want,
        .want_count = want ? 1 : 0,
    };
}

struct slice_result hot_success(const struct grant *grant)
{
    return (struct slice_result){
        .slice = "job/stage/first", .job = grant->job, .token = grant->token, .all_succeeded = true};
}

bool hot_woken(const struct hot_lane *of, enum wake_kind kind, int64_t id)
{
    for (size_t i = 0; i < of->wakes.count; i++)
        if (of->wakes.items[i].kind == kind && of->wakes.items[i].id == id)
            return true;
    return false;
}

void hot_check(struct hot_lane *of)
{
    AUTO_FREE char *problem =
        store_sql_text(of->db, "SELECT format('%%s violations: %%s', count(*), string_agg(format('%%s/%%s %%s', "
                               "job, stage, problem), '; ')) FROM violations(NULL) HAVING count(*) > 0");
    if (*problem)
        fail_msg("%s", problem);
}

struct pg *hot_pg;
struct hot_lane lane;

int hot_group_setup(void **state)
{
    UNUSED(state);
    hot_pg = pg_start(0);
    return 0;
}

int hot_group_teardown(void **state)
{
    UNUSED(state);
    pg_stop(hot_pg);
    return 0;
}

int hot_test_setup(void **state)
{
    UNUSED(state);
    lane = hot_lane_open(pg_database_new(hot_pg));
    return 0;
}

int hot_test_teardown(void **state)
{
    UNUSED(state);
    hot_check(&lane);
    hot_lane_close(&lane);
    return 0;
}
