// The private engine that all tests of this suite stand on: what it is, and that nothing of it stays.
#include "tests/support/test.h"

#include "tests/support/engine.h"
#include "tests/support/oracle.h"
#include "tests/support/process.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 30000

static struct engine *engine;

static void test_runs_containers_of_its_images(void **state)
{
    UNUSED(state);
    char *text AUTO_FREE = engine_docker_ok(engine, "run", "--rm", ENGINE_IMAGE, "echo", "hello", NULL);
    assert_string_equal(text, "hello\n");
    char *bad AUTO_FREE = engine_docker(engine, "run", "--rm", ENGINE_IMAGE, "false", NULL);
    assert_null(bad);
}

static void test_counts_what_carries_a_label(void **state)
{
    UNUSED(state);
    free(engine_docker_ok(engine, "network", "create", "--label=a=1", "net", NULL));
    free(engine_docker_ok(engine, "volume", "create", "--label=a=1", NULL));
    free(engine_docker_ok(engine, "run", "-d", "--init", "--label=a=1", "--net=net", ENGINE_IMAGE, "sleep", "600",
                          NULL));
    free(engine_docker_ok(engine, "create", "--label=a=2", "--name=other", ENGINE_IMAGE, "sleep", "600", NULL));
    struct engine_census one = engine_count(engine, "a=1"), all = engine_count(engine, NULL);
    assert_true(one.containers == 1 && one.running == 1 && one.networks == 1 && one.volumes == 1);
    assert_true(all.containers == 2 && all.running == 1 && all.networks == 1 && all.volumes == 1);
    free(engine_docker_ok(engine, "rm", "other", NULL));
    assert_int_equal(engine_wait_none(engine, "a=2", WAIT_MS), 0);
    assert_int_equal(engine_objects(engine, "a=1"), 3);
}

static void test_is_killed_and_comes_back(void **state)
{
    UNUSED(state);
    assert_true(engine_kill(engine, ENGINE_DOCKERD));
    char *text AUTO_FREE = engine_docker(engine, "ps", NULL);
    assert_null(text);
    engine_restart(engine);
    assert_int_equal(engine_objects(engine, "a=1"), 3);
    free(engine_docker_ok(engine, "run", "--rm", ENGINE_IMAGE, "true", NULL));
}

static void test_has_a_network_of_its_own(void **state)
{
    UNUSED(state);
    char *text AUTO_FREE =
        engine_docker_ok(engine, "run", "--rm", "--net=host", ENGINE_IMAGE, "ls", "/sys/class/net", NULL);
    assert_non_null(strstr(text, "docker0"));
    assert_true(if_nametoindex("docker0") > 0);
}

static bool is_no_file(void *path)
{
    return access(path, F_OK) < 0;
}

// A program with an engine and a container is killed: everything of it goes.
static void test_ends_with_its_program(void **state)
{
    UNUSED(state);
    char program[512], marker[64], host[256] = "";
    snprintf(program, sizeof program, "%s/tests/fixtures/engine", build_dir());
    snprintf(marker, sizeof marker, "ENGINE_TEST=%d", (int)getpid());
    static const char script[] = "docker run -d -e $MARKER curfew-test:1 nasty tree >/dev/null && echo $DOCKER_HOST && "
                                 "exec sleep 600";
    const char *const argv[] = {program, "sh", "-c", script, NULL};
    char variable[80];
    snprintf(variable, sizeof variable, "MARKER=%s", marker);
    struct process *process AUTO_PROCESS =
        process_start(argv, &(struct process_options){.environment = (const char *const[]){variable, NULL}});
    assert_true(process_wait_output(process, "unix://", WAIT_MS));
    snprintf(host, sizeof host, "%s", process_stdout(process) + strlen("unix://"));
    *strrchr(host, '/') = '\0';
    assert_true(oracle_find(marker, NULL, 0) >= 3);
    assert_int_equal(access(host, F_OK), 0);
    process_signal(process, SIGKILL);
    assert_int_equal(process_wait(process, WAIT_MS), 256 + SIGKILL);
    assert_int_equal(oracle_wait_none(marker, WAIT_MS), 0);
    assert_true(wait_until(is_no_file, host, WAIT_MS));
}

static int set_up(void **state)
{
    UNUSED(state);
    engine = engine_start(NULL);
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    engine_stop(engine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_containers_of_its_images), cmocka_unit_test(test_counts_what_carries_a_label),
        cmocka_unit_test(test_is_killed_and_comes_back),      cmocka_unit_test(test_has_a_network_of_its_own),
        cmocka_unit_test(test_ends_with_its_program),
    };
    return cmocka_run_group_tests_name("engine", tests, set_up, tear_down);
}
