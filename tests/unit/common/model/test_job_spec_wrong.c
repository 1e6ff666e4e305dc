// Specs that are wrong in one way each: the fault, and that it is the only one.
#include "services/common/base/strbuf.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

// The texts have ' where JSON has ".
struct wrong {
    const char *text;
    const char *pointer;
    enum fault_code code;
};

#define STAGE "'stages':[{'name':'s','command':['a']}]"
#define JOB(rest) "{'name':'j'," STAGE "," rest "}"
#define IN_STAGE(rest) "{'name':'j','stages':[{'name':'s','command':['a']," rest "}]}"
#define PULL(rest) "{'name':'j','stages':[{'name':'s','mode':'pull'," rest "}]}"
#define IN_SERVICE(rest) JOB("'services':[{'name':'c','command':['a']," rest "}]")
#define STAGES(list) "{'name':'j','stages':[" list "]}"
#define SERVICES(list) JOB("'services':[" list "]")
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct wrong in_the_job[] = {
    {"{'name':'j'}", "/stages", FAULT_REQUIRED},
    {"{" STAGE "}", "/name", FAULT_REQUIRED},
    {"{'name':null," STAGE "}", "/name", FAULT_REQUIRED},
    {"{'name':5," STAGE "}", "/name", FAULT_TYPE},
    {"{'name':''," STAGE "}", "/name", FAULT_FORMAT},
    {"{'name':'J'," STAGE "}", "/name", FAULT_FORMAT},
    {"{'name':'1a'," STAGE "}", "/name", FAULT_FORMAT},
    {"{'name':'a_b'," STAGE "}", "/name", FAULT_FORMAT},
    {"{'name':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'," STAGE "}", "/name", FAULT_RANGE},
    {JOB("'nam':1"), "/nam", FAULT_UNKNOWN},
    {JOB("'':1"), "/", FAULT_UNKNOWN},
    {JOB("'a/b':1"), "/a~1b", FAULT_UNKNOWN},
    {JOB("'priority':101"), "/priority", FAULT_RANGE},
    {JOB("'priority':-101"), "/priority", FAULT_RANGE},
    {JOB("'priority':1.5"), "/priority", FAULT_TYPE},
    {JOB("'priority':'1'"), "/priority", FAULT_TYPE},
    {JOB("'bundle':'sha256:00'"), "/bundle", FAULT_FORMAT},
    {JOB("'bundle':'md5:" DIGEST "'"), "/bundle", FAULT_FORMAT},
    {JOB("'bundle':'sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef'"), "/bundle",
     FAULT_FORMAT},
    {JOB("'bundle':'sha256:" DIGEST "0'"), "/bundle", FAULT_RANGE},
    {JOB("'labels':[]"), "/labels", FAULT_TYPE},
    {JOB("'labels':{'a':1}"), "/labels/a", FAULT_TYPE},
    {JOB("'labels':{'a':null}"), "/labels/a", FAULT_TYPE},
    {JOB("'labels':{'':'x'}"), "/labels/", FAULT_FORMAT},
    {JOB("'labels':{'a b':'x'}"), "/labels/a b", FAULT_FORMAT},
    {JOB("'labels':{'-a':'x'}"), "/labels/-a", FAULT_FORMAT},
    {JOB("'labels':{'a':'x\\ny'}"), "/labels/a", FAULT_FORMAT},
    {JOB("'timeout':5"), "/timeout", FAULT_TYPE},
    {JOB("'timeout':'5'"), "/timeout", FAULT_FORMAT},
    {JOB("'timeout':'0s'"), "/timeout", FAULT_RANGE},
    {JOB("'timeout':'-5s'"), "/timeout", FAULT_FORMAT},
    {JOB("'timeout':'366d'"), "/timeout", FAULT_RANGE},
    {JOB("'max_lifetime':'1ms'"), "/max_lifetime", FAULT_RANGE},
    {JOB("'autostop':'true'"), "/autostop", FAULT_TYPE},
    {JOB("'autostop':1"), "/autostop", FAULT_TYPE},
    {JOB("'autostop':{'on':[]}"), "/autostop/on", FAULT_RANGE},
    {JOB("'autostop':{'on':'failed'}"), "/autostop/on", FAULT_TYPE},
    {JOB("'autostop':{'on':['failed','done']}"), "/autostop/on/1", FAULT_CHOICE},
    {JOB("'autostop':{'on':['failed',5]}"), "/autostop/on/1", FAULT_TYPE},
    {JOB("'autostop':{'on':['failed','failed']}"), "/autostop/on/1", FAULT_DUPLICATE},
    {JOB("'autostop':{'linger':'x'}"), "/autostop/linger", FAULT_FORMAT},
    {JOB("'autostop':{'on':['failed'],'linger':'5s'}"), "/autostop/linger", FAULT_CONFLICT},
    {JOB("'autostop':{'on':['succeeded'],'keep_on_failure':'5s'}"), "/autostop/keep_on_failure", FAULT_CONFLICT},
    {JOB("'autostop':{'never':true}"), "/autostop/never", FAULT_UNKNOWN},
    {JOB("'services':{}"), "/services", FAULT_TYPE},
    {JOB("'services':[5]"), "/services/0", FAULT_TYPE},
    {JOB("'command':['a']"), "/command", FAULT_CONFLICT},
    {JOB("'tasks':[1]"), "/tasks", FAULT_CONFLICT},
    {"{'name':'j','stages':[]}", "/stages", FAULT_RANGE},
    {"{'name':'j','stages':{}}", "/stages", FAULT_TYPE},
    {"{'name':'j','command':'a b'}", "/command", FAULT_TYPE},
    {"{'name':'j','command':['a'],'from':'x'}", "/from", FAULT_UNKNOWN},
    {"{'name':'j','tasks':[1]}", "/command", FAULT_REQUIRED},
    {"{'name':'j','command':['a'],'retries':{'backoff':'2m'}}", "/retries/backoff", FAULT_CONFLICT},
    {"{'name':'j','timeout':'2d','services':[{'name':'c','command':['a']}]," STAGE "}", "/timeout", FAULT_CONFLICT},
    {"{'name':'j','autostop':{'linger':'25h'},'services':[{'name':'c','command':['a']}]," STAGE "}", "/autostop/linger",
     FAULT_CONFLICT},
};

