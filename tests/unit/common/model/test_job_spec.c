#include "services/common/base/arena.h"
#include "services/common/json/field.h"
#include "services/common/json/parse.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

// Texts have ' where JSON has ".
static void parse(const char *text, struct job_spec *spec)
{
    struct strbuf json AUTO_STRBUF = STRBUF_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    for (; *text; text++)
        strbuf_add_char(&json, *text == '\'' ? '"' : *text);
    assert_ok(job_spec_parse(json.data, json.length, spec, &faults, &err), err);
    assert_int_equal(faults_total(&faults), 0);
}

static const char full[] =
    "{'name':'word-count','autostop':{'on':['failed','succeeded'],'linger':'5s','keep_on_failure':'1h'},"
    "'bundle':'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef','priority':-7,"
    "'labels':{'team':'search','example.org/x':''},'timeout':'2h','max_lifetime':'24h','services':[{'name':'cache',"
    "'runtime':'docker','command':['redis-server','--port','${PORT}','--save',''],'image':'redis:7','env':{'KEY':"
    "'${PORT_MAIN}'},'secrets':['API_KEY'],'ports':[{'name':'main','container':6379},{'name':'admin-ui','container':80}"
    "],"
    "'ready':{'tcp':'main','interval':'50ms','timeout':'1s','failures':5,'deadline':'30s'},'resources':{'cpus':0.5,"
    "'memory':'256Mi'},'where':{'gpu':'yes'},'depends_on':[],'on_failure':{'restart':{'max':3,'window':'1m','backoff':"
    "'1s'}},'stop':{'signal':'SIGINT','grace':'3s'}},{'name':'model','command':['serve'],'depends_on':'cache',"
    "'on_failure':'ignore','ready':{'log':'^ready [0-9]+$'}}],'stages':[{'name':'count','command':['./count.sh'],"
    "'queue':'fast','mode':'stream','tasks':[{'file':'a.txt'},  {'file' : 'b c.txt'}, null, 1.50],'retries':{'max':0,"
    "'backoff':'2s','backoff_max':'3s'},'timeout':'10m','slots':2,'max_parallel':8,'on_failure':'continue'},{'name':"
    "'total','from':{'after':'count'},'command':['./total.sh']},{'name':'report','after':'total','command':['./r']},"
    "{'name':'outside','mode':'pull','from':'count','after':['report']}]}";

static void reads_services(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse(full, &spec);
    assert_int_equal(spec.service_count, 2);
    const struct service_spec *cache = &spec.services[0], *model = &spec.services[1];
    assert_string_equal(cache->run.runtime, "docker");
    assert_string_equal(cache->run.image, "redis:7");
    assert_int_equal(cache->run.command.count, 5);
    assert_string_equal(cache->run.command.items[4], "");
    assert_string_equal(cache->run.env.items[0].value, "${PORT_MAIN}");
    assert_string_equal(cache->run.secrets.items[0], "API_KEY");
    assert_int_equal(cache->run.cpus_milli, 500);
    assert_int_equal(cache->run.memory_bytes, 256 << 20);
    assert_string_equal(cache->run.where.items[0].value, "yes");
    assert_int_equal(cache->port_count, 2);
    assert_string_equal(cache->ports[1].name, "admin-ui");
    assert_int_equal(cache->ports[1].container, 80);
    assert_int_equal(cache->ready.kind, READY_TCP);
    assert_string_equal(cache->ready.port, "main");
    assert_int_equal(cache->ready.interval_ms, 50);
    assert_int_equal(cache->ready.deadline_ms, 30000);
    assert_int_equal(cache->ready.failures, 5);
    assert_int_equal(cache->on_failure, SERVICE_RESTART);
    assert_int_equal(cache->restart.window_ms, 60000);
    assert_int_equal(cache->stop.signal, SIGINT);
    assert_int_equal(cache->stop.grace_ms, 3000);
    assert_int_equal(model->on_failure, SERVICE_IGNORE);
    assert_string_equal(model->depends_on.items[0], "cache");
    assert_int_equal(model->ready.kind, READY_LOG);
    assert_string_equal(model->ready.log_pattern, "^ready [0-9]+$");
    assert_int_equal(job_spec_service(&spec, "model"), 1);
    assert_int_equal(job_spec_service(&spec, "none"), -1);
}

