// Which tasks can go on without this life of the worker, by the files that say so.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/worker/runtime_docker_internal.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

#define IDENTITY "j1/main/0/7"
#define NAME "curfew-d-j1.main.0.7"

static char deployment[] = "d";

static void open_records(struct docker_runtime *runtime, void **state, const char *boot)
{
    struct err err = {0};
    *runtime = (struct docker_runtime){.deployment = deployment};
    assert_ok(docker_records_open(runtime, temp_path(state, "."), boot, &err), err);
}

static void close_records(struct docker_runtime *runtime)
{
    free(runtime->records);
    free(runtime->boot);
}

static void it_is_there_as_long_as_it_is_true(void **state)
{
    struct docker_runtime runtime, later;
    struct docker_instance instance = {.runtime = &runtime, .identity = IDENTITY, .container_name = NAME};
    open_records(&runtime, state, "boot-1");
    assert_int_equal(docker_record_begun_ms(&runtime, IDENTITY), 0);
    int64_t before_ms = clock_boot_ms();
    docker_record_keep(&instance);
    open_records(&later, state, "boot-1");
    assert_in_range(docker_record_begun_ms(&later, IDENTITY), before_ms, clock_boot_ms());
    close_records(&later);
    open_records(&later, state, "boot-2"); // nothing of before runs any more
    assert_int_equal(docker_record_begun_ms(&later, IDENTITY), 0);
    close_records(&later);
    docker_record_drop(&instance);
    docker_record_drop(&instance); // twice is once
    assert_int_equal(docker_record_begun_ms(&runtime, IDENTITY), 0);
    close_records(&runtime);
}

static void what_is_asked_to_end_has_none(void **state)
{
    struct docker_runtime runtime;
    open_records(&runtime, state, "boot-1");
    const struct docker_instance instances[] = {
        {.runtime = &runtime, .identity = IDENTITY, .container_name = NAME, .asked = true},
        {.runtime = &runtime, .identity = IDENTITY, .container_name = NAME, .fenced = true},
        {.runtime = &runtime, .identity = IDENTITY, .container_name = NAME, .survives = true}, // a service
    };
    for (size_t i = 0; i < ARRAY_LEN(instances); i++) {
        docker_record_keep(&instances[i]);
        assert_int_equal(docker_record_begun_ms(&runtime, IDENTITY), 0);
    }
    close_records(&runtime);
}

static void half_a_record_says_nothing(void **state)
{
    static const char *const texts[] = {"", "boot-1", "boot-1 ", "boot-1 x\n"};
    struct docker_runtime runtime;
    struct err err = {0};
    open_records(&runtime, state, "boot-1");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_ok(file_replace(temp_path(state, "containers/" NAME), texts[i], strlen(texts[i]), 0600, &err), err);
        assert_int_equal(docker_record_begun_ms(&runtime, IDENTITY), 0);
    }
    close_records(&runtime);
}

static void those_of_containers_that_are_gone_go(void **state)
{
    struct docker_runtime runtime;
    const struct docker_instance instance = {.runtime = &runtime, .identity = IDENTITY, .container_name = NAME};
    const struct engine_container listed[] = {{.identity = "j1/cache/1"}, {.identity = IDENTITY}};
    open_records(&runtime, state, "boot-1");
    docker_record_keep(&instance);
    docker_records_sweep(&runtime, listed, 2);
    assert_true(docker_record_begun_ms(&runtime, IDENTITY) > 0);
    docker_records_sweep(&runtime, listed, 1);
    assert_int_equal(docker_record_begun_ms(&runtime, IDENTITY), 0);
    close_records(&runtime);
}

static void without_a_directory_there_are_none(void **state)
{
    UNUSED(state);
    struct docker_runtime runtime = {.deployment = deployment};
    const struct docker_instance instance = {.runtime = &runtime, .identity = IDENTITY, .container_name = NAME};
    docker_record_keep(&instance);
    docker_record_drop(&instance);
    docker_records_sweep(&runtime, NULL, 0);
    assert_int_equal(docker_record_begun_ms(&runtime, IDENTITY), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, temp_dir_setup, temp_dir_teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_there_as_long_as_it_is_true),  TEST(what_is_asked_to_end_has_none),
        TEST(half_a_record_says_nothing),         TEST(those_of_containers_that_are_gone_go),
        TEST(without_a_directory_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
