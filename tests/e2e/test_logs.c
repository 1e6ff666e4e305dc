// A service that writes a gigabyte costs neither memory nor database: of its log the beginning and the end are kept,
// and it says what was left out.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "tests/support/system_calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 240000
#define MEBIBYTE (INT64_C(1) << 20)
#define GROWTH_MOST (48 * MEBIBYTE)   // of a program; sanitizers need some of it
#define DATABASE_MOST (24 * MEBIBYTE) // of all that the log adds
#define LOG_MOST (16 * MEBIBYTE)      // of what is kept

static struct system *curfew;

static int64_t database_bytes(void)
{
    return system_sql(curfew, "SELECT pg_database_size(current_database())");
}

static void test_a_gigabyte_of_log(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    pid_t worker = system_pid(curfew, SYSTEM_WORKER, 0), manager = system_pid(curfew, SYSTEM_MANAGER, 0);
    int64_t database = database_bytes(), most_worker = 0, most_manager = 0;
    int64_t worker_before = system_resident_bytes(worker), manager_before = system_resident_bytes(manager);
    // It is ready when it has written everything.
    system_submit(curfew, id,
                  "{'name':'gigabyte','services':[{'name':'chatty','command':['@nasty@','writes-1gb'],"
                  "'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'},'ready':{'tcp':'main','deadline':'4m'}}],"
                  "'command':['sh','-c','echo the last task']}");
    int64_t deadline_ms = clock_boot_ms() + WAIT_MS;
    for (bool over = false; !over && clock_boot_ms() < deadline_ms;) {
        AUTO_JSON_OBJECT struct json_object *job = system_get(curfew, "/v1/jobs/%s?wait=closed&timeout=50ms", id);
        over = *json_text_at(job, "/closed_at") != '\0';
        most_worker = MAX(most_worker, system_resident_bytes(worker) - worker_before);
        most_manager = MAX(most_manager, system_resident_bytes(manager) - manager_before);
    }
    json_object_put(system_wait_closed_as(curfew, id, "succeeded", 1));
    assert_int_equal(system_leftovers(curfew, id), 0);
    int64_t grown = database_bytes() - database;
    int64_t kept = system_sql(curfew, "SELECT coalesce(sum(length(content)), 0) FROM log WHERE job = %lld",
                              (long long)system_job_number(id));
    print_message("worker +%" PRId64 " KiB, manager +%" PRId64 " KiB, database +%" PRId64 " KiB, log %" PRId64 " KiB\n",
                  most_worker / 1024, most_manager / 1024, grown / 1024, kept / 1024);
    assert_true(most_worker < GROWTH_MOST);
    assert_true(most_manager < GROWTH_MOST);
    assert_true(grown < DATABASE_MOST);
    assert_in_range(kept, 1024, LOG_MOST);
    AUTO_FREE char *log = system_stream(curfew, "/v1/jobs/%s/logs?source=service/chatty/1", id);
    assert_non_null(strstr(log, "ready")); // the end of it
    assert_memory_equal(log, "xxxx", 4);   // and the beginning
    assert_int_equal(system_violations(curfew), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    curfew = system_start(&(struct system_plan){.patient = true});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    system_free(curfew);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_gigabyte_of_log)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