static void reads_stages(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse(full, &spec);
    assert_int_equal(spec.stage_count, 4);
    const struct stage_spec *count = &spec.stages[0], *total = &spec.stages[1], *report = &spec.stages[2];
    const struct stage_spec *outside = &spec.stages[3];
    assert_int_equal(count->mode, STAGE_STREAM);
    assert_string_equal(count->queue, "fast");
    assert_int_equal(count->tasks, TASKS_LISTED);
    assert_int_equal(count->task_count, 4);
    assert_int_equal(count->retries.max, 0);
    assert_int_equal(count->retries.backoff_max_ms, 3000);
    assert_int_equal(count->timeout_ms, 600000);
    assert_int_equal(count->slots, 2);
    assert_int_equal(count->max_parallel, 8);
    assert_int_equal(count->on_failure, STAGE_FAILURE_CONTINUE);
    assert_int_equal(total->tasks, TASKS_FROM);
    assert_int_equal(total->task_count, 0);
    assert_string_equal(total->from, "count");
    assert_int_equal(total->after.count, 1);
    assert_string_equal(total->after.items[0], "count");
    assert_int_equal(report->tasks, TASKS_SINGLE);
    assert_int_equal(report->task_count, 1);
    assert_string_equal(report->after.items[0], "total");
    assert_int_equal(outside->mode, STAGE_PULL);
    assert_string_equal(outside->from, "count");
    assert_string_equal(outside->after.items[0], "report");
    assert_int_equal(job_spec_stage(&spec, "report"), 2);
}

static void reads_the_job(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse(full, &spec);
    assert_string_equal(spec.name, "word-count");
    assert_int_equal(spec.autostop.on, AUTOSTOP_ON(OUTCOME_SUCCEEDED) | AUTOSTOP_ON(OUTCOME_FAILED));
    assert_int_equal(spec.autostop.linger_ms, 5000);
    assert_int_equal(spec.autostop.keep_on_failure_ms, 3600000);
    assert_int_equal(spec.priority, -7);
    assert_int_equal(spec.labels.count, 2);
    assert_string_equal(spec.labels.items[0].name, "team");
    assert_string_equal(spec.labels.items[1].value, "");
    assert_int_equal(spec.timeout_ms, 7200000);
    assert_int_equal(spec.max_lifetime_ms, 86400000);
    assert_int_equal(strlen(spec.bundle), 71);
}

static void fills_in_the_defaults(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse("{'name':'j','services':[{'name':'c','command':['a'],'ready':{'exec':['b']}},{'name':'d','command':['a']}],"
          "'stages':[{'name':'s','command':['a'],'timeout':null}]}",
          &spec);
    const struct service_spec *service = &spec.services[0];
    const struct stage_spec *stage = &spec.stages[0];
    assert_int_equal(spec.autostop.on, AUTOSTOP_ALWAYS);
    assert_int_equal(spec.priority, 0);
    assert_int_equal(spec.timeout_ms, 0);
    assert_int_equal(spec.max_lifetime_ms, 86400000);
    assert_null(spec.bundle);
    assert_null(service->run.runtime);
    assert_null(service->run.image);
    assert_int_equal(service->ready.interval_ms, 100);
    assert_int_equal(service->ready.timeout_ms, 2000);
    assert_int_equal(service->ready.failures, 3);
    assert_int_equal(service->ready.deadline_ms, 60000);
    assert_int_equal(service->stop.signal, SIGTERM);
    assert_int_equal(service->stop.grace_ms, 10000);
    assert_int_equal(service->on_failure, SERVICE_FAIL_JOB);
    assert_int_equal(spec.services[1].ready.kind, READY_STARTED);
    assert_int_equal(spec.services[1].stop.signal, SIGTERM);
    assert_string_equal(stage->queue, "default");
    assert_int_equal(stage->mode, STAGE_EXEC);
    assert_int_equal(stage->retries.max, 3);
    assert_int_equal(stage->retries.backoff_ms, 1000);
    assert_int_equal(stage->retries.backoff_max_ms, 60000);
    assert_int_equal(stage->slots, 1);
    assert_int_equal(stage->max_parallel, 0);
    assert_int_equal(stage->timeout_ms, 0);
    assert_int_equal(stage->tasks, TASKS_SINGLE);
    assert_int_equal(stage->task_count, 1);
}

