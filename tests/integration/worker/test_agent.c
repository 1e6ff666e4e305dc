// The agent against a real manager, with a runtime that does what the test says: registration, polls and reports, what
// happens when the incarnation is over, when the manager hangs, and when it is killed with a report under way.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/loop.h"
#include "services/common/base/macros.h"
#include "services/common/db/db.h"
#include "services/common/http/client_async.h"
#include "services/worker/agent.h"
#include "services/worker/logs.h"
#include "services/worker/services.h"
#include "services/worker/survivors.h"
#include "services/worker/tasks.h"
#include "services/worker/workspace.h"
#include "tests/support/contract_proxy.h"
#include "tests/support/loop_test.h"
#include "tests/support/manager.h"
#include "tests/support/pg.h"
#include "tests/support/runtime_scripted.h"
#include "tests/support/store_db.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 60000
#define ONE_TASK "{\"name\":\"one\",\"command\":[\"true\"],\"retries\":{\"max\":3,\"backoff\":\"10ms\"}}"

static struct pg *pg;

struct worker {
    struct manager *manager;
    struct contract_proxy *proxy; // before it
    struct db *db;
    char *directory;
    struct loop *loop;
    struct http_async *http;
    struct runtime *runtime;
    struct workspaces *workspaces;
    struct logs *logs;
    struct tasks *tasks;
    struct services *services;
    struct agent *agent;
    struct survivors *survivors; // NULL: no former life
    int64_t id;
    int incarnation;
    int registrations;
    const char *line; // of the runtime's log, for saw()
    char *job;
};

static void on_done(void *context, const struct slice_outcome *outcome)
{
    agent_slice_done(((struct worker *)context)->agent, outcome);
}

static void on_look(void *context)
{
    agent_look(((struct worker *)context)->agent);
}

static void on_observation(void *context, const struct observation *observation)
{
    agent_observed(((struct worker *)context)->agent, observation);
}

static int on_registered(void *context, const struct agent_registered *registered, struct err *err)
{
    struct worker *worker = context;
    assert_true(registered->worker > 0 && registered->incarnation > 0);
    UNUSED(err);
    assert_true(*registered->deployment);
    worker->id = registered->worker;
    worker->incarnation = registered->incarnation;
    if (worker->registrations++ == 0)
        agent_attach(worker->agent, worker->runtime, worker->tasks, worker->services, worker->logs);
    if (worker->survivors)
        survivors_settle(worker->survivors, worker->services, worker->tasks, &registered->survivors);
    return 0;
}

static void on_failed(void *context, const struct err *err)
{
    UNUSED(context);
    fail_msg("%s", err->text);
}

static void make_parts(struct worker *worker)
{
    const struct http_client_settings client = {.base_url = contract_proxy_url(worker->proxy)};
    const struct logs_settings log_settings = {.head_bytes = 1 << 20, .tail_bytes = 4096, .total_bytes = 1 << 22};
    const struct tasks_settings task_settings = {.slots = 1, .deployment = "test"};
    const struct tasks_events task_events = {.on_done = on_done, .on_capacity = on_look};
    const struct services_settings service_settings = {
        .advertise = "127.0.0.1", .deployment = "test", .stuck_after_ms = 1000, .most = 4};
    const struct services_events service_events = {.on_observation = on_observation};
    struct err err = {0};
    assert_ok(loop_new(&worker->loop, &err), err);
    assert_ok(http_async_new(worker->loop, &client, 0, &worker->http, &err), err);
    worker->runtime = runtime_scripted_new();
    assert_ok(workspaces_new(worker->loop, worker->http, worker->directory, &worker->workspaces, &err), err);
    assert_ok(logs_new(&log_settings, &worker->logs, &err), err);
    logs_on_pending(worker->logs, on_look, worker);
    assert_ok(tasks_new(worker->loop, worker->runtime, worker->workspaces, worker->logs, &task_settings, &task_events,
                        worker, &worker->tasks, &err),
              err);
    assert_ok(services_new(worker->loop, worker->runtime, worker->workspaces, worker->logs, worker->http,
                           &service_settings, &service_events, worker, &worker->services, &err),
              err);
}

static void make_agent(struct worker *worker)
{
    static const char *const queues[] = {"default", NULL};
    const struct agent_settings agent_settings = {.name = "w",
                                                  .host = "h",
                                                  .boot = "b",
                                                  .queues_json = "[\"default\"]",
                                                  .labels_json = "{}",
                                                  .queues = queues,
                                                  .slots = 1,
                                                  .runtimes_json = "[\"docker\"]",
                                                  .engine = "E",
                                                  .former_worker = worker->id,
                                                  .former_incarnation = worker->incarnation};
    static const struct agent_events events = {.on_registered = on_registered, .on_failed = on_failed};
    struct err err = {0};
    assert_ok(agent_new(worker->loop, worker->http, &agent_settings, &events, worker, &worker->agent, &err), err);
}

