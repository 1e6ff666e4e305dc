// Jobs as users see them: one, many, how far they are.
#include "services/common/store/read.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/metrics.h"
#include "tests/support/json_value.h"
#include "tests/support/store_fixture.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_job(int64_t job, const char *path, const char *expected)
{
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    assert_ok(read_job(db, job, NULL, &out, &err), err);
    assert_json(&out, path, expected);
}

static const struct store_job served = {.service_count = 1, .services = {{.name = "cache"}}};

static void test_job_through_its_life(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    char id[ID_TEXT_SIZE + 2];
    int64_t job = store_submit(db, &served);
    id_format('j', job, id + 1);
    id[0] = '"';
    strcat(id, "\"");

    assert_job(job, "id", id);
    assert_job(job, "state", "\"queued\"");
    assert_job(job, "labels", "{\"team\":\"search\"}");
    assert_job(job, "autostop", "true");
    assert_job(job, "outcome", "null");
    assert_job(job, "reason", "null");
    assert_job(job, "stages.0.ready", "10");
    assert_job(job, "services.0",
               "{\"name\":\"cache\",\"epoch\":1,\"runtime\":null,\"state\":\"pending\",\"host\":null,\"ports\":{}}");
    store_place(db, job, worker);
    assert_job(job, "state", "\"starting\"");
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    assert_job(job, "state", "\"running\"");
    store_claim(db, job, 0, 3, worker);
    assert_job(
        job, "stages.0",
        "{\"name\":\"main\",\"state\":\"open\",\"total\":10,\"ready\":7,\"running\":3,\"delayed\":0,\"succeeded\":0,"
        "\"failed\":0,\"cancelled\":0}");
    assert_ok(control_pause(db, job, NULL, &wakes, &err), err);
    assert_job(job, "state", "\"paused\"");
    assert_ok(control_stop(db, job, NULL, &wakes, &err), err);
    assert_job(job, "state", "\"stopped\"");
    assert_job(job, "cleanup", "\"pending\"");
    assert_job(job, "reason.code", "\"stop_requested\"");
    store_report(db, job, 0, SLICE_SUCCEEDED, NULL);
    store_observe(db, job, "cache", INSTANCE_VERIFIED, NULL);
    assert_job(job, "cleanup", "\"clean\"");
    assert_job(job, "stages.0.state", "\"closed\"");
    assert_job(job, "stages.0.succeeded", "3");

    struct job_progress progress;
    assert_ok(read_job(db, job, &progress, &out, &err), err);
    assert_true(progress.found && progress.closed);
    assert_int_equal(progress.outcome, OUTCOME_STOPPED);
    assert_int_equal(progress.event_count, store_sql(db, "SELECT count(*) FROM event"));
}

static void test_progress_of_many(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    int64_t jobs[] = {store_submit(db, &served), 5, store_submit(db, &(struct store_job){0})};
    assert_ok(control_stop(db, jobs[2], NULL, &wakes, &err), err);
    struct job_progress progress[3];
    assert_ok(read_progress(db, jobs, 3, progress, &err), err);
    assert_true(progress[0].found);
    assert_int_equal(progress[0].outcome, OUTCOME_NONE);
    assert_false(progress[1].found);
    assert_true(progress[2].closed);
    assert_int_equal(progress[2].outcome, OUTCOME_STOPPED);
}

static void test_lists_of_jobs(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t jobs[7];
    for (int i = 0; i < 7; i++)
        jobs[i] = store_submit(db, &(struct store_job){.name = i == 3 ? "special" : "usual"});
    assert_ok(control_stop(db, jobs[1], NULL, &wakes, &err), err);
    assert_ok(control_pause(db, jobs[2], NULL, &wakes, &err), err);

    struct job_filter filter = {.state = -1, .limit = 3};
    char cursor[ID_TEXT_SIZE];
    int total = 0;
    for (int page = 0; page < 3; page++) {
        strbuf_clear(&out);
        assert_ok(read_jobs(db, &filter, &out, &err), err);
        total += (int)json_list_length(&out, "jobs");
        if (page < 2) {
            id_format('j', jobs[6 - 3 * (page + 1) + 1], cursor);
            char quoted[ID_TEXT_SIZE + 3];
            snprintf(quoted, sizeof quoted, "\"%s\"", cursor);
            assert_json(&out, "next", quoted);
            filter.cursor = cursor;
        }
    }
    assert_int_equal(total, 7);
    assert_json(&out, "next", "null");

    static const struct {
        struct job_filter filter;
        int expected;
    } cases[] = {
        {{.state = -1, .limit = 100, .name = "special"}, 1},
        {{.state = -1, .limit = 100, .label = "team", .value = "search"}, 7},
        {{.state = -1, .limit = 100, .label = "team", .value = "other"}, 0},
        {{.state = -1, .limit = 100, .since_us = INT64_C(4000000000000000)}, 0},
        {{.state = JOB_STOPPED, .limit = 100}, 1},
        {{.state = JOB_PAUSED, .limit = 100}, 1},
        {{.state = JOB_QUEUED, .limit = 100}, 5},
        {{.state = JOB_RUNNING, .limit = 100}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        strbuf_clear(&out);
        assert_ok(read_jobs(db, &cases[i].filter, &out, &err), err);
        assert_int_equal(json_list_length(&out, "jobs"), cases[i].expected);
    }
    filter.cursor = "nonsense";
    assert_error(read_jobs(db, &filter, &out, &err), err, ERR_INVALID, "cursor 'nonsense'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_job_through_its_life),
        TEST(test_progress_of_many),
        TEST(test_lists_of_jobs),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
