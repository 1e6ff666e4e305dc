// What is written is read back as the same, for specs made at random.
#include "services/common/json/scan.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"

#include <string.h>

static uint64_t seed;

static uint64_t pick(uint64_t count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 16) % count;
}

// One of several texts, "" among them.
#define ONE_OF(...)                                          \
    ({                                                       \
        static const char *const choices_[] = {__VA_ARGS__}; \
        choices_[pick(ARRAY_LEN(choices_))];                 \
    })

static void add_run(struct strbuf *out)
{
    strbuf_add_text(out, ONE_OF("", ",'env':{'A':'b\\n\\u0001\\\"','B_1':''}"));
    strbuf_add_text(out, ONE_OF("", ",'secrets':['S','T']"));
    strbuf_add_text(
        out, ONE_OF("", ",'resources':{'cpus':1.25}", ",'resources':{'memory':'3Gi','cpus':1024}", ",'resources':{}"));
    strbuf_add_text(out, ONE_OF("", ",'where':{'gpu':'yes'}"));
    strbuf_add_text(out, ONE_OF("", ",'runtime':'process'", ",'runtime':'docker','image':'a.b:5000/c/d:e'"));
}

static void add_service(struct strbuf *out, size_t i)
{
    strbuf_add_format(out, "%s{'name':'c%zu','command':['a','x\xc3\xa9 \\\\'],'ports':[{'name':'p','container':1}]",
                      i ? "," : "", i);
    add_run(out);
    strbuf_add_text(out, ONE_OF("", ",'ready':{'tcp':'p'}", ",'ready':{'http':'/x'}", ",'ready':{'log':'a|b'}",
                                ",'ready':{'exec':['t','${PORT}'],'interval':'1s','deadline':'2h'}"));
    strbuf_add_text(out, ONE_OF("", ",'on_failure':'ignore'", ",'on_failure':{'restart':{}}",
                                ",'on_failure':{'restart':{'max':9}}"));
    strbuf_add_text(out, ONE_OF("", ",'stop':{'signal':'HUP'}", ",'stop':{'grace':'0s'}"));
    if (i && pick(2))
        strbuf_add_format(out, ",'depends_on':['c%zu']", (size_t)pick(i));
    strbuf_add_char(out, '}');
}

static void add_stage(struct strbuf *out, size_t i)
{
    strbuf_add_format(out, "%s{'name':'s%zu'", i ? "," : "", i);
    if (pick(4) == 0) {
        strbuf_add_text(out, ",'mode':'pull'");
    } else {
        strbuf_add_format(out, ",'command':['a'],'mode':'%s'", ONE_OF("exec", "stream"));
        add_run(out);
    }
    strbuf_add_text(out, ONE_OF("", ",'queue':'q-1'"));
    strbuf_add_text(out, ONE_OF("", ",'retries':{'max':1000}", ",'retries':{'backoff':'1ms','backoff_max':'1ms'}"));
    strbuf_add_text(out, ONE_OF("", ",'timeout':'1h1m1s1ms'"));
    strbuf_add_text(out, ONE_OF("", ",'slots':3,'max_parallel':7", ",'on_failure':'continue'"));
    uint64_t source = pick(i ? 6 : 4);
    if (source == 0)
        strbuf_add_text(out, ",'tasks':[]");
    else if (source == 1)
        strbuf_add_text(out, ",'tasks':[ 1 , {'a' : [ ] } , 'x\\ny' ]");
    else if (source == 2)
        strbuf_add_format(out, ",'tasks':{'count':%llu}", (unsigned long long)pick(1000000001));
    else if (source >= 4)
        strbuf_add_format(out, source == 4 ? ",'from':'s%zu'" : ",'from':{'after':'s%zu'}", (size_t)pick(i));
    if (i && pick(3) == 0)
        strbuf_add_format(out, ",'after':'s%zu'", (size_t)pick(i));
    strbuf_add_char(out, '}');
}

