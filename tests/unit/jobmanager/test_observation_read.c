#include "services/common/base/id.h"
#include "services/common/model/states.h"
#include "services/jobmanager/observation_read.h"
#include "services/jobmanager/work_read.h"
#include "tests/support/test.h"

#include <signal.h>
#include <string.h>

#define JOB INT64_C(123456789)

// A poll with one observation, which has `members` beside job, service and epoch.
static int read_members(const char *members, struct arena *arena, struct work_body *out, struct faults *faults)
{
    char text[1024], id[ID_TEXT_SIZE];
    struct err err;
    id_format('j', JOB, id);
    snprintf(text, sizeof(text),
             "{\"incarnation\":1,\"instances\":[{\"job\":\"%s\",\"service\":\"cache\",\"epoch\":2%s}]}", id, members);
    return poll_read(text, strlen(text), arena, out, faults, &err);
}

static void a_whole_observation(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(
        read_members(",\"state\":\"stopped\",\"object\":\"o\",\"host\":\"10.0.0.1\",\"ports\":{ \"main\": 40123 },"
                     "\"boundary\":\"cgroup\",\"error\":\"e\",\"exit\":{\"code\":null,\"signal\":\"SIGKILL\"},"
                     "\"signals\":[{\"signal\":\"SIGTERM\",\"at\":\"2026-01-31T12:00:00.000000Z\"}],\"grade\":\"exit\"",
                     arena, &body, &faults),
        0);
    assert_int_equal(body.operation.observation_count, 1);
    const struct instance_observation *observation = &body.operation.observations[0];
    assert_int_equal(observation->job, JOB);
    assert_string_equal(observation->service, "cache");
    assert_int_equal(observation->epoch, 2);
    assert_int_equal(observation->state, INSTANCE_STOPPED);
    assert_string_equal(observation->ports, "{\"main\":40123}");
    assert_string_equal(observation->signals, "[{\"signal\":\"SIGTERM\",\"at\":\"2026-01-31T12:00:00.000000Z\"}]");
    assert_int_equal(observation->exit_code, -1);
    assert_int_equal(observation->exit_signal, SIGKILL);
    assert_int_equal(observation->grade, GRADE_EXIT);
}

static void what_is_not_said_is_absent(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    assert_int_equal(read_members(",\"state\":\"ready\",\"exit\":null,\"error\":null", arena, &body, &faults), 0);
    const struct instance_observation *observation = &body.operation.observations[0];
    assert_null(observation->object);
    assert_null(observation->ports);
    assert_null(observation->error);
    assert_int_equal(observation->exit_code, -1);
    assert_int_equal(observation->exit_signal, -1);
    assert_int_equal(observation->grade, -1);
}

static const struct {
    const char *members, *pointer;
} wrong[] = {
    {"", "/instances/0/state"},
    {",\"state\":\"pending\"", "/instances/0/state"},
    {",\"state\":\"presumed_gone\"", "/instances/0/state"},
    {",\"state\":7", "/instances/0/state"},
    {",\"state\":\"ready\",\"ports\":{\"main\":0}", "/instances/0/ports/main"},
    {",\"state\":\"ready\",\"ports\":[]", "/instances/0/ports"},
    {",\"state\":\"ready\",\"exit\":{\"code\":256}", "/instances/0/exit/code"},
    {",\"state\":\"ready\",\"exit\":{\"signal\":\"SIGNONE\"}", "/instances/0/exit/signal"},
    {",\"state\":\"ready\",\"grade\":\"presumed\"", "/instances/0/grade"},
    {",\"state\":\"ready\",\"signals\":[{\"signal\":\"SIGTERM\"}]", "/instances/0/signals/0/at"},
    {",\"state\":\"ready\",\"mood\":1", "/instances/0/mood"},
};

static void wrong_ones_have_a_pointer(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena *arena = arena_new(0);
        AUTO_FAULTS struct faults faults = FAULTS_INIT;
        struct work_body body;
        if (read_members(wrong[i].members, arena, &body, &faults) != -1)
            fail_msg("taken: %s", wrong[i].members);
        assert_string_equal(faults.list[0].pointer, wrong[i].pointer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_observation),
        cmocka_unit_test(what_is_not_said_is_absent),
        cmocka_unit_test(wrong_ones_have_a_pointer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