static const struct wrong in_a_stage[] = {
    {STAGES("{'command':['a']}"), "/stages/0/name", FAULT_REQUIRED},
    {STAGES("{'name':'s'}"), "/stages/0/command", FAULT_REQUIRED},
    {STAGES("{'name':'s','mode':'stream'}"), "/stages/0/command", FAULT_REQUIRED},
    {STAGES("{'name':'s','command':[]}"), "/stages/0/command", FAULT_RANGE},
    {STAGES("{'name':'s','command':['']}"), "/stages/0/command/0", FAULT_FORMAT},
    {STAGES("{'name':'s','command':['a',5]}"), "/stages/0/command/1", FAULT_TYPE},
    {STAGES("{'name':'s','command':['a',null]}"), "/stages/0/command/1", FAULT_TYPE},
    {STAGES("{'name':'s','command':'a'}"), "/stages/0/command", FAULT_TYPE},
    {STAGES("{'name':'S','command':['a']}"), "/stages/0/name", FAULT_FORMAT},
    {STAGES("{'name':'s','command':['a']},{'name':'s','command':['a']}"), "/stages/1/name", FAULT_DUPLICATE},
    {STAGES("null"), "/stages/0", FAULT_TYPE},
    {IN_STAGE("'comand':1"), "/stages/0/comand", FAULT_UNKNOWN},
    {IN_STAGE("'services':[]"), "/stages/0/services", FAULT_UNKNOWN},
    {IN_STAGE("'queue':'A'"), "/stages/0/queue", FAULT_FORMAT},
    {IN_STAGE("'queue':''"), "/stages/0/queue", FAULT_FORMAT},
    {IN_STAGE("'mode':'batch'"), "/stages/0/mode", FAULT_CHOICE},
    {IN_STAGE("'mode':1"), "/stages/0/mode", FAULT_TYPE},
    {IN_STAGE("'tasks':5"), "/stages/0/tasks", FAULT_TYPE},
    {IN_STAGE("'tasks':'x'"), "/stages/0/tasks", FAULT_TYPE},
    {IN_STAGE("'tasks':{}"), "/stages/0/tasks/count", FAULT_REQUIRED},
    {IN_STAGE("'tasks':{'count':-1}"), "/stages/0/tasks/count", FAULT_RANGE},
    {IN_STAGE("'tasks':{'count':1000000001}"), "/stages/0/tasks/count", FAULT_RANGE},
    {IN_STAGE("'tasks':{'count':'5'}"), "/stages/0/tasks/count", FAULT_TYPE},
    {IN_STAGE("'tasks':{'count':5,'step':2}"), "/stages/0/tasks/step", FAULT_UNKNOWN},
    {IN_STAGE("'retries':3"), "/stages/0/retries", FAULT_TYPE},
    {IN_STAGE("'retries':{'max':-1}"), "/stages/0/retries/max", FAULT_RANGE},
    {IN_STAGE("'retries':{'max':1001}"), "/stages/0/retries/max", FAULT_RANGE},
    {IN_STAGE("'retries':{'backoff':'1h','backoff_max':'1m'}"), "/stages/0/retries/backoff", FAULT_CONFLICT},
    {IN_STAGE("'retries':{'delay':'1s'}"), "/stages/0/retries/delay", FAULT_UNKNOWN},
    {IN_STAGE("'timeout':'0s'"), "/stages/0/timeout", FAULT_RANGE},
    {IN_STAGE("'slots':0"), "/stages/0/slots", FAULT_RANGE},
    {IN_STAGE("'slots':1025"), "/stages/0/slots", FAULT_RANGE},
    {IN_STAGE("'max_parallel':-1"), "/stages/0/max_parallel", FAULT_RANGE},
    {IN_STAGE("'on_failure':'ignore'"), "/stages/0/on_failure", FAULT_CHOICE},
    {IN_STAGE("'on_failure':{'restart':{}}"), "/stages/0/on_failure", FAULT_TYPE},
    {IN_STAGE("'from':'t'"), "/stages/0/from", FAULT_REFERENCE},
    {IN_STAGE("'from':'T'"), "/stages/0/from", FAULT_FORMAT},
    {IN_STAGE("'from':5"), "/stages/0/from", FAULT_TYPE},
    {IN_STAGE("'from':{}"), "/stages/0/from/after", FAULT_REQUIRED},
    {IN_STAGE("'from':{'after':'t'}"), "/stages/0/from/after", FAULT_REFERENCE},
    {IN_STAGE("'after':'t'"), "/stages/0/after", FAULT_REFERENCE},
    {IN_STAGE("'after':['t']"), "/stages/0/after/0", FAULT_REFERENCE},
    {IN_STAGE("'after':5"), "/stages/0/after", FAULT_TYPE},
    {IN_STAGE("'after':'s'"), "/stages/0/after", FAULT_CYCLE},
    {IN_STAGE("'from':'s'"), "/stages/0/from", FAULT_CYCLE},
    {STAGES("{'name':'s','command':['a'],'tasks':[1],'from':'t'},{'name':'t','command':['a']}"), "/stages/0/from",
     FAULT_CONFLICT},
    {STAGES("{'name':'s','command':['a']},{'name':'t','command':['a'],'after':['s','s']}"), "/stages/1/after/1",
     FAULT_DUPLICATE},
    {STAGES("{'name':'s','command':['a'],'from':'t'},{'name':'t','command':['a'],'after':['s']}"), "/stages/0/from",
     FAULT_CYCLE},
    {PULL("'command':['a']"), "/stages/0/command", FAULT_CONFLICT},
    {PULL("'image':'redis:7'"), "/stages/0/image", FAULT_CONFLICT},
    {PULL("'env':{'A':'b'}"), "/stages/0/env", FAULT_CONFLICT},
    {IN_STAGE("'runtime':'docker'"), "/stages/0/image", FAULT_REQUIRED},
    {IN_STAGE("'runtime':'kubernetes'"), "/stages/0/image", FAULT_REQUIRED},
    {IN_STAGE("'runtime':'podman'"), "/stages/0/runtime", FAULT_FORMAT},
    {IN_STAGE("'image':'Redis'"), "/stages/0/image", FAULT_FORMAT},
    {IN_STAGE("'image':'redis 7'"), "/stages/0/image", FAULT_FORMAT},
    {IN_STAGE("'image':'redis:'"), "/stages/0/image", FAULT_FORMAT},
    {IN_STAGE("'image':'-x'"), "/stages/0/image", FAULT_FORMAT},
    {IN_STAGE("'image':'a//b'"), "/stages/0/image", FAULT_FORMAT},
    {IN_STAGE("'image':'redis@sha256:00'"), "/stages/0/image", FAULT_FORMAT},
    {IN_STAGE("'env':[]"), "/stages/0/env", FAULT_TYPE},
    {IN_STAGE("'env':{'A':5}"), "/stages/0/env/A", FAULT_TYPE},
    {IN_STAGE("'env':{'A B':'x'}"), "/stages/0/env/A B", FAULT_FORMAT},
    {IN_STAGE("'env':{'1A':'x'}"), "/stages/0/env/1A", FAULT_FORMAT},
    {IN_STAGE("'env':{'':'x'}"), "/stages/0/env/", FAULT_FORMAT},
    {IN_STAGE("'env':{'A=B':'x'}"), "/stages/0/env/A=B", FAULT_FORMAT},
    {IN_STAGE("'env':{'CURFEW_JOB':'x'}"), "/stages/0/env/CURFEW_JOB", FAULT_FORMAT},
    {IN_STAGE("'secrets':['../x']"), "/stages/0/secrets/0", FAULT_FORMAT},
    {IN_STAGE("'secrets':['A','A']"), "/stages/0/secrets/1", FAULT_DUPLICATE},
    {IN_STAGE("'secrets':{'A':'x'}"), "/stages/0/secrets", FAULT_TYPE},
    {IN_STAGE("'secrets':['A'],'env':{'A':'x'}"), "/stages/0/secrets", FAULT_CONFLICT},
    {IN_STAGE("'resources':{'cpus':0}"), "/stages/0/resources/cpus", FAULT_RANGE},
    {IN_STAGE("'resources':{'cpus':'2'}"), "/stages/0/resources/cpus", FAULT_TYPE},
    {IN_STAGE("'resources':{'memory':'1Ki'}"), "/stages/0/resources/memory", FAULT_RANGE},
    {IN_STAGE("'resources':{'memory':'1GB'}"), "/stages/0/resources/memory", FAULT_FORMAT},
    {IN_STAGE("'resources':{'gpus':1}"), "/stages/0/resources/gpus", FAULT_UNKNOWN},
    {IN_STAGE("'where':{'gpu':true}"), "/stages/0/where/gpu", FAULT_TYPE},
    {"{'name':'j','timeout':'1m','stages':[{'name':'s','command':['a'],'timeout':'2m'}]}", "/stages/0/timeout",
     FAULT_CONFLICT},
};