static void make(struct strbuf *out)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    strbuf_add_format(&text, "{'name':'j','priority':%d", (int)pick(201) - 100);
    strbuf_add_text(&text,
                    ONE_OF("", ",'autostop':false", ",'autostop':{'on':['failed']}", ",'autostop':{'linger':'1h'}"));
    strbuf_add_text(&text, ONE_OF("", ",'labels':{'a':'b','c/d':'\xe2\x82\xac'}"));
    strbuf_add_text(&text, ONE_OF("", ",'timeout':'10h'"));
    strbuf_add_text(&text, ",'services':[");
    for (size_t i = 0, count = pick(4); i < count; i++)
        add_service(&text, i);
    strbuf_add_text(&text, "],'stages':[");
    for (size_t i = 0, count = pick(5) + 1; i < count; i++)
        add_stage(&text, i);
    strbuf_add_text(&text, "]}");
    for (size_t i = 0; i < text.length; i++)
        strbuf_add_char(out, text.data[i] == '\'' ? '"' : text.data[i]);
}

static void parse(const struct strbuf *text, struct job_spec *spec)
{
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    if (job_spec_parse(text->data, text->length, spec, &faults, &err) < 0)
        fail_msg("%s: %s", text->data, err.text);
}

static void reads_back_what_it_writes(void **state)
{
    UNUSED(state);
    seed = 88172645463325252u;
    for (int round = 0; round < 2000; round++) {
        struct strbuf text AUTO_STRBUF = STRBUF_INIT, first AUTO_STRBUF = STRBUF_INIT, second AUTO_STRBUF = STRBUF_INIT;
        struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT, copy AUTO_JOB_SPEC = JOB_SPEC_INIT;
        make(&text);
        parse(&text, &spec);
        job_spec_write(&spec, true, &first);
        parse(&first, &copy);
        job_spec_write(&copy, true, &second);
        assert_string_equal(first.data, second.data);
        assert_int_equal(spec.stage_count, copy.stage_count);
        for (size_t i = 0; i < spec.stage_count; i++) {
            assert_int_equal(spec.stages[i].task_count, copy.stages[i].task_count);
            assert_int_equal(spec.stages[i].tasks, copy.stages[i].tasks);
        }
    }
}

// A spec that was damaged is refused with a fault, or is another spec that can be written and read.
static void survives_random_damage(void **state)
{
    UNUSED(state);
    static const char damage[] = "{}[]\",:0-1.eatrufls\\$ \xff";
    int accepted = 0;
    seed = 1181783497276652981u;
    for (int round = 0; round < 5000; round++) {
        struct strbuf text AUTO_STRBUF = STRBUF_INIT, first AUTO_STRBUF = STRBUF_INIT;
        struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT, copy AUTO_JOB_SPEC = JOB_SPEC_INIT;
        struct faults faults AUTO_FAULTS = FAULTS_INIT;
        make(&text);
        for (uint64_t hits = pick(3) + 1; hits; hits--)
            text.data[pick(text.length)] = damage[pick(sizeof damage - 1)];
        if (job_spec_parse(text.data, text.length, &spec, &faults, NULL) < 0) {
            assert_true(faults_total(&faults) > 0);
            assert_null(spec.arena);
            continue;
        }
        accepted++;
        job_spec_write(&spec, true, &first);
        parse(&first, &copy);
    }
    assert_true(accepted > 20);
}

static void leaves_items_out_when_told_so(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT, out AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    strbuf_add_text(&text, "{\"name\":\"j\",\"command\":[\"a\"],\"tasks\":[\"first\",\"second\"]}");
    parse(&text, &spec);
    job_spec_write(&spec, false, &out);
    assert_null(strstr(out.data, "first"));
    assert_non_null(strstr(out.data, "\"tasks\":{\"count\":2}"));
    assert_int_equal(spec.stages[0].tasks, TASKS_LISTED);
}

static void writes_what_a_reader_expects(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT, out AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    strbuf_add_text(&text, "{\"name\":\"j\",\"command\":[\"a\"]}");
    parse(&text, &spec);
    job_spec_write(&spec, true, &out);
    assert_string_equal(
        out.data, "{\"name\":\"j\",\"autostop\":true,\"priority\":0,\"max_lifetime\":\"1d\",\"stages\":[{\"name\":"
                  "\"main\",\"command\":[\"a\"],\"queue\":\"default\",\"mode\":\"exec\",\"retries\":{\"max\":3,"
                  "\"backoff\":\"1s\",\"backoff_max\":\"1m\"},\"slots\":1,\"max_parallel\":0,\"on_failure\":"
                  "\"fail_job\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_it_writes),
        cmocka_unit_test(survives_random_damage),
        cmocka_unit_test(leaves_items_out_when_told_so),
        cmocka_unit_test(writes_what_a_reader_expects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
