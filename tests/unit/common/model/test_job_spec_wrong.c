// Specs that are wrong in one way each: the fault, and that it is the only one.
#include "services/common/base/strbuf.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"
#include "tests/support/wrong_specs.h"

#include <stdio.h>
#include <string.h>

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