static void takes_one_stage_at_the_top_level(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse("{'name':'j','command':['a'],'tasks':[1,[2]],'queue':'q','timeout':'1m','env':{'A':'b'},'retries':{'max':1}}",
          &spec);
    assert_int_equal(spec.stage_count, 1);
    assert_string_equal(spec.stages[0].name, "main");
    assert_string_equal(spec.stages[0].queue, "q");
    assert_int_equal(spec.stages[0].task_count, 2);
    assert_int_equal(spec.stages[0].retries.max, 1);
    assert_int_equal(spec.stages[0].timeout_ms, 0);
    assert_int_equal(spec.timeout_ms, 60000);
    struct job_spec counted AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse("{'name':'j','command':['a'],'tasks':{'count':1000000000}}", &counted);
    assert_int_equal(counted.stages[0].tasks, TASKS_COUNT);
    assert_int_equal(counted.stages[0].task_count, 1000000000);
    struct job_spec pulled AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse("{'name':'j','mode':'pull','tasks':[]}", &pulled);
    assert_int_equal(pulled.stages[0].task_count, 0);
}

static void keeps_items_compact_and_unchanged(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse(full, &spec);
    const struct spec_items *items = &spec.stages[0].items;
    size_t length = 0;
    const char *text = spec_items_range(items, 0, 4, &length);
    static const char expected[] = "{\"file\":\"a.txt\"}\n{\"file\":\"b c.txt\"}\nnull\n1.50\n";
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
    text = spec_items_range(items, 1, 2, &length);
    assert_int_equal(length, strlen("{\"file\":\"b c.txt\"}\nnull\n"));
    assert_memory_equal(text, "{\"file\":\"b c.txt\"}\nnull\n", length);
    spec_items_range(items, 4, 0, &length);
    assert_int_equal(length, 0);
}