static const struct wrong in_a_service[] = {
    {SERVICES("{'command':['a']}"), "/services/0/name", FAULT_REQUIRED},
    {SERVICES("{'name':'c'}"), "/services/0/command", FAULT_REQUIRED},
    {SERVICES("{'name':'c','image':'redis:7'}"), "/services/0/command", FAULT_REQUIRED},
    {SERVICES("{'name':'c','command':['a']},{'name':'c','command':['a']}"), "/services/1/name", FAULT_DUPLICATE},
    {IN_SERVICE("'runtime':'docker'"), "/services/0/image", FAULT_REQUIRED},
    {IN_SERVICE("'runtime':'docker','image':'a','ports':[{'name':'p'}]"), "/services/0/ports/0/container",
     FAULT_REQUIRED},
    {IN_SERVICE("'prots':[]"), "/services/0/prots", FAULT_UNKNOWN},
    {IN_SERVICE("'ports':{}"), "/services/0/ports", FAULT_TYPE},
    {IN_SERVICE("'ports':['main']"), "/services/0/ports/0", FAULT_TYPE},
    {IN_SERVICE("'ports':[{}]"), "/services/0/ports/0/name", FAULT_REQUIRED},
    {IN_SERVICE("'ports':[{'name':'p','container':0}]"), "/services/0/ports/0/container", FAULT_RANGE},
    {IN_SERVICE("'ports':[{'name':'p','container':65536}]"), "/services/0/ports/0/container", FAULT_RANGE},
    {IN_SERVICE("'ports':[{'name':'p'},{'name':'p'}]"), "/services/0/ports/1/name", FAULT_DUPLICATE},
    {IN_SERVICE("'ports':[{'name':'p','host':80}]"), "/services/0/ports/0/host", FAULT_UNKNOWN},
    {IN_SERVICE("'ready':'tcp'"), "/services/0/ready", FAULT_TYPE},
    {IN_SERVICE("'ready':{}"), "/services/0/ready", FAULT_REQUIRED},
    {IN_SERVICE("'ready':{'tcp':'main'}"), "/services/0/ready/tcp", FAULT_REFERENCE},
    {IN_SERVICE("'ready':{'tcp':6379}"), "/services/0/ready/tcp", FAULT_TYPE},
    {IN_SERVICE("'ports':[{'name':'p'}],'ready':{'tcp':'p','log':'x'}"), "/services/0/ready", FAULT_CONFLICT},
    {IN_SERVICE("'ready':{'http':'/'}"), "/services/0/ready/port", FAULT_REQUIRED},
    {IN_SERVICE("'ports':[{'name':'p'},{'name':'q'}],'ready':{'http':'/'}"), "/services/0/ready/port", FAULT_REQUIRED},
    {IN_SERVICE("'ports':[{'name':'p'}],'ready':{'http':'/','port':'q'}"), "/services/0/ready/port", FAULT_REFERENCE},
    {IN_SERVICE("'ports':[{'name':'p'}],'ready':{'http':'x'}"), "/services/0/ready/http", FAULT_FORMAT},
    {IN_SERVICE("'ports':[{'name':'p'}],'ready':{'http':'/a b'}"), "/services/0/ready/http", FAULT_FORMAT},
    {IN_SERVICE("'ports':[{'name':'p'}],'ready':{'log':'x','port':'p'}"), "/services/0/ready/port", FAULT_CONFLICT},
    {IN_SERVICE("'ready':{'log':'(['}"), "/services/0/ready/log", FAULT_FORMAT},
    {IN_SERVICE("'ready':{'log':''}"), "/services/0/ready/log", FAULT_FORMAT},
    {IN_SERVICE("'ready':{'log':'((a{1,255}){1,255}){1,255}'}"), "/services/0/ready/log", FAULT_FORMAT},
    {IN_SERVICE("'ready':{'log':'(a)\\\\1'}"), "/services/0/ready/log", FAULT_FORMAT},
    {IN_SERVICE("'ready':{'exec':[]}"), "/services/0/ready/exec", FAULT_RANGE},
    {IN_SERVICE("'ready':{'exec':'true'}"), "/services/0/ready/exec", FAULT_TYPE},
    {IN_SERVICE("'ready':{'exec':['a'],'interval':'1ms'}"), "/services/0/ready/interval", FAULT_RANGE},
    {IN_SERVICE("'ready':{'exec':['a'],'timeout':'5s','deadline':'1s'}"), "/services/0/ready/timeout", FAULT_CONFLICT},
    {IN_SERVICE("'ready':{'exec':['a'],'interval':'2m'}"), "/services/0/ready/interval", FAULT_CONFLICT},
    {IN_SERVICE("'ready':{'exec':['a'],'failures':0}"), "/services/0/ready/failures", FAULT_RANGE},
    {IN_SERVICE("'ready':{'exec':['${PORT}']}"), "/services/0/ready/exec/0", FAULT_REFERENCE},
    {SERVICES("{'name':'c','command':['a','${PORT}']}"), "/services/0/command/1", FAULT_REFERENCE},
    {SERVICES("{'name':'c','command':['a','x${PORT_Q}y'],'ports':[{'name':'p'}]}"), "/services/0/command/1",
     FAULT_REFERENCE},
    {SERVICES("{'name':'c','command':['a'],'env':{'U':'${PORT_}'},'ports':[{'name':'p'}]}"), "/services/0/env/U",
     FAULT_REFERENCE},
    {IN_SERVICE("'depends_on':['d']"), "/services/0/depends_on/0", FAULT_REFERENCE},
    {IN_SERVICE("'depends_on':['c']"), "/services/0/depends_on", FAULT_CYCLE},
    {SERVICES("{'name':'a','command':['a'],'depends_on':['b']},{'name':'b','command':['a'],'depends_on':['c']},"
              "{'name':'c','command':['a'],'depends_on':['a']}"),
     "/services/0/depends_on", FAULT_CYCLE},
    {IN_SERVICE("'on_failure':'restart'"), "/services/0/on_failure", FAULT_CHOICE},
    {IN_SERVICE("'on_failure':'continue'"), "/services/0/on_failure", FAULT_CHOICE},
    {IN_SERVICE("'on_failure':{}"), "/services/0/on_failure/restart", FAULT_REQUIRED},
    {IN_SERVICE("'on_failure':{'restart':{'max':0}}"), "/services/0/on_failure/restart/max", FAULT_RANGE},
    {IN_SERVICE("'on_failure':{'restart':{'windows':'1m'}}"), "/services/0/on_failure/restart/windows", FAULT_UNKNOWN},
    {IN_SERVICE("'stop':{'signal':'SIGNOPE'}"), "/services/0/stop/signal", FAULT_CHOICE},
    {IN_SERVICE("'stop':{'signal':'SIGSTOP'}"), "/services/0/stop/signal", FAULT_CHOICE},
    {IN_SERVICE("'stop':{'signal':15}"), "/services/0/stop/signal", FAULT_TYPE},
    {IN_SERVICE("'stop':{'grace':'2h'}"), "/services/0/stop/grace", FAULT_RANGE},
    {IN_SERVICE("'tasks':[1]"), "/services/0/tasks", FAULT_UNKNOWN},
};