static struct worker *worker_start(const char *const settings[])
{
    struct worker *worker = calloc(1, sizeof *worker);
    const char *conninfo = pg_database_new(pg);
    worker->manager = manager_start(conninfo, settings);
    worker->proxy = contract_proxy_start(manager_url(worker->manager));
    worker->db = store_db_again(conninfo);
    worker->directory = temp_dir_new();
    make_parts(worker);
    make_agent(worker);
    agent_begin(worker->agent, NULL);
    return worker;
}

static void free_parts(struct worker *worker)
{
    agent_free(worker->agent);
    survivors_free(worker->survivors);
    services_free(worker->services);
    tasks_free(worker->tasks);
    workspaces_free(worker->workspaces);
    logs_free(worker->logs);
    runtime_free(worker->runtime);
    http_async_free(worker->http);
    loop_free(worker->loop);
}

static void worker_free(struct worker *worker)
{
    free_parts(worker);
    db_close(worker->db);
    assert_true(contract_proxy_end(worker->proxy) > 0);
    manager_free(worker->manager);
    temp_dir_free(worker->directory);
    free(worker->job);
    free(worker);
}

// ---- what is waited for

static bool has_started(void *context)
{
    return runtime_scripted_count(((struct worker *)context)->runtime) > 0;
}

static bool has_registered_again(void *context)
{
    return ((struct worker *)context)->registrations >= 2;
}

static bool saw(void *context)
{
    return runtime_scripted_saw(((struct worker *)context)->runtime, ((struct worker *)context)->line);
}

static bool has_succeeded(void *context)
{
    return store_sql(((struct worker *)context)->db, "SELECT count(*) FROM job WHERE outcome = 0") == 1;
}

static bool is_held_by_nobody(void *context)
{
    return store_sql(((struct worker *)context)->db, "SELECT count(*) FROM slice WHERE state = 2") == 0;
}

static bool is_drained(void *context)
{
    return agent_is_drained(((struct worker *)context)->agent);
}

// The identity of the task's process, behind `before`: the token in it is known from the database.
static void name_task(struct worker *worker, const char *before, char out[160])
{
    AUTO_FREE char *token = store_sql_text(worker->db, "SELECT coalesce(max(token), 0) FROM slice WHERE state = 2");
    snprintf(out, 160, "%s%s/main/0/%s", before, worker->job, token);
}

static struct runtime_instance *find_running(struct worker *worker)
{
    char identity[160];
    name_task(worker, "", identity);
    return runtime_scripted_find(worker->runtime, identity);
}

static struct runtime_instance *running(struct worker *worker)
{
    struct runtime_instance *instance = find_running(worker);
    if (!instance)
        fail_msg("nothing runs: %s", runtime_scripted_log(worker->runtime));
    return instance;
}

static void start_task(struct worker *worker)
{
    worker->job = manager_submit(worker->manager, ONE_TASK);
    assert_true(loop_until(worker->loop, has_started, worker, WAIT_MS));
}

static void end_task(struct runtime_instance *instance)
{
    runtime_scripted_exited(instance, 0, 0);
    runtime_scripted_gone(instance, RUNTIME_EXITED);
}

// ---- tests

static void a_task_is_pulled_run_and_reported(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    start_task(worker);
    struct runtime_instance *instance = running(worker);
    assert_string_equal(runtime_scripted_argument(instance, 0), "true");
    assert_string_equal(runtime_scripted_env(instance, "CURFEW_JOB"), worker->job);
    end_task(instance);
    assert_true(loop_until(worker->loop, has_succeeded, worker, WAIT_MS));
    assert_int_equal(worker->registrations, 1);
    worker_free(worker);
}

static void an_incarnation_that_is_over_ends_everything_first(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    start_task(worker);
    struct runtime_instance *instance = running(worker);
    char kill_line[160];
    name_task(worker, "kill ", kill_line);
    store_sql(worker->db, "UPDATE worker SET incarnation = incarnation + 1, state = 4");
    manager_kill(worker->manager); // it remembers whom it has renewed; another one does not
    manager_restart(worker->manager);
    worker->line = kill_line;
    assert_true(loop_until(worker->loop, saw, worker, WAIT_MS));
    loop_for(worker->loop, 300);
    assert_int_equal(worker->registrations, 1); // not while something of it runs
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    assert_true(loop_until(worker->loop, has_registered_again, worker, WAIT_MS));
    worker_free(worker);
}

