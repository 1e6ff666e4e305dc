#include "services/common/engine/forgotten.h"

#include "tests/support/test.h"

#define ID "e8e9273b682cdc436849ba9eede731f277e7b88f70bf41108be4aafec993c09b"
#define OTHER "e8e9273b682cdc436849ba9eede731f277e7b88f70bf41108be4aafec993c09c"

static void paths_of_every_engine_name_it(void **state)
{
    static const char *const texts[] = {
        "0::/docker/" ID "\n",
        "0::/system.slice/docker-" ID ".scope\n",
        "0::/docker/" ID "/inner\n",
        "9:name=systemd:/\n8:pids:/docker/" ID "\n0::/\n",
        "0::/machine.slice/libpod-" ID ".scope/container",
        "0::/docker/" OTHER "/docker/" ID "\n",
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_true(engine_forgotten_is_in(texts[i], ID));
}

static void nothing_else_does(void **state)
{
    static const char *const texts[] = {
        "", "0::/\n", "0::/docker/" OTHER "\n", "0::/docker/0" ID "\n", "0::/docker/" ID "0\n", ID,
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_false(engine_forgotten_is_in(texts[i], ID));
}

static void a_part_of_an_id_is_none(void **state)
{
    static const char *const ids[] = {"", "e", "docker", "e8e9273b682c", (ID "0"), ("../" ID)};
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_false(engine_forgotten_is_in("0::/docker/e/e8e9273b682c/docker/" ID "0/" ID "\n", ids[i]));
}

// What becomes of one that is there: tests/containers/test_forgotten.c, and that of integration.
static void of_an_unknown_container_there_is_nothing(void **state)
{
    struct engine_forgotten left;
    struct err err = {0};
    UNUSED(state);
    assert_ok(engine_forgotten_end(OTHER, &left, &err), err);
    assert_int_equal(left.found + left.refused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_every_engine_name_it),
        cmocka_unit_test(nothing_else_does),
        cmocka_unit_test(a_part_of_an_id_is_none),
        cmocka_unit_test(of_an_unknown_container_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
