// A container that runs and that its engine has forgotten, as when the engine was killed between its start and its
// answer: its processes are ended, by whoever removes it, and its task runs again.
#include "services/common/engine/forgotten.h"

#include "tests/support/containers.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 90000
#define SPEC                                                                                                    \
    "{'name':'forgotten','image':'" ENGINE_IMAGE "','retries':{'max':3,'backoff':'10ms'},'command':['sh','-c'," \
    "'while [ ! -e /tmp/go ]; do sleep 0.1; done'],'timeout':'5m'}"

static struct engine *engine;
static struct system *curfew;

struct task {
    char job[SYSTEM_ID_SIZE], container[CONTAINER_ID_SIZE];
};

// Its dockerd is killed; when it is back the container is one that was never started.
static void forget_start(const char *container)
{
    char directory[PATH_MAX], file[PATH_MAX + 128];
    snprintf(directory, sizeof directory, "%s", engine_socket(engine));
    *strrchr(directory, '/') = '\0';
    snprintf(file, sizeof file, "%s/data/containers/%s/config.v2.json", directory, container);
    assert_true(engine_kill(engine, ENGINE_DOCKERD));
    struct process *process AUTO_PROCESS = process_start(
        (const char *const[]){"sed", "-i", "-e", "s/\"Running\":true/\"Running\":false/", "-e",
                              "s/\"Pid\":[0-9]*/\"Pid\":0/", "-e",
                              "s/\"StartedAt\":\"[^\"]*\"/\"StartedAt\":\"0001-01-01T00:00:00Z\"/", file, NULL},
        NULL);
    assert_int_equal(process_wait(process, WAIT_MS), 0);
    engine_launch(engine);
}

static void start(struct task *task)
{
    system_submit(curfew, task->job, SPEC);
    containers_wait_one(engine, task->job, NULL, task->container);
}

// Looks into /proc as an administrator would.
static int64_t processes_of(const char *container)
{
    struct process *process AUTO_PROCESS = process_start(
        (const char *const[]){"sh", "-c", "grep -ls \"$0\" /proc/[0-9]*/cgroup | wc -l", container, NULL}, NULL);
    assert_int_equal(process_wait(process, WAIT_MS), 0);
    return strtoll(process_stdout(process), NULL, 10);
}

static bool is_gone(void *context)
{
    AUTO_FREE char *known = engine_docker(engine, "inspect", (const char *)context, NULL);
    return !known && processes_of(context) == 0;
}

static void expect_gone(struct task *task)
{
    if (wait_until(is_gone, task->container, WAIT_MS))
        return;
    system_explain(curfew, task->job);
    engine_print(engine);
    fail_msg("%lld processes of container %s go on", (long long)processes_of(task->container), task->container);
}

static bool runs_again(void *context)
{
    const struct task *task = context;
    AUTO_FREE char *running = containers_running(engine, task->job, NULL);
    return *running && !strstr(running, task->container);
}

static void finish(struct task *task)
{
    if (!wait_until(runs_again, task, WAIT_MS))
        system_explain(curfew, task->job);
    expect_gone(task);
    containers_wait_one(engine, task->job, NULL, task->container);
    free(engine_docker_ok(engine, "exec", task->container, "touch", "/tmp/go", NULL));
    json_object_put(system_wait_closed_as(curfew, task->job, "succeeded", WAIT_MS));
    assert_int_equal(containers_left(engine, task->job), 0);
    assert_int_equal(system_leftovers(curfew, task->job), 0);
}

static void test_under_its_worker(void **state)
{
    struct task task;
    UNUSED(state);
    start(&task);
    forget_start(task.container);
    engine_wait(engine);
    finish(&task);
}

static void test_with_its_worker_killed(void **state)
{
    struct task task;
    UNUSED(state);
    start(&task);
    system_kill(curfew, SYSTEM_WORKER, 0);
    forget_start(task.container);
    engine_wait(engine);
    system_restart(curfew, SYSTEM_WORKER, 0);
    finish(&task);
}

static void test_without_a_worker(void **state)
{
    struct task task;
    UNUSED(state);
    start(&task);
    system_kill(curfew, SYSTEM_WORKER, 0);
    forget_start(task.container);
    engine_wait(engine);
    system_stop(curfew, task.job);
    json_object_put(system_wait_closed_as(curfew, task.job, "stopped", WAIT_MS));
    expect_gone(&task);
    assert_int_equal(containers_left(engine, task.job), 0);
    assert_int_equal(system_leftovers(curfew, task.job), 0);
    system_restart(curfew, SYSTEM_WORKER, 0);
    system_wait_ready(curfew, 1);
}

static int set_up(void **state)
{
    UNUSED(state);
    engine = containers_engine_start_on_disk();
    curfew = system_start(&(struct system_plan){.engine = engine});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    return containers_end(curfew, engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_under_its_worker),
        cmocka_unit_test(test_with_its_worker_killed),
        cmocka_unit_test(test_without_a_worker),
    };
    return cmocka_run_group_tests_name("forgotten", tests, set_up, tear_down);
}
