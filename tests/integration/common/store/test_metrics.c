#include "services/common/store/metrics.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "tests/support/json_value.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};

static void test_metrics(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct store_metrics metrics;
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.queue_oldest_ready_seconds == 0);
    int64_t job = store_submit(db, &served);
    int64_t paused = store_submit(db, &(struct store_job){0});
    int64_t ready = store_submit(db, &(struct store_job){0});
    assert_ok(control_pause(db, paused, NULL, &wakes, &err), err);
    store_place(db, job, worker);
    store_sql(db, "UPDATE job SET created_at = created_at - interval '5 s' WHERE id = %lld", (long long)ready);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.queue_oldest_ready_seconds >= 5 && metrics.queue_oldest_ready_seconds < 60);
    assert_int_equal(metrics.ready_slices, 1);
    assert_int_equal(metrics.jobs_open, 3);
    assert_int_equal(metrics.jobs_paused, 1);
    assert_int_equal(metrics.live_instances, 1);
    assert_int_equal(metrics.leaked_services, 0);
    assert_int_equal(metrics.workers[WORKER_READY], 1);
    assert_true(metrics.reaper_lag_seconds == 0);
    store_sql(db, "UPDATE job SET attention_at = clock_timestamp() - interval '7 s' WHERE id = %lld", (long long)job);
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_true(metrics.reaper_lag_seconds >= 7);
    assert_int_equal(metrics.engine_orphans, 0);
    store_sql(db, "INSERT INTO engine VALUES ('a', clock_timestamp(), 9, 7, true, 1), "
                  "('b', clock_timestamp(), 9, 1, false, 2)");
    assert_ok(metrics_read(db, &metrics, &err), err);
    assert_int_equal(metrics.engine_orphans, 8);
    assert_int_equal(metrics.engines_refused, 1);
    assert_int_equal(metrics.engine_networks_kept, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_metrics),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
