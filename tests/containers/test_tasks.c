// Tasks in containers: what they get, what becomes of what they give, what they may not do, and how they reach
// services.
#include "tests/support/contract.h"
#include "tests/support/test.h"

#include "services/common/base/fd.h"
#include "services/common/base/sha256.h"
#include "tests/support/bundle_make.h"
#include "tests/support/containers.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 90000
#define IMAGE "'image':'" ENGINE_IMAGE "'"
#define ONCE "'retries':{'max':0}"
#define SERVICE                                                                                                       \
    "{'name':'store'," IMAGE ",'command':['nasty','well-behaved'],'ports':[{'name':'main','container':8080}],'env':{" \
    "'PORT':'${PORT}'},'ready':{'tcp':'main'}}"
#define STORE "CURFEW_SERVICE_STORE"

// Answers of `stream`: what it was asked, and as error what is no number.
static const char stream_sh[] =
    "#!/bin/sh\n"
    "while read -r line; do\n"
    "  task=${line#*\\\"task\\\":}; task=${task%%,*}\n"
    "  item=${line#*\\\"item\\\":}; item=${item%\\}*}\n"
    "  [ \"$item\" != '\"die\"' ] || case $line in *'\"attempt\":1,'*) exit 5 ;; esac\n"
    "  if [ \"$item\" = '\"bad\"' ]; then\n"
    "    echo \"{\\\"task\\\":$task,\\\"ok\\\":false,\\\"error\\\":\\\"this one is bad\\\"}\"\n"
    "  else\n"
    "    echo \"{\\\"task\\\":$task,\\\"ok\\\":true,\\\"outputs\\\":[$item]}\"\n"
    "  fi\n"
    "done\n";
static const char work_sh[] = "#!/bin/sh\n"
                              "[ \"$(cat data/word)\" = hello ] && [ \"$HOME\" = \"$PWD\" ] || exit 3\n"
                              "echo mine >written && [ \"$(cat)\" = '{\"a\":1}' ] || exit 4\n"
                              "echo \"[$CURFEW_TASK,$CURFEW_ATTEMPT,\\\"$CURFEW_STAGE\\\"]\" >>\"$CURFEW_OUTPUT\"\n"
                              "echo second >&2; echo '\"two\"' >>\"$CURFEW_OUTPUT\"\n";

static struct engine *engine;
static struct system *curfew;
static char bundle[SHA256_HEX_SIZE];

enum job { BUNDLE, STREAM, EXITS, AGAIN, TOO_LONG, MEMORY, NAME, FROM_PROCESS, SERVICES, CONFINED, STOPPED, JOBS };
static char ids[JOBS][SYSTEM_ID_SIZE];

static void submit_all(void)
{
    system_submit(curfew, ids[BUNDLE],
                  "{'name':'bundle','bundle':'sha256:%s'," IMAGE "," ONCE ",'tasks':[{'a':1},{'a':1}],"
                  "'command':['./work.sh']}",
                  bundle);
    system_submit(curfew, ids[STREAM],
                  "{'name':'stream','bundle':'sha256:%s','stages':[{'name':'main','mode':'stream'," IMAGE
                  ",'max_parallel':20,'on_failure':'continue','retries':{'max':1,'backoff':'10ms'},"
                  "'tasks':[1,2,3,'die',5,6,'bad',8,9,10],'command':['./stream.sh']}]}",
                  bundle);
    system_submit(curfew, ids[EXITS],
                  "{'name':'exits'," IMAGE "," ONCE ",'command':['sh','-c','echo no such bucket >&2; exit 7']}");
    system_submit(curfew, ids[AGAIN],
                  "{'name':'again'," IMAGE "," ONCE ",'command':['sh','-c','[ $CURFEW_ATTEMPT -gt 1 ] || exit 75']}");
    system_submit(curfew, ids[TOO_LONG],
                  "{'name':'too-long','stages':[{'name':'main'," IMAGE "," ONCE ",'timeout':'2s',"
                  "'command':['nasty','tree']}]}");
    system_submit(curfew, ids[MEMORY],
                  "{'name':'memory'," IMAGE "," ONCE ",'resources':{'memory':'16Mi'},'command':['tail','/dev/zero']}");
    system_submit(curfew, ids[NAME],
                  "{'name':'by-name','services':[" SERVICE "]," IMAGE "," ONCE ",'command':['sh','-c','"
                  "[ $" STORE "_ADDR = store:8080 ] && [ $" STORE "_HOST:$" STORE "_PORT = store:8080 ] && "
                  "wget -qO- http://store:8080/ && wget -qO- http://$" STORE "_ADDR/']}");
    system_submit(curfew, ids[FROM_PROCESS],
                  "{'name':'process','services':[" SERVICE "]," ONCE ",'command':['sh','-c','[ $" STORE
                  "_HOST = " ENGINE_ADDRESS " ] && curl -s http://$" STORE "_ADDR/ | grep -q ok']}");
    system_submit(curfew, ids[SERVICES],
                  "{'name':'services','services':[" SERVICE ",{'name':'front','depends_on':['store']," IMAGE
                  ",'command':['sleep','600'],'ready':{'exec':['sh','-c','wget -qO- http://$" STORE "_ADDR/']}}]," IMAGE
                  ",'command':['true']}");
    system_submit(curfew, ids[CONFINED],
                  "{'name':'confined'," IMAGE "," ONCE ",'command':['sh','-c','grep -q ^CapEff:.0*$ /proc/self/status "
                  "&& grep -q ^NoNewPrivs:.1 /proc/self/status && [ $PPID = 1 ] && ! mount -t tmpfs none /tmp']}");
    system_submit(curfew, ids[STOPPED],
                  "{'name':'stopped','tasks':{'count':4}," IMAGE ",'command':['sh','-c','nasty fork-daemons 2; "
                  "exec nasty tree']}");
}

