// Stages that feed others: a source that fails ends the job with its error, outputs become tasks as they come, failed
// items are listed, counted and retried, never dropped.
#include "tests/support/test.h"

#include "services/common/base/fd.h"
#include "tests/support/process.h"
#include "tests/support/system_calls.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000

static struct system *curfew;
static char *directory;

static void touch(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fclose(file);
}

static struct json_object *closed(const char *id, const char *outcome)
{
    struct json_object *job = system_wait_closed_as(curfew, id, outcome, WAIT_MS);
    assert_int_equal(system_leftovers(curfew, id), 0);
    return job;
}

static void expect_number(struct json_object *json, const char *pointer, int64_t value)
{
    if (json_number_at(json, pointer) != value)
        fail_msg("%s is %lld, not %lld in %s", pointer, (long long)json_number_at(json, pointer), (long long)value,
                 json_object_to_json_string(json));
}

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static void test_failing_source(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'source','stages':[{'name':'list','command':['sh','-c','echo no such bucket >&2; exit 7'],"
                  "'retries':{'max':2,'backoff':'10ms'}},{'name':'work','from':'list','command':['true']},"
                  "{'name':'total','after':'work','command':['true']}]}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "failed");
    assert_string_equal(json_text_at(job, "/reason/code"), "task_failed");
    assert_non_null(strstr(json_text_at(job, "/reason/message"), "list"));
    expect_number(job, "/stages/0/failed", 1);
    expect_number(job, "/stages/1/total", 0);
    expect_number(job, "/stages/2/cancelled", 1);
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/list/0", id);
    expect_number(task, "/attempt", 3);
    expect_number(task, "/error/attempt", 3);
    expect_number(task, "/error/exit", 7);
    assert_non_null(strstr(json_text_at(task, "/error/error"), "no such bucket"));
}

// The last source task ends only when an output of another one was worked on.
static void test_outputs_stream(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'stream','stages':[{'name':'list','tasks':{'count':5},'max_parallel':1,'"
                  "command':['sh','-c',"
                  "'for i in 1 2 3; do echo 1$CURFEW_TASK$i >> $CURFEW_OUTPUT; done; [ $CURFEW_TASK -lt 4 ] || "
                  "while [ ! -e %s/worked ]; do sleep 0.02; done']},"
                  "{'name':'work','from':'list','command':['sh','-c','touch %s/worked; cat > $CURFEW_OUTPUT']}]}",
                  directory, directory);
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", id);
    expect_number(job, "/stages/1/succeeded", 15);
    assert_int_equal(lines(results), 15);
    for (int task = 0; task < 5; task++) {
        for (int i = 1; i <= 3; i++) {
            char output[32];
            snprintf(output, sizeof(output), "\"output\":%d}", 100 + task * 10 + i);
            const char *at = strstr(results, output);
            assert_non_null(at);
            assert_null(strstr(at + 1, output));
        }
    }
}

// Neither `after` nor `from: {after}` starts before the stage is closed.
static void test_after(void **state)
{
    char id[SYSTEM_ID_SIZE], path[256];
    AUTO_FREE char *order = NULL;
    size_t length;
    struct err err;
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'after','stages':[{'name':'list','tasks':{'count':4},'command':['sh','-c',"
                  "'echo 1 > $CURFEW_OUTPUT; sleep 0.$CURFEW_TASK; @stamp@ %s/after list']},"
                  "{'name':'work','from':{'after':'list'},'command':['@stamp@','%s/after','work']},"
                  "{'name':'more','after':['list'],'tasks':{'count':2},'command':['@stamp@','%s/after','work']},"
                  "{'name':'total','after':['work','more'],'command':['@stamp@','%s/after','total']}]}",
                  directory, directory, directory, directory);
    json_object_put(closed(id, "succeeded"));
    snprintf(path, sizeof(path), "%s/after", directory);
    assert_ok(file_read(path, 65536, &order, &length, &err), err);
    const char *first_work = strstr(order, " work");
    assert_int_equal(lines(order), 11);
    assert_non_null(first_work);
    assert_null(strstr(first_work, " list"));
    assert_null(strstr(strstr(order, " total"), " work"));
}

#define FAILS_FOR_EVEN "'command':['sh','-c','i=$(cat); echo item $i >&2; [ $((i %% 2)) = 1 ]']"

static void test_failed_items_are_kept(void **state)
{
    char id[SYSTEM_ID_SIZE], path[64];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'even','stages':[{'name':'odd','tasks':[1,2,3,4,5,6,7,8,9,10],'on_failure':'continue',"
                  "'retries':{'max':1,'backoff':'10ms'}," FAILS_FOR_EVEN "},"
                  "{'name':'total','after':'odd','command':['true']}]}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    expect_number(job, "/stages/0/succeeded", 5);
    expect_number(job, "/stages/0/failed", 5);
    expect_number(job, "/stages/1/succeeded", 1);
    AUTO_JSON_OBJECT struct json_object *failed =
        system_get(curfew, "/v1/jobs/%s/tasks?stage=odd&state=failed&single=true", id);
    assert_int_equal(json_length_at(failed, "/tasks"), 5);
    for (int i = 0; i < 5; i++) {
        char text[32];
        struct json_object *task = json_object_array_get_idx(json_at(failed, "/tasks"), (size_t)i);
        expect_number(task, "/attempt", 2);
        expect_number(task, "/error/exit", 1);
        snprintf(text, sizeof(text), "item %d", 2 * (i + 1));
        assert_non_null(strstr(json_text_at(task, "/error/error"), text));
    }
    // An outcome never changes: the items that failed become a job of their own.
    snprintf(path, sizeof(path), "/v1/jobs/%s/retry", id);
    AUTO_JSON_OBJECT struct json_object *again = NULL;
    assert_int_equal(system_call(curfew, "POST", path, NULL, &again), 201);
    assert_string_not_equal(json_text_at(again, "/id"), id);
    AUTO_JSON_OBJECT struct json_object *retried = closed(json_text_at(again, "/id"), "succeeded");
    expect_number(retried, "/stages/0/total", 5);
    expect_number(retried, "/stages/0/failed", 5);
}

static bool has_failed(void *job)
{
    AUTO_JSON_OBJECT struct json_object *shown = system_get(curfew, "/v1/jobs/%s", (const char *)job);
    return json_number_at(shown, "/stages/0/failed") == 1;
}

static void test_retry_in_place(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'place','stages':[{'name':'work','on_failure':'continue',"
                  "'retries':{'max':0},'command':['test','-e','%s/repaired']},{'name':'wait','command':['sh','-c',"
                  "'while [ ! -e %s/go ]; do sleep 0.02; done']}]}",
                  directory, directory);
    if (!wait_until(has_failed, id, WAIT_MS)) {
        system_explain(curfew, id);
        fail_msg("the task of job %s has not failed", id);
    }
    touch("repaired");
    assert_int_equal(system_post(curfew, "/v1/jobs/%s/retry", id), 200);
    touch("go");
    AUTO_JSON_OBJECT struct json_object *ended = closed(id, "succeeded");
    expect_number(ended, "/stages/0/succeeded", 1);
    expect_number(ended, "/stages/0/failed", 0);
}

// A source in `continue` mode: what succeeded is worked on, what failed is counted.
static void test_source_that_fails_in_part(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(
        curfew, id,
        "{'name':'part','stages':[{'name':'list','tasks':[1,2,3,4],'on_failure':'continue',"
        "'retries':{'max':0},'command':['sh','-c','i=$(cat); echo $i > $CURFEW_OUTPUT; "
        "[ $((i %% 2)) = 1 ]']},{'name':'work','from':'list','command':['sh','-c','cat > $CURFEW_OUTPUT']}]}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    expect_number(job, "/stages/0/failed", 2);
    expect_number(job, "/stages/1/total", 2);
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", id);
    assert_int_equal(lines(results), 2);
    assert_non_null(strstr(results, "\"output\":1}"));
    assert_non_null(strstr(results, "\"output\":3}"));
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
        cmocka_unit_test(test_failing_source), cmocka_unit_test(test_outputs_stream),
        cmocka_unit_test(test_after),          cmocka_unit_test(test_failed_items_are_kept),
        cmocka_unit_test(test_retry_in_place), cmocka_unit_test(test_source_that_fails_in_part),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
