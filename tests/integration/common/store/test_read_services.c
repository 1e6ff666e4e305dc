// What the time of services went into, to the millisecond.
#include "services/common/store/read.h"

#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/metrics.h"
#include "tests/support/json_value.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>

// When what happened to an instance, in seconds from the start of a minute long ago; NULL: it did not.
struct life {
    const char *placed, *started, *ready, *work_ended, *stop_asked, *gone;
    const char *expected; // of this life
};

static int64_t live(const struct life *life)
{
    const struct {
        const char *table, *column, *at;
    } moments[] = {{"instance", "placed_at", life->placed}, {"instance", "started_at", life->started},
                   {"instance", "ready_at", life->ready},   {"instance", "stop_requested_at", life->stop_asked},
                   {"instance", "stopped_at", life->gone},  {"instance", "verified_at", life->gone},
                   {"job", "finished_at", life->work_ended}};
    int64_t job = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    store_place(db, job, worker);
    if (life->work_ended)
        store_sql(db, "UPDATE job SET outcome = 0, cleanup = 1, finished_at = now() WHERE id = %lld", (long long)job);
    for (size_t i = 0; i < ARRAY_LEN(moments); i++)
        store_sql(db, "UPDATE %s SET %s = timestamptz '2026-01-01 12:00:00Z' + interval '%s s' WHERE %s = %lld",
                  moments[i].table, moments[i].column, moments[i].at ? moments[i].at : "0",
                  *moments[i].table == 'j' ? "id" : "job", moments[i].at ? (long long)job : 0);
    if (!life->started)
        store_sql(db, "UPDATE instance SET started_at = NULL WHERE job = %lld", (long long)job);
    return job;
}

static void assert_seconds(int64_t job, const char *path, const char *expected)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_cleanup(db, job, &out, &err), err);
    assert_json(&out, path, expected);
}

#define SECONDS(WARMING, USEFUL, IDLE, LEAKED) \
    "{\"warming\":" WARMING ",\"useful\":" USEFUL ",\"idle\":" IDLE ",\"leaked\":" LEAKED "}"

static void lives(void **state)
{
    UNUSED(state);
    static const struct life all[] = {
        // As it should be: it warms up, works, and is gone after its grace.
        {"0", "1", "3.5", "63.5", "63.5", "65.25", SECONDS("2.500", "60.000", "1.750", "0.000")},
        // It lingers for 30 s after the work.
        {"0", "1", "3.5", "63.5", "93.5", "94.5", SECONDS("2.500", "60.000", "31.000", "0.000")},
        // It would not go: a minute of that is its due, the rest is leaked.
        {"0", "1", "2", "10", "12", "102", SECONDS("1.000", "8.000", "62.000", "30.000")},
        // It never became ready.
        {"0", "2", NULL, "30", "30", "31.5", SECONDS("28.000", "0.000", "1.500", "0.000")},
        // It died by itself while the job went on.
        {"0", "1", "2", "60", NULL, "12", SECONDS("1.000", "10.000", "0.000", "0.000")},
        // It was replaced while the job went on: the stop ends what is useful.
        {"0", "1", "2", "60", "12", "15", SECONDS("1.000", "10.000", "3.000", "0.000")},
        // Nobody has heard of its start.
        {"4", NULL, NULL, "6", "6", "7", SECONDS("2.000", "0.000", "1.000", "0.000")},
        // It was ready when its job had ended already.
        {"0", "1", "9", "5", "9.5", "10", SECONDS("8.000", "0.000", "1.000", "0.000")},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int64_t job = live(&all[i]);
        assert_seconds(job, "certificates.0.seconds", all[i].expected);
        assert_seconds(job, "seconds", all[i].expected);
    }
}

static void several_of_one_job(void **state)
{
    UNUSED(state);
    int64_t job = live(&(struct life){"0", "1", "3", "63", "63", "64", NULL});
    store_sql(
        db,
        "INSERT INTO instance (job, service, epoch, name, demand, state, not_before, created_at, placed_at, "
        "started_at, ready_at, stop_requested_at, stopped_at) "
        "SELECT job, service, 2, name, demand, 11, not_before, created_at, placed_at, started_at + interval '1 s', "
        "ready_at, stop_requested_at, stopped_at + interval '90 s' FROM instance WHERE job = %lld",
        (long long)job);
    assert_seconds(job, "certificates.0.seconds", SECONDS("2.000", "60.000", "1.000", "0.000"));
    assert_seconds(job, "certificates.1.seconds", SECONDS("1.000", "60.000", "60.000", "31.000"));
    assert_seconds(job, "seconds", SECONDS("3.000", "120.000", "61.000", "31.000"));
    int64_t waiting = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    assert_seconds(waiting, "seconds", SECONDS("0.000", "0.000", "0.000", "0.000"));
}

// Of what may exist now; time goes on.
static void the_metric(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct store_metrics metrics;
    int64_t job = live(&(struct life){"0", "1", "3", NULL, NULL, NULL, NULL});
    store_sql(db, "UPDATE instance SET state = 3, stopped_at = NULL, verified_at = NULL WHERE job = %lld",
              (long long)job);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.seconds.warming == 2 && metrics.seconds.useful > 100);
    assert_true(metrics.seconds.idle == 0 && metrics.seconds.leaked == 0);
    store_sql(db, "UPDATE instance SET state = 5, stop_requested_at = ready_at + interval '100 s' WHERE job = %lld",
              (long long)job);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.seconds.warming == 2 && metrics.seconds.useful == 100);
    assert_true(metrics.seconds.idle == 60 && metrics.seconds.leaked > 100);
    store_sql(db, "UPDATE instance SET state = 11 WHERE job = %lld", (long long)job);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.seconds.warming == 0 && metrics.seconds.leaked == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(lives), TEST(several_of_one_job), TEST(the_metric)};
    return cmocka_run_group_tests(tests, start, stop);
}