static const struct wrong not_json[] = {
    {"", "", FAULT_SYNTAX},
    {"[]", "", FAULT_SYNTAX},
    {"{'name':'j'} x", "", FAULT_SYNTAX},
    {"{'name':'j','name':'k'}", "/name", FAULT_SYNTAX},
    {"{'name':'\\u0000'}", "/name", FAULT_SYNTAX},
    {IN_STAGE("'tasks':[{'a':1,'a':2}]"), "/stages/0/tasks/0/a", FAULT_SYNTAX},
    {IN_STAGE("'tasks':[NaN]"), "/stages/0/tasks/0", FAULT_SYNTAX},
};

static void unquote(const char *text, struct strbuf *out)
{
    for (; *text; text++)
        strbuf_add_char(out, *text == '\'' ? '"' : *text);
}

static void check(const struct wrong *wrong)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    unquote(wrong->text, &text);
    if (job_spec_parse(strbuf_text(&text), text.length, &spec, &faults, &err) == 0)
        fail_msg("%s: was accepted", wrong->text);
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(spec.arena);
    if (faults.count != 1)
        fail_msg("%s: %zu faults, the second: %s: %s", wrong->text, faults.count,
                 faults.count > 1 ? faults.list[1].pointer : "", faults.count > 1 ? faults.list[1].detail : "");
    if (strcmp(faults.list[0].pointer, wrong->pointer) != 0 || faults.list[0].code != wrong->code)
        fail_msg("%s: %s [%s] %s", wrong->text, faults.list[0].pointer, fault_code_name(faults.list[0].code),
                 faults.list[0].detail);
    assert_non_null(strstr(err.text, faults.list[0].pointer));
}

