// Each check of the doctor, well and unwell, on a real database.
#include "services/common/store/doctor.h"

#include "services/common/db/db.h"
#include "services/common/json/scan.h"
#include "services/common/model/states.h"
#include "services/common/store/reaper.h"
#include "tests/support/json_value.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

// {"check":"...","verdict":"...","found":"...": what is said about this check has to begin so.
static void finds(const char *check, const char *verdict, const char *found)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char expected[512];
    assert_ok(doctor_read(db, &out, &err), err);
    assert_ok(json_scan(out.data, out.length, NULL, NULL, &err), err);
    snprintf(expected, sizeof expected, "{\"check\":\"%s\",\"verdict\":\"%s\",\"found\":\"%s", check, verdict, found);
    if (!strstr(out.data, expected))
        fail_msg("no %s in %s", expected, out.data);
}

static int64_t lead(void)
{
    struct err err = {0};
    int64_t epoch = 0;
    assert_true(leader_acquire(db, "reaper", "me", 60000, &epoch, &err) >= 0);
    return epoch;
}

static void all_is_well(void **state)
{
    UNUSED(state);
    static const char *const checks[] = {"schema",   "autovacuum", "wraparound", "snapshots",  "connections",
                                         "primary",  "clocks",     "reaper",     "reaper_lag", "workers",
                                         "runtimes", "engines",    "leaks"};
    lead();
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        finds(checks[i], "ok", "");
    finds("reaper", "ok", "leads: me");
    finds("workers", "ok", "1 ready, 0 draining");
}

static void the_database(void **state)
{
    UNUSED(state);
    // What a test's own server is set to: everything that it acknowledges may be lost.
    bool fsync = store_sql(db, "SELECT current_setting('fsync') = 'on'");
    finds("durability", fsync ? "ok" : "wrong", fsync ? "fsync on" : "fsync off");
    store_sql(db, "DELETE FROM curfew.migration WHERE version = (SELECT max(version) FROM curfew.migration)");
    finds("schema", "wrong", "");
}

static void the_reaper(void **state)
{
    UNUSED(state);
    struct err err = {0};
    finds("reaper", "wrong", "none leads");
    int64_t epoch = lead();
    finds("reaper", "ok", "leads: me");
    assert_ok(leader_release(db, "reaper", epoch, &err), err);
    finds("reaper", "wrong", "none leads");
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() - interval '1 minute'");
    finds("reaper_lag", "warning", "5");
}

static void the_workers(void **state)
{
    UNUSED(state);
    store_sql(db, "UPDATE worker SET trouble = 'docker: no socket', engine = 'E1'");
    finds("runtimes", "warning", "worker 'w1': docker: no socket");
    finds("engines", "warning", "1 workers with an engine that no reaper watches");
    store_sql(db, "INSERT INTO engine VALUES ('E1', clock_timestamp(), 7, 4, true)");
    finds("engines", "wrong",
          "1 workers with an engine that no reaper watches, 4 containers that no row wants, 1 engines");
    store_sql(db, "UPDATE engine SET orphans = 0, refused = false, networks_kept = 2; UPDATE worker SET engine = NULL");
    finds("engines", "warning",
          "0 workers with an engine that no reaper watches, 0 containers that no row wants, 0 engines with too many of "
          "them, 2 networks that are empty and cannot be removed\",\"advice\":\"start the container engine again");
    store_sql(db, "UPDATE worker SET state = %d", WORKER_QUARANTINED);
    finds("workers", "warning", "0 ready, 0 draining, 0 suspect, 1 quarantined");
    store_sql(db, "DELETE FROM worker");
    finds("workers", "warning", "0 ready");
}

static void what_outlives_its_job(void **state)
{
    UNUSED(state);
    int64_t job = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    store_place(db, job, worker);
    finds("leaks", "ok", "0 services");
    store_sql(db, "UPDATE instance SET state = 5, stop_requested_at = clock_timestamp() - interval '2 minutes'");
    finds("leaks", "wrong", "1 services outlive their job");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_is_well), TEST(the_database), TEST(the_reaper), TEST(the_workers), TEST(what_outlives_its_job),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