static const char *const short_lease[] = {"--worker-lease=3s", "--worker-fence=1500ms", "--worker-poll=500ms",
                                          "--worker-skew=500ms", NULL};

// Ends what runs; with so short a lease a machine that is busy may have it begun again.
static bool has_succeeded_at_last(void *context)
{
    struct runtime_instance *instance = find_running(context);
    if (instance)
        end_task(instance);
    return has_succeeded(context);
}

static void a_manager_that_hangs_makes_it_fence_itself(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(short_lease);
    start_task(worker);
    struct runtime_instance *instance = running(worker);
    char kill_line[160];
    name_task(worker, "kill ", kill_line);
    kill(manager_pid(worker->manager), SIGSTOP);
    worker->line = kill_line;
    assert_true(loop_until(worker->loop, saw, worker, WAIT_MS));
    runtime_scripted_gone(instance, RUNTIME_STOPPED);
    runtime_scripted_forget(worker->runtime);
    kill(manager_pid(worker->manager), SIGCONT);
    assert_true(loop_until(worker->loop, has_succeeded_at_last, worker, WAIT_MS)); // given back, and run again
    worker_free(worker);
}

static void a_report_goes_again_until_it_has_arrived(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    start_task(worker);
    struct runtime_instance *instance = running(worker);
    manager_kill(worker->manager);
    end_task(instance);
    loop_for(worker->loop, 500);
    manager_restart(worker->manager);
    assert_true(loop_until(worker->loop, has_succeeded, worker, WAIT_MS));
    assert_int_equal(store_sql(worker->db, "SELECT attempt FROM slice"), 1);
    worker_free(worker);
}

static void what_it_does_not_hold_is_given_back(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    start_task(worker);
    // as if a grant had been lost on its way: leased to it, and it has never heard of it
    store_sql(worker->db, "UPDATE slice SET token = token + 1000 WHERE state = 2");
    assert_true(loop_until(worker->loop, is_held_by_nobody, worker, WAIT_MS));
    worker_free(worker);
}

static void a_drain_takes_nothing_new(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    start_task(worker);
    struct runtime_instance *instance = running(worker);
    agent_drain(worker->agent);
    tasks_hand_back(worker->tasks);
    free(manager_submit(worker->manager, "{\"name\":\"two\",\"command\":[\"true\"]}"));
    assert_false(agent_is_drained(worker->agent));
    end_task(instance);
    assert_true(loop_until(worker->loop, has_succeeded, worker, WAIT_MS));
    assert_true(loop_until(worker->loop, is_drained, worker, WAIT_MS));
    loop_for(worker->loop, 300);
    assert_int_equal(runtime_scripted_count(worker->runtime), 0);
    worker_free(worker);
}

static void a_drain_without_a_manager_ends_with_the_lease(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(short_lease);
    start_task(worker);
    struct runtime_instance *instance = running(worker);
    manager_kill(worker->manager);
    end_task(instance);
    agent_drain(worker->agent);
    assert_false(agent_is_drained(worker->agent)); // there is a report to bring
    assert_true(loop_until(worker->loop, is_drained, worker, WAIT_MS));
    worker_free(worker);
}

// ---- another life

static void on_survivor_gone(void *context)
{
    agent_holds_less(((struct worker *)context)->agent);
}

// It dies, without a word to anybody, and comes back to what is still at its engine; tasks have begun at `begun_ms`.
static void live_again(struct worker *worker, const char *const identities[], int64_t begun_ms)
{
    struct err err = {0};
    free_parts(worker);
    make_parts(worker);
    worker->registrations = 0;
    assert_ok(survivors_new(worker->runtime, on_survivor_gone, worker, &worker->survivors, &err), err);
    for (size_t i = 0; identities[i]; i++)
        assert_ok(survivors_add(worker->survivors, identities[i], begun_ms, &err), err);
    make_agent(worker);
    agent_begin(worker->agent, worker->survivors);
}

static bool has_two(void *context)
{
    return runtime_scripted_count(((struct worker *)context)->runtime) == 2;
}

static bool has_adopted(void *context)
{
    struct worker *worker = context;
    return store_sql(worker->db, "SELECT count(*) FROM instance WHERE state = 3 AND NOT adopt AND incarnation = 2") ==
           1;
}

static bool is_leased_anew(void *context)
{
    struct worker *worker = context;
    return runtime_scripted_count(worker->runtime) == 2 &&
           store_sql(worker->db, "SELECT count(*) FROM slice WHERE state = 2 AND token > 1") == 1;
}