static void check_all(const struct wrong *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&list[i]);
}

static void says_what_is_wrong_in_the_job(void **state)
{
    UNUSED(state);
    check_all(in_the_job, ARRAY_LEN(in_the_job));
}

static void says_what_is_wrong_in_a_stage(void **state)
{
    UNUSED(state);
    check_all(in_a_stage, ARRAY_LEN(in_a_stage));
}

static void says_what_is_wrong_in_a_service(void **state)
{
    UNUSED(state);
    check_all(in_a_service, ARRAY_LEN(in_a_service));
}

static void says_where_it_is_no_json(void **state)
{
    UNUSED(state);
    check_all(not_json, ARRAY_LEN(not_json));
}

static void says_everything_that_is_wrong(void **state)
{
    UNUSED(state);
    static const char *const pointers[] = {
        "/name",         "/priority", "/services/0/ready/tcp", "/stages/0/command", "/stages/1/timeout",
        "/stages/1/zzz", "/comand"};
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    unquote("{'name':'J','priority':1000,'comand':1,'services':[{'name':'c','command':['a'],'ready':{'tcp':'x'}}],"
            "'stages':[{'name':'s'},{'name':'t','command':['a'],'timeout':5,'zzz':1}]}",
            &text);
    assert_error(job_spec_parse(text.data, text.length, &spec, &faults, &err), err, ERR_INVALID, "7 faults");
    assert_int_equal(faults.count, ARRAY_LEN(pointers));
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++) {
        bool found = false;
        for (size_t j = 0; j < faults.count; j++)
            found |= strcmp(faults.list[j].pointer, pointers[i]) == 0;
        if (!found)
            fail_msg("%s is missing", pointers[i]);
    }
}