static void takes_autostop_in_all_forms(void **state)
{
    UNUSED(state);
    static const struct {
        const char *text;
        unsigned on;
    } cases[] = {
        {"{'name':'j','command':['a'],'autostop':true}", AUTOSTOP_ALWAYS},
        {"{'name':'j','command':['a'],'autostop':false}", 0},
        {"{'name':'j','command':['a'],'autostop':null}", AUTOSTOP_ALWAYS},
        {"{'name':'j','command':['a'],'autostop':{}}", AUTOSTOP_ALWAYS},
        {"{'name':'j','command':['a'],'autostop':{'on':['timed_out']}}", AUTOSTOP_ON(OUTCOME_TIMED_OUT)},
        {"{'name':'j','command':['a'],'autostop':{'on':['succeeded','failed','stopped','timed_out']}}",
         AUTOSTOP_ALWAYS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
        parse(cases[i].text, &spec);
        assert_int_equal(spec.autostop.on, cases[i].on);
    }
}

static void takes_the_only_port_for_http(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    parse("{'name':'j','command':['a'],'services':[{'name':'c','image':'a/b','runtime':'docker','ports':[{'name':'web',"
          "'container':80}],'ready':{'http':'/healthz?x=1'}}]}",
          &spec);
    assert_int_equal(spec.services[0].ready.kind, READY_HTTP);
    assert_string_equal(spec.services[0].ready.port, "web");
    assert_string_equal(spec.services[0].ready.http_path, "/healthz?x=1");
    assert_int_equal(spec.services[0].run.command.count, 0);
}

static void takes_very_many_tasks(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    strbuf_add_text(&text, "{\"name\":\"j\",\"command\":[\"a\"],\"t\\u0061sks\":[");
    for (int i = 0; i < SPEC_TASKS_LISTED_MAX; i++)
        strbuf_add_format(&text, "%s{\"n\": %d, \"x\": {}}", i ? ", " : "", i);
    strbuf_add_text(&text, "]}");
    assert_ok(job_spec_parse(text.data, text.length, &spec, &faults, &err), err);
    assert_int_equal(spec.stages[0].task_count, SPEC_TASKS_LISTED_MAX);
    size_t length = 0;
    const char *last = spec_items_range(&spec.stages[0].items, SPEC_TASKS_LISTED_MAX - 1, 1, &length);
    assert_memory_equal(last, "{\"n\":99999,\"x\":{}}\n", length);
    assert_int_equal(json_budget_used(), 0);
}

static void fingerprints_the_body(void **state)
{
    UNUSED(state);
    char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE];
    struct err err = {0};
    assert_ok(job_spec_fingerprint("{}", 2, first, &err), err);
    assert_ok(job_spec_fingerprint("{} ", 3, second, &err), err);
    assert_string_equal(first, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_string_not_equal(first, second);
}

static void reads_parts_on_their_own(void **state)
{
    UNUSED(state);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct arena *arena AUTO_ARENA = arena_new(256);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    parse(full, &spec);
    for (size_t i = 0; i < spec.service_count + spec.stage_count; i++) {
        bool service = i < spec.service_count;
        struct strbuf before AUTO_STRBUF = STRBUF_INIT, after AUTO_STRBUF = STRBUF_INIT;
        struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
        struct service_spec service_copy;
        struct stage_spec stage_copy;
        if (service)
            service_spec_write(&spec.services[i], &before);
        else
            stage_spec_write(&spec.stages[i - spec.service_count], &before);
        assert_ok(json_parse(before.data, before.length, NULL, &document, NULL, &err), err);
        struct field root = field_root(document.root, &faults);
        if (service) {
            assert_ok(service_spec_read(&root, arena, &service_copy, &err), err);
            service_spec_write(&service_copy, &after);
        } else {
            assert_ok(stage_spec_read(&root, arena, &stage_copy, &err), err);
            stage_spec_write(&stage_copy, &after);
        }
        assert_string_equal(before.data, after.data);
    }
}

static void refuses_wrong_parts(void **state)
{
    UNUSED(state);
    static const char text[] = "{\"run\":{\"name\":\"s\",\"command\":[],\"tasks\":[1]}}";
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    struct arena *arena AUTO_ARENA = arena_new(256);
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct stage_spec stage;
    struct err err = {0};
    assert_ok(json_parse(text, strlen(text), NULL, &document, NULL, &err), err);
    struct field root = field_root(document.root, &faults), run = field_member(&root, "run"),
                 none = field_member(&root, "none");
    assert_error(stage_spec_read(&run, arena, &stage, &err), err, ERR_INVALID, "2 faults");
    assert_string_equal(faults.list[0].pointer, "/run/command");
    assert_string_equal(faults.list[1].pointer, "/run/tasks");
    assert_error(stage_spec_read(&none, arena, &stage, &err), err, ERR_INVALID, "/none: is required");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_services),
        cmocka_unit_test(reads_stages),
        cmocka_unit_test(reads_the_job),
        cmocka_unit_test(fills_in_the_defaults),
        cmocka_unit_test(takes_one_stage_at_the_top_level),
        cmocka_unit_test(keeps_items_compact_and_unchanged),
        cmocka_unit_test(takes_autostop_in_all_forms),
        cmocka_unit_test(takes_the_only_port_for_http),
        cmocka_unit_test(takes_very_many_tasks),
        cmocka_unit_test(fingerprints_the_body),
        cmocka_unit_test(reads_parts_on_their_own),
        cmocka_unit_test(refuses_wrong_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
