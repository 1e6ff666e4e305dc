#include "services/common/model/job_spec_schema.h"

#include "services/common/json/scan.h"
#include "services/common/model/job_spec.h"
#include "tests/support/test.h"

#include <string.h>

static void is_json_with_every_object(void **state)
{
    UNUSED(state);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct err err;
    strbuf_add_char(&out, '{');
    job_spec_write_schemas(&out);
    strbuf_add_char(&out, '}');
    assert_ok(json_scan(strbuf_text(&out), out.length, NULL, NULL, &err), err);
    static const char *const objects[] = {"JobSpec", "ServiceSpec", "StageSpec", "Autostop", "Restart",
                                          "Ready",   "StopPolicy",  "PortSpec",  "Retries",  "Resources"};
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        char member[32];
        snprintf(member, sizeof(member), "\"%s\":{\"type\":\"object\"", objects[i]);
        assert_non_null(strstr(out.data, member));
    }
    assert_non_null(strstr(out.data, "\"required\":[\"name\"],\"additionalProperties\":false"));
    assert_non_null(strstr(out.data, "\"priority\":{\"type\":\"integer\",\"minimum\":-100,\"maximum\":100"));
    assert_non_null(strstr(out.data, "\"enum\":[\"exec\",\"stream\",\"pull\"]"));
}

static void has_an_example_that_can_be_submitted(void **state)
{
    UNUSED(state);
    struct job_spec spec = {0};
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    assert_ok(job_spec_parse(job_spec_example, strlen(job_spec_example), &spec, &faults, &err), err);
    assert_string_equal(spec.name, "word-count");
    job_spec_release(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_json_with_every_object),
        cmocka_unit_test(has_an_example_that_can_be_submitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