static void assert_one_fault(const struct strbuf *text, const char *pointer, enum fault_code code)
{
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    assert_true(job_spec_parse(text->data, text->length, &spec, &faults, &err) < 0);
    assert_string_equal(faults.list[0].pointer, pointer);
    assert_int_equal(faults.list[0].code, code);
}

static void repeat(struct strbuf *out, const char *before, const char *unit, const char *after, int count)
{
    strbuf_clear(out);
    unquote(before, out);
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if (i)
            strbuf_add_char(out, ',');
        for (const char *at = unit; *at; at++) {
            if (*at == '#')
                strbuf_add_text(out, number);
            else
                strbuf_add_char(out, *at == '\'' ? '"' : *at);
        }
    }
    unquote(after, out);
}

static void refuses_too_many_of_anything(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    repeat(&text, "{'name':'j','stages':[", "{'name':'s#','command':['a']}", "]}", SPEC_STAGES_MAX + 1);
    assert_one_fault(&text, "/stages", FAULT_RANGE);
    repeat(&text, "{'name':'j'," STAGE ",'services':[", "{'name':'s#','command':['a']}", "]}", SPEC_SERVICES_MAX + 1);
    assert_one_fault(&text, "/services", FAULT_RANGE);
    repeat(&text, "{'name':'j','command':['a'],'tasks':[", "#", "]}", SPEC_TASKS_LISTED_MAX + 1);
    assert_one_fault(&text, "/tasks", FAULT_RANGE);
    repeat(&text, "{'name':'j','command':[", "'#'", "]}", SPEC_ARGUMENTS_MAX + 1);
    assert_one_fault(&text, "/command", FAULT_RANGE);
    repeat(&text, "{'name':'j','command':['a'],'env':{", "'A#':'x'", "}}", SPEC_ENV_MAX + 1);
    assert_one_fault(&text, "/env", FAULT_RANGE);
    repeat(&text, "{'name':'j','command':['a'],'labels':{", "'a#':'x'", "}}", SPEC_LABELS_MAX + 1);
    assert_one_fault(&text, "/labels", FAULT_RANGE);
    repeat(&text, "{'name':'j','command':['a'],'secrets':[", "'A#'", "]}", SPEC_SECRETS_MAX + 1);
    assert_one_fault(&text, "/secrets", FAULT_RANGE);
    repeat(&text, "{'name':'j'," STAGE ",'services':[{'name':'c','command':['a'],'ports':[", "{'name':'p#'}", "]}]}",
           SPEC_PORTS_MAX + 1);
    assert_one_fault(&text, "/services/0/ports", FAULT_RANGE);
}