static bool is_closed(void *context)
{
    return store_sql(((struct worker *)context)->db, "SELECT count(*) FROM job WHERE closed_at IS NOT NULL") == 1;
}

static void await_line(struct worker *worker, const char *line)
{
    worker->line = line;
    if (!loop_until(worker->loop, saw, worker, WAIT_MS))
        fail_msg("no '%s': %s", line, runtime_scripted_log(worker->runtime));
}

static void what_outlives_it_goes_on(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    char cache[64], gone[64], task[128], line[160];
    worker->job = manager_submit(worker->manager, "{\"name\":\"one\",\"command\":[\"true\"],\"services\":[{\"name\":"
                                                  "\"cache\",\"command\":[\"cache\"]}]}");
    assert_true(loop_until(worker->loop, has_started, worker, WAIT_MS));
    snprintf(cache, sizeof cache, "%s/cache/1", worker->job);
    snprintf(gone, sizeof gone, "%s/gone/7", worker->job);
    runtime_scripted_started(runtime_scripted_find(worker->runtime, cache), 100);
    assert_true(loop_until(worker->loop, has_two, worker, WAIT_MS));
    AUTO_FREE char *token = store_sql_text(worker->db, "SELECT token FROM slice WHERE state = 2");
    snprintf(task, sizeof task, "%s/main/0/%s", worker->job, token);
    live_again(worker, (const char *const[]){cache, task, gone, NULL}, 0);
    snprintf(line, sizeof line, "kill %s", task);
    await_line(worker, line);
    snprintf(line, sizeof line, "adopt %s", cache);
    await_line(worker, line);
    snprintf(line, sizeof line, "inspect %s", gone);
    await_line(worker, line); // unknown to the manager: looked for, to be ended
    runtime_scripted_started(runtime_scripted_find(worker->runtime, cache), 100);
    runtime_scripted_inspected(worker->runtime, 0);
    assert_true(loop_until(worker->loop, has_adopted, worker, WAIT_MS));
    // its task is not given to anybody before it is gone
    assert_int_equal(store_sql(worker->db, "SELECT count(*) FROM slice WHERE state = 2 AND token = %s", token), 1);
    runtime_scripted_gone(runtime_scripted_find(worker->runtime, task), RUNTIME_STOPPED);
    assert_true(loop_until(worker->loop, is_leased_anew, worker, WAIT_MS));
    assert_int_equal(store_sql(worker->db, "SELECT failures FROM slice"), 0);
    end_task(running(worker));
    snprintf(line, sizeof line, "stop %s -1", cache);
    await_line(worker, line);
    end_task(runtime_scripted_find(worker->runtime, cache));
    runtime_scripted_inspected(worker->runtime, 0);
    assert_true(loop_until(worker->loop, is_closed, worker, WAIT_MS));
    assert_int_equal(
        store_sql(worker->db, "SELECT count(*) FROM instance WHERE epoch = 1 AND NOT failed AND state = 11"), 1);
    worker_free(worker);
}

static void a_task_that_outlives_it_is_reported(void **state)
{
    UNUSED(state);
    struct worker *worker = worker_start(NULL);
    char task[160], line[192];
    start_task(worker);
    running(worker);
    name_task(worker, "", task);
    live_again(worker, (const char *const[]){task, NULL}, clock_boot_ms());
    snprintf(line, sizeof line, "adopt_task %s", task);
    await_line(worker, line);
    end_task(runtime_scripted_find(worker->runtime, task));
    assert_true(loop_until(worker->loop, is_closed, worker, WAIT_MS));
    assert_int_equal(store_sql(worker->db, "SELECT count(*) FROM slice WHERE state = 4 AND attempt = 1"), 1);
    assert_int_equal(store_sql(worker->db, "SELECT incarnation FROM worker"), 2);
    worker_free(worker);
}

static int setup(void **state)
{
    UNUSED(state);
    pg = pg_start(0);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    pg_stop(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_pulled_run_and_reported),
        cmocka_unit_test(an_incarnation_that_is_over_ends_everything_first),
        cmocka_unit_test(a_manager_that_hangs_makes_it_fence_itself),
        cmocka_unit_test(a_report_goes_again_until_it_has_arrived),
        cmocka_unit_test(what_it_does_not_hold_is_given_back),
        cmocka_unit_test(a_drain_takes_nothing_new),
        cmocka_unit_test(a_drain_without_a_manager_ends_with_the_lease),
        cmocka_unit_test(what_outlives_it_goes_on),
        cmocka_unit_test(a_task_that_outlives_it_is_reported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
