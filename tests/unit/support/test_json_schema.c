#include "tests/support/json_schema.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

// The problem of `value` with `schema`, both written with ' for "; "" when there is none.
static const char *problem_of(const char *schema, const char *value)
{
    static char problem[JSON_SCHEMA_PROBLEM_SIZE];
    char texts[2][512];
    snprintf(texts[0], sizeof(texts[0]), "%s", schema);
    snprintf(texts[1], sizeof(texts[1]), "%s", value);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (char *at = texts[i]; (at = strchr(at, '\'')); at++)
            *at = '"';
    struct json_object *document =
        json_tokener_parse("{\"a\":{\"Word\":{\"type\":\"string\",\"maxLength\":3}},\"b\":{}}");
    struct json_object *said = json_tokener_parse(texts[0]), *object = json_tokener_parse(texts[1]);
    bool holds = json_schema_holds(document, said, object, problem);
    json_object_put(document);
    json_object_put(said);
    json_object_put(object);
    return holds ? "" : problem;
}

static void knows_every_keyword(void **state)
{
    UNUSED(state);
    static const struct {
        const char *schema, *good, *bad, *problem;
    } cases[] = {
        {"{'$ref':'#/a/Word'}", "'abc'", "'abcd'", "/: is too long"},
        {"{'type':'integer'}", "1", "1.5", "/: is number, not integer"},
        {"{'type':'number'}", "1", "'1'", "/: is string, not number"},
        {"{'type':'null'}", "null", "false", "/: is boolean, not null"},
        {"{'const':'all'}", "'all'", "'none'", "/: is not \"all\""},
        {"{'enum':['a','b']}", "'b'", "'c'", "/: is none of its words: \"c\""},
        {"{'anyOf':[{'type':'null'},{'$ref':'#/a/Word'}]}", "null", "[]", "/: is array, not string"},
        {"{'minimum':2,'maximum':3}", "2", "1", "/: is below 2"},
        {"{'minimum':2,'maximum':3}", "3", "4", "/: is above 3"},
        {"{'minLength':2}", "'\xc3\xa4\xc3\xa4'", "'\xc3\xa4'", "/: is too short"},
        {"{'pattern':'^a+$'}", "'aa'", "'ab'", "/: does not look like ^a+$"},
        {"{'required':['x']}", "{'x':null}", "{'y':1}", "/: has no x"},
        {"{'properties':{'x':{'type':'string'}}}", "{'x':''}", "{'x':1}", "/x: is integer, not string"},
        {"{'properties':{'x':{}}}", "{}", "{'z':1}", "/: has a member z that is not described"},
        {"{'additionalProperties':{'type':'boolean'}}", "{'q':true}", "{'q':0}", "/q: is integer, not boolean"},
        {"{'properties':{},'additionalProperties':false}", "{}", "{'q':0}", "/: has a member q that is not described"},
        {"{'items':{'maxItems':1}}", "[[1],[]]", "[[],[1,2]]", "/1: has too many items"},
        {"{'maxProperties':1}", "{'a':1}", "{'a':1,'b':2}", "/: has too many members"},
        {"{'description':'x','examples':[1],'default':2}", "1", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(problem_of(cases[i].schema, cases[i].good), "");
        if (cases[i].bad)
            assert_string_equal(problem_of(cases[i].schema, cases[i].bad), cases[i].problem);
    }
}

// A schema may say more about what it refers to.
static void members_beside_a_reference_are_not_all(void **state)
{
    UNUSED(state);
    assert_string_equal(problem_of("{'$ref':'#/b','properties':{'x':{'const':1}}}", "{'x':1,'y':2}"), "");
    assert_string_equal(problem_of("{'properties':{'x':{'const':1}}}", "{'x':1,'y':2}"),
                        "/: has a member y that is not described");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_keyword),
        cmocka_unit_test(members_beside_a_reference_are_not_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