static void refuses_what_is_too_long(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    unquote("{'name':'j','command':['a'],'tasks':[1,'", &text);
    for (int i = 0; i < SPEC_ITEM_BYTES_MAX - 1; i++)
        strbuf_add_char(&text, 'x');
    unquote("']}", &text);
    assert_one_fault(&text, "/tasks/1", FAULT_RANGE);
    strbuf_clear(&text);
    unquote("{'name':'j','command':['a','", &text);
    for (int i = 0; i <= SPEC_ARGUMENT_BYTES_MAX; i++)
        strbuf_add_char(&text, 'x');
    unquote("']}", &text);
    assert_one_fault(&text, "/command/1", FAULT_RANGE);
    strbuf_clear(&text);
    unquote("{'name':'j','command':['a'],'labels':{'a':'", &text);
    for (int i = 0; i <= SPEC_LABEL_VALUE_MAX; i++)
        strbuf_add_char(&text, 'x');
    unquote("'}}", &text);
    assert_one_fault(&text, "/labels/a", FAULT_RANGE);
}

// A megabyte of empty objects: as tasks it is only too many of them, anywhere else it is too much memory.
static void is_bounded_in_memory(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    repeat(&text, "{'name':'j','command':['a'],'tasks':[", "{}", "]}", 350000);
    assert_one_fault(&text, "/tasks", FAULT_RANGE);
    repeat(&text, "{'name':'j','command':['a'],'labels':[", "{}", "]}", 350000);
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    assert_error(job_spec_parse(text.data, text.length, &spec, &faults, &err), err, ERR_TOO_LARGE, "memory");
    assert_int_equal(faults.list[0].code, FAULT_RANGE);
    assert_memory_equal(faults.list[0].pointer, "/labels/", strlen("/labels/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong_in_the_job),   cmocka_unit_test(says_what_is_wrong_in_a_stage),
        cmocka_unit_test(says_what_is_wrong_in_a_service), cmocka_unit_test(says_where_it_is_no_json),
        cmocka_unit_test(says_everything_that_is_wrong),   cmocka_unit_test(refuses_too_many_of_anything),
        cmocka_unit_test(refuses_what_is_too_long),        cmocka_unit_test(is_bounded_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
