// Stages in stream mode: a Python process per slot answers lines of JSON; one that dies fails just the tasks that it
// had not answered.
#include "tests/support/test.h"

#include "services/common/base/fd.h"
#include "tests/support/system_calls.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000

static struct system *curfew;
static char *directory;
static char hanging[SYSTEM_ID_SIZE]; // a job whose second task hangs until its time is over, beside the tests

static const char script[] = "import json, os, sys, time\n"
                             "for line in sys.stdin:\n"
                             "    asked = json.loads(line)\n"
                             "    task, item = asked['task'], asked['item']\n"
                             "    if item == 'die' and asked['attempt'] == 1:\n"
                             "        os._exit(5)\n"
                             "    if item == 'hang':\n"
                             "        time.sleep(600)\n"
                             "    print('saw', task, file=sys.stderr)\n"
                             "    if item == 'bad':\n"
                             "        answer = {'task': task, 'ok': False, 'error': 'this one is bad'}\n"
                             "    else:\n"
                             "        answer = {'task': task, 'ok': True, 'outputs': [[item, os.getpid()]]}\n"
                             "    print(json.dumps(answer), flush=True)\n";

static struct json_object *closed(const char *id, const char *outcome)
{
    struct json_object *job = system_wait_closed_as(curfew, id, outcome, WAIT_MS);
    assert_int_equal(system_leftovers(curfew, id), 0);
    return job;
}

static void submit(char id[SYSTEM_ID_SIZE], const char *tasks, const char *more)
{
    system_submit(curfew, id,
                  "{'name':'stream','stages':[{'name':'work','mode':'stream','command':['python3','%s/work.py'],"
                  "'tasks':[%s]%s}]}",
                  directory, tasks, more);
}

// "1,2,...,count"
static char *numbers(int count)
{
    char *text = calloc((size_t)count, 8), *at = text;
    for (int i = 1; i <= count; i++)
        at += sprintf(at, "%s%d", i > 1 ? "," : "", i);
    return text;
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

static void test_many(void **state)
{
    char id[SYSTEM_ID_SIZE];
    AUTO_FREE char *tasks = numbers(500);
    UNUSED(state);
    submit(id, tasks, "");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", id);
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 500);
    assert_int_equal(occurrences(results, "\n"), 500);
    for (int i = 1; i <= 500; i++) {
        char output[32];
        snprintf(output, sizeof(output), "\"output\":[%d,", i);
        assert_int_equal(occurrences(results, output), 1);
    }
}

static void test_death_in_the_middle(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    submit(id, "1,2,3,4,5,'die',7,8,9,10,11,12", ",'max_parallel':12,'retries':{'max':2,'backoff':'10ms'}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", id);
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/work/5", id);
    AUTO_JSON_OBJECT struct json_object *first = system_get(curfew, "/v1/jobs/%s/tasks/work/0", id);
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 12);
    assert_int_equal(occurrences(results, "\n"), 12);
    assert_int_equal(occurrences(results, "\"output\":[\"die\","), 1);
    assert_int_equal(json_number_at(task, "/attempt"), 2);
    assert_non_null(strstr(json_text_at(task, "/error/error"), "5"));
    assert_string_equal(json_text_at(first, "/error/error"), ""); // it never failed
}

static void test_bad_answers(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    submit(id, "1,'bad',3", ",'on_failure':'continue','retries':{'max':1,'backoff':'10ms'}");
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/work/1", id);
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 2);
    assert_int_equal(json_number_at(job, "/stages/0/failed"), 1);
    assert_string_equal(json_text_at(task, "/error/error"), "this one is bad");
    assert_int_equal(json_number_at(task, "/attempt"), 2);
}

static void test_hang(void **state)
{
    UNUSED(state);
    AUTO_JSON_OBJECT struct json_object *job = closed(hanging, "succeeded");
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/work/1", hanging);
    assert_string_equal(json_text_at(task, "/state"), "failed");
    assert_non_null(strstr(json_text_at(task, "/error/error"), "timed out"));
    assert_int_equal(json_number_at(job, "/stages/0/failed"), 1);
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 2);
}

static void test_stop(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    submit(id, "1,'hang','hang',4", "");
    system_expect(curfew, id, "/state", "running", WAIT_MS);
    system_stop(curfew, id);
    json_object_put(closed(id, "stopped"));
}

static void test_no_such_program(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    system_submit(curfew, id,
                  "{'name':'none','stages':[{'name':'work','mode':'stream','command':['/no/such/program'],"
                  "'tasks':[1,2],'retries':{'max':1,'backoff':'10ms'}}]}");
    json_object_put(closed(id, "failed"));
    AUTO_JSON_OBJECT struct json_object *task = system_get(curfew, "/v1/jobs/%s/tasks/work/0", id);
    assert_non_null(strstr(json_text_at(task, "/error/error"), "/no/such/program"));
}

static int set_up(void **state)
{
    char path[256];
    UNUSED(state);
    directory = temp_dir_new();
    snprintf(path, sizeof(path), "%s/work.py", directory);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(script, file) >= 0);
    fclose(file);
    curfew = system_start(&(struct system_plan){.workers = 2, .slots = 4, .patient = true});
    // Python starts in this time, on any machine.
    submit(hanging, "1,'hang',3", ",'on_failure':'continue','retries':{'max':0},'timeout':'15s'");
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
        cmocka_unit_test(test_many), cmocka_unit_test(test_death_in_the_middle), cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_stop), cmocka_unit_test(test_no_such_program),     cmocka_unit_test(test_hang),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
