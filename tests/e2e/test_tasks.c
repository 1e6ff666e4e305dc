// What tasks are promised: attempts, outputs that count once, limits, timeouts, the addresses of services, an end with
// everything that they started.
#include "tests/support/test.h"

#include "tests/support/system_calls.h"
#include "tests/support/temp_dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 60000

static struct system *curfew;
static char *directory;

static struct json_object *closed(const char *id, const char *outcome)
{
    struct json_object *job = system_wait_closed_as(curfew, id, outcome, WAIT_MS);
    assert_int_equal(system_leftovers(curfew, id), 0);
    return job;
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

// 75 asks for another attempt and costs none.
static void test_exit_75(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'again','tasks':{'count':3},'retries':{'max':0,'backoff':'10ms'},"
                  "'command':['sh','-c','[ $CURFEW_ATTEMPT -ge 4 ] || exit 75']}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 3);
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/main/1", id);
    assert_int_equal(json_number_at(task, "/attempt"), 4);
    assert_int_equal(json_number_at(task, "/failures"), 0);
}

// What a failed attempt wrote is not among the results.
static void test_outputs_once(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'once','tasks':{'count':20},'retries':{'max':2,'backoff':'10ms'},'command':['sh','-c',"
                  "'echo [$CURFEW_TASK,$CURFEW_ATTEMPT] >> $CURFEW_OUTPUT; [ $CURFEW_ATTEMPT = 3 ]']}");
    json_object_put(closed(id, "succeeded"));
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", id);
    assert_int_equal(occurrences(results, "\n"), 20);
    for (int task = 0; task < 20; task++) {
        char output[32];
        snprintf(output, sizeof(output), "\"output\":[%d,3]}", task);
        assert_int_equal(occurrences(results, output), 1);
    }
}

// The most that were between "begin" and "end" at once.
static int most_at_once(const char *name)
{
    char path[256], what[16];
    int64_t at;
    int now = 0, most = 0;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fscanf(file, "%" SCNd64 " %15s", &at, what) == 2) {
        now += strcmp(what, "begin") == 0 ? 1 : -1;
        most = MAX(most, now);
    }
    fclose(file);
    assert_int_equal(now, 0);
    return most;
}

static void test_max_parallel(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'few','tasks':{'count':12},'max_parallel':2,'command':['sh','-c',"
                  "'@stamp@ %s/few begin; sleep 0.05; @stamp@ %s/few end']}",
                  directory, directory);
    json_object_put(closed(id, "succeeded"));
    assert_in_range(most_at_once("few"), 1, 2);
}

// A task that takes all slots of its worker runs alone there.
static void test_slots(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'wide','tasks':{'count':6},'slots':8,'where':{'name':'worker-0'},'command':['sh','-c',"
                  "'@stamp@ %s/wide begin; sleep 0.05; @stamp@ %s/wide end']}",
                  directory, directory);
    json_object_put(closed(id, "succeeded"));
    assert_int_equal(most_at_once("wide"), 1);
}

static void test_timeout(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'slow','stages':[{'name':'slow','timeout':'300ms','retries':{'max':1,"
                  "'backoff':'10ms'},'command':['sh','-c','@nasty@ fork-daemons 2; exec sleep 600']}]}");
    json_object_put(closed(id, "failed"));
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/slow/0", id);
    assert_int_equal(json_number_at(task, "/attempt"), 2);
    assert_non_null(strstr(json_text_at(task, "/error/error"), "timed out after 300ms"));
}

static void test_stop_ends_tasks(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(
        curfew, id,
        "{'name':'long','tasks':{'count':20},'command':['sh','-c','@nasty@ fork-daemons 2; exec @nasty@ tree']}");
    system_expect(curfew, id, "/state", "running", WAIT_MS);
    system_stop(curfew, id);
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "stopped");
    assert_int_equal(json_number_at(job, "/stages/0/cancelled"), 20);
}

// A task reaches what it was promised, and may name its service as it likes.
static void test_discovery(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(
        curfew, id,
        "{'name':'find','services':[{'name':'word-cache','command':['@nasty@','well-behaved'],"
        "'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'},'ready':{'tcp':'main'}}],"
        "'retries':{'max':0},'command':['sh','-c','"
        "[ $CURFEW_SERVICE_WORD_CACHE_ADDR = $CURFEW_SERVICE_WORD_CACHE_HOST:$CURFEW_SERVICE_WORD_CACHE_PORT ]"
        " && curl -s http://$CURFEW_SERVICE_WORD_CACHE_ADDR/ | grep -q ok && echo true > $CURFEW_OUTPUT']}");
    json_object_put(closed(id, "succeeded"));
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", id);
    assert_non_null(strstr(results, "\"output\":true"));
}

// Nothing new starts while a job is paused; then it goes on.
static void test_pause(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'pause','stages':[{'name':'first','command':['sh','-c',"
                  "'while [ ! -e %s/resume ]; do sleep 0.02; done']},{'name':'second','after':'first',"
                  "'command':['@stamp@','%s/second','ran']}]}",
                  directory, directory);
    system_expect(curfew, id, "/state", "running", WAIT_MS);
    assert_int_equal(system_post(curfew, "/v1/jobs/%s/pause", id), 200);
    char path[256];
    snprintf(path, sizeof(path), "%s/resume", directory);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fclose(file);
    system_expect(curfew, id, "/stages/0/state", "closed", WAIT_MS);
    system_expect(curfew, id, "/state", "paused", WAIT_MS);
    assert_int_equal(system_post(curfew, "/v1/jobs/%s/resume", id), 200);
    json_object_put(closed(id, "succeeded"));
}

// A worker that is told to end lets its tasks end, and leaves nothing.
static void test_drain(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'drain','tasks':{'count':30},'where':{'name':'worker-1'},'retries':{'max':0},"
                  "'command':['sleep','0.2']}");
    system_expect(curfew, id, "/state", "running", WAIT_MS);
    assert_int_equal(system_terminate(curfew, SYSTEM_WORKER, 1, WAIT_MS), 0);
    system_restart(curfew, SYSTEM_WORKER, 1);
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    AUTO_JSON_OBJECT struct json_object *tasks = system_get(curfew, "/v1/jobs/%s/tasks?single=true", id);
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 30);
    for (size_t i = 0; i < json_length_at(tasks, "/tasks"); i++) {
        struct json_object *task = json_object_array_get_idx(json_at(tasks, "/tasks"), i);
        assert_int_equal(json_number_at(task, "/attempt"), 1); // none was cut
    }
}

static int set_up(void **state)
{
    UNUSED(state);
    directory = temp_dir_new();
    curfew = system_start(&(struct system_plan){.workers = 2, .patient = true});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    int violations = system_violations(curfew);
    system_free(curfew);
    temp_dir_free(directory);
    return violations;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_75),   cmocka_unit_test(test_outputs_once), cmocka_unit_test(test_max_parallel),
        cmocka_unit_test(test_slots),     cmocka_unit_test(test_timeout),      cmocka_unit_test(test_stop_ends_tasks),
        cmocka_unit_test(test_discovery), cmocka_unit_test(test_pause),        cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
