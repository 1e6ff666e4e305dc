#include "services/common/base/strbuf.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"

#include <string.h>

// Stages from "a:b,c d: e:e": each name waits for those behind its colon.
static void write_stages(const char *graph, struct strbuf *out)
{
    strbuf_add_text(out, "{\"name\":\"j\",\"stages\":[");
    for (const char *at = graph; *at; at += strspn(at, " ")) {
        strbuf_add_format(out, "%s{\"name\":\"%c\",\"command\":[\"x\"],\"after\":[", at == graph ? "" : ",", *at);
        at += 2;
        for (bool first = true; *at && *at != ' '; at++) {
            if (*at == ',')
                continue;
            strbuf_add_format(out, "%s\"%c\"", first ? "" : ",", *at);
            first = false;
        }
        strbuf_add_text(out, "]}");
    }
    strbuf_add_text(out, "]}");
}

static size_t parse(const char *graph, struct faults *faults)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    write_stages(graph, &text);
    int outcome = job_spec_parse(text.data, text.length, &spec, faults, NULL);
    assert_int_equal(outcome < 0, faults_total(faults) > 0);
    return faults_total(faults);
}

static void accepts_what_comes_to_an_end(void **state)
{
    UNUSED(state);
    static const char *const graphs[] = {"a:", "a:b b:", "a:b,c b:d c:d d:", "a: b: c:a,b d:c e:c f:d,e",
                                         "d:c c:b b:a a:"};
    for (size_t i = 0; i < ARRAY_LEN(graphs); i++) {
        struct faults faults AUTO_FAULTS = FAULTS_INIT;
        assert_int_equal(parse(graphs[i], &faults), 0);
    }
}

static void finds_each_cycle_once(void **state)
{
    UNUSED(state);
    static const struct {
        const char *graph;
        size_t cycles;
        const char *story;
    } cases[] = {
        {"a:a", 1, "a waits for a"},
        {"a:b b:a", 1, "a waits for b waits for a"},
        {"a:b b:c c:d d:b", 1, "b waits for c waits for d waits for b"},
        {"a:b b:a c:d d:c", 2, "a waits for b waits for a"},
        {"x:a y:x a:b b:a", 1, "a waits for b waits for a"},
        {"a: b:a,c c:b", 1, "b waits for c waits for b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct faults faults AUTO_FAULTS = FAULTS_INIT;
        assert_int_equal(parse(cases[i].graph, &faults), cases[i].cycles);
        assert_int_equal(faults.list[0].code, FAULT_CYCLE);
        assert_string_equal(faults.list[0].detail, cases[i].story);
    }
}

static void copes_with_as_many_as_there_may_be(void **state)
{
    UNUSED(state);
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct job_spec spec AUTO_JOB_SPEC = JOB_SPEC_INIT;
    struct faults faults AUTO_FAULTS = FAULTS_INIT;
    struct err err = {0};
    strbuf_add_text(&text, "{\"name\":\"j\",\"stages\":[");
    for (int i = 0; i < SPEC_STAGES_MAX; i++) {
        strbuf_add_format(&text, "%s{\"name\":\"s%d\",\"command\":[\"x\"]", i ? "," : "", i);
        if (i)
            strbuf_add_format(&text, ",\"from\":\"s%d\"", i - 1);
        strbuf_add_char(&text, '}');
    }
    strbuf_add_text(&text, "]}");
    assert_ok(job_spec_parse(text.data, text.length, &spec, &faults, &err), err);
    assert_int_equal(spec.stage_count, SPEC_STAGES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_comes_to_an_end),
        cmocka_unit_test(finds_each_cycle_once),
        cmocka_unit_test(copes_with_as_many_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