static struct json_object *closed(enum job job, const char *outcome)
{
    struct json_object *shown = system_wait_closed_as(curfew, ids[job], outcome, WAIT_MS);
    assert_int_equal(system_leftovers(curfew, ids[job]), 0);
    assert_int_equal(containers_left(engine, ids[job]), 0);
    return shown;
}

static struct json_object *task(enum job job)
{
    return system_get(curfew, "/v1/jobs/%s/tasks/main/0", ids[job]);
}

static void expect_error(struct json_object *shown, const char *part)
{
    if (!strstr(json_text_at(shown, "/error/error"), part))
        fail_msg("the error does not say '%s': %s", part, json_object_to_json_string(shown));
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (; (text = strstr(text, part)); text++)
        found++;
    return found;
}

static void test_files_items_and_outputs(void **state)
{
    UNUSED(state);
    json_object_put(closed(BUNDLE, "succeeded"));
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", ids[BUNDLE]);
    assert_int_equal(count(results, "\n"), 4);
    assert_int_equal(count(results, "\"output\":[0,1,\"main\"]"), 1);
    assert_int_equal(count(results, "\"output\":[1,1,\"main\"]"), 1);
    assert_int_equal(count(results, "\"output\":\"two\""), 2);
    AUTO_FREE char *log = system_stream(curfew, "/v1/jobs/%s/logs", ids[BUNDLE]);
    assert_int_equal(count(log, "second"), 2);
}

static void test_stream(void **state)
{
    UNUSED(state);
    AUTO_JSON_OBJECT struct json_object *job = closed(STREAM, "succeeded");
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), 9);
    assert_int_equal(json_number_at(job, "/stages/0/failed"), 1);
    AUTO_FREE char *results = system_stream(curfew, "/v1/jobs/%s/results", ids[STREAM]);
    assert_int_equal(count(results, "\n"), 9);
    assert_int_equal(count(results, "\"output\":\"die\""), 1);
    AUTO_JSON_OBJECT struct json_object *bad = system_get(curfew, "/v1/jobs/%s/tasks/main/6", ids[STREAM]);
    expect_error(bad, "this one is bad");
}

static void test_exit_codes(void **state)
{
    UNUSED(state);
    json_object_put(closed(EXITS, "failed"));
    AUTO_JSON_OBJECT struct json_object *failed = task(EXITS);
    assert_int_equal(json_number_at(failed, "/error/exit"), 7);
    expect_error(failed, "no such bucket");
    json_object_put(closed(AGAIN, "succeeded"));
}

static void test_timeout(void **state)
{
    UNUSED(state);
    json_object_put(closed(TOO_LONG, "failed"));
    AUTO_JSON_OBJECT struct json_object *failed = task(TOO_LONG);
    expect_error(failed, "timed out after 2s");
}

static void test_out_of_memory(void **state)
{
    UNUSED(state);
    json_object_put(closed(MEMORY, "failed"));
    AUTO_JSON_OBJECT struct json_object *failed = task(MEMORY);
    expect_error(failed, "memory");
}

static void test_services_are_reached(void **state)
{
    UNUSED(state);
    json_object_put(closed(NAME, "succeeded"));
    json_object_put(closed(FROM_PROCESS, "succeeded"));
    json_object_put(closed(SERVICES, "succeeded"));
}

static void test_what_it_may_not_do(void **state)
{
    UNUSED(state);
    json_object_put(closed(CONFINED, "succeeded"));
}

static void test_stop(void **state)
{
    UNUSED(state);
    system_expect(curfew, ids[STOPPED], "/state", "running", WAIT_MS);
    system_stop(curfew, ids[STOPPED]);
    json_object_put(closed(STOPPED, "stopped"));
}

// ---- the whole

static void upload_bundle(const char *directory)
{
    char path[128], target[128];
    AUTO_FREE char *bytes = NULL;
    size_t length = 0;
    struct err err;
    snprintf(path, sizeof path, "%s/bundle", directory);
    struct bundle_maker *maker = bundle_maker_new(path);
    bundle_add_file(maker, "work.sh", 0755, work_sh, strlen(work_sh));
    bundle_add_file(maker, "stream.sh", 0755, stream_sh, strlen(stream_sh));
    bundle_add_directory(maker, "data");
    bundle_add_text(maker, "data/word", "hello\n");
    bundle_maker_close(maker);
    assert_ok(file_read(path, 1 << 20, &bytes, &length, &err), err);
    assert_ok(sha256_hex(bytes, length, bundle, &err), err);
    snprintf(target, sizeof target, "/v1/bundles/%s", bundle);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_call call = {
        .method = "PUT", .path = target, .content_type = "application/zstd", .body = bytes, .body_length = length};
    assert_ok(contract_call(system_own_client(curfew, 0), &call, &response, &err), err);
    assert_int_equal(response.status, 201);
}

static int set_up(void **state)
{
    UNUSED(state);
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    engine = containers_engine_start();
    curfew = system_start(&(struct system_plan){.engine = engine, .slots = 16, .patient = true});
    upload_bundle(directory);
    submit_all();
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    return containers_end(curfew, engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_items_and_outputs),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_services_are_reached),
        cmocka_unit_test(test_what_it_may_not_do),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests_name("tasks", tests, set_up, tear_down);
}
