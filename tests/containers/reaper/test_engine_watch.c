// A reaper at a real engine: it finishes what lost workers have there, removes what nobody wants, and touches nothing
// else.
#include "services/reaper/engine_watch.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/engine_labels.h"
#include "services/common/model/states.h"
#include "services/common/store/engine.h"
#include "services/common/store/wakes.h"
#include "services/reaper/engine_client.h"
#include "services/reaper/engine_thread.h"
#include "tests/support/engine.h"
#include "tests/support/pg.h"
#include "tests/support/process.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 30000
#define PATIENCE_MS 200

static struct engine *engine;
static struct pg *pg;
static struct db *db;
static struct engine_watch *watch;
static const char *conninfo;
static char *deployment, *engine_id;

static int set_up(void **state)
{
    UNUSED(state);
    engine = engine_start(NULL);
    pg = pg_start(0);
    engine_id = engine_docker_ok(engine, "info", "--format", "{{.ID}}", NULL);
    engine_id[strcspn(engine_id, "\n")] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    free(engine_id);
    pg_stop(pg);
    engine_stop(engine);
    return 0;
}

static struct engine_watch *watch_new(struct db *connection)
{
    struct err err = {0};
    struct engine_watch *made = NULL;
    const struct engine_watch_settings settings = {
        .url = engine_host(engine), .term_ms = 60000, .patience_ms = PATIENCE_MS, .limit = 100};
    assert_ok(engine_watch_new(&settings, connection, &made, &err), err);
    return made;
}

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_new(pg);
    db = store_db_again(conninfo);
    deployment = store_sql_text(db, "SELECT value FROM setting WHERE name = 'deployment'");
    watch = watch_new(db);
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    engine_watch_free(watch);
    db_close(db);
    free(deployment);
    char *all = engine_docker_ok(engine, "ps", "-aq", NULL);
    for (char *id = strtok(all, "\n"); id; id = strtok(NULL, "\n"))
        free(engine_docker_ok(engine, "rm", "-f", id, NULL));
    free(all);
    free(engine_docker_ok(engine, "network", "prune", "-f", NULL));
    return 0;
}

static int look(void)
{
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    struct err err = {0};
    int left = engine_watch_round(watch, &wakes, &err);
    assert_ok(left, err);
    return left;
}

static bool nothing_is_left(void *context)
{
    UNUSED(context);
    return look() == 0;
}

// A container with our labels that ends on TERM; free its id.
static void run_labelled(const char *name, const char *of, const char *identity)
{
    char with_deployment[128], with_identity[300];
    snprintf(with_deployment, sizeof with_deployment, "--label=" ENGINE_LABEL_DEPLOYMENT "=%s", of);
    snprintf(with_identity, sizeof with_identity, "--label=" ENGINE_LABEL_IDENTITY "=%s", identity);
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name", name, with_deployment, with_identity, ENGINE_IMAGE,
                          "sleep", "600", NULL));
}

static bool exists(const char *name)
{
    char *text AUTO_FREE = engine_docker(engine, "inspect", "--format", "{{.Id}}", name, NULL);
    return text != NULL;
}

// A job whose service and first tasks are at the engine, with worker w1.
static int64_t busy_job(int64_t *worker, char service[static 64], char task[static 64])
{
    char id[ID_TEXT_SIZE];
    *worker = store_worker(db, "w1");
    int64_t job = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    store_sql(db, "UPDATE worker SET engine = '%s'", engine_id);
    store_place(db, job, *worker);
    store_sql(db, "UPDATE instance SET runtime = 'docker', engine = '%s'", engine_id);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    store_claim(db, job, 0, 4, *worker);
    id_format('j', job, id);
    snprintf(service, 64, "%s/cache/1", id);
    snprintf(task, 64, "%s/main/2/%lld", id, (long long)store_sql(db, "SELECT token FROM slice WHERE state = 2"));
    return job;
}

static int64_t instance(const char *column)
{
    return store_sql(db, "SELECT coalesce(%s, -1) FROM instance", column);
}

static void lose_worker(int64_t job)
{
    store_settle(db, job, NULL, "UPDATE worker SET state = 4; UPDATE instance SET state = 10, failed = true");
}

static void test_a_live_worker_keeps_what_it_has(void **state)
{
    UNUSED(state);
    int64_t worker;
    char service[64], task[64];
    busy_job(&worker, service, task);
    run_labelled("service", deployment, service);
    run_labelled("task", deployment, task);
    for (int i = 0; i < 5; i++)
        assert_int_equal(look(), 0);
    assert_true(exists("service") && exists("task"));
    assert_int_equal(instance("state"), INSTANCE_READY);
}

static void test_work_of_a_lost_worker_is_finished(void **state)
{
    UNUSED(state);
    int64_t worker;
    char service[64], task[64];
    int64_t job = busy_job(&worker, service, task);
    run_labelled("service", deployment, service);
    run_labelled("task", deployment, task);
    look();
    lose_worker(job);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 1);
    assert_true(wait_until(nothing_is_left, NULL, WAIT_MS));
    assert_false(exists("service") || exists("task"));
    look();
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    assert_int_equal(instance("state"), INSTANCE_VERIFIED);
    assert_int_equal(instance("grade"), GRADE_VERIFIED);
    assert_int_equal(instance("exit_code"), 143);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM instance WHERE signals::json -> 0 ->> 'signal' = 'SIGTERM'"),
                     1);
    assert_int_equal(store_sql(db, "SELECT closed_at IS NOT NULL FROM job"), 1);
    store_check(db, job);
}

// It ignores TERM as PID 1 without an init does; its grace is its own.
static void test_who_ignores_term_is_killed(void **state)
{
    UNUSED(state);
    int64_t worker;
    char service[64], task[64], with_deployment[128], with_identity[300];
    int64_t job = busy_job(&worker, service, task);
    snprintf(with_deployment, sizeof with_deployment, "--label=" ENGINE_LABEL_DEPLOYMENT "=%s", deployment);
    snprintf(with_identity, sizeof with_identity, "--label=" ENGINE_LABEL_IDENTITY "=%s", service);
    free(engine_docker_ok(engine, "run", "-d", "--name=stubborn", "--stop-timeout=1", with_deployment, with_identity,
                          ENGINE_IMAGE, "sleep", "600", NULL));
    look();
    lose_worker(job);
    assert_true(wait_until(nothing_is_left, NULL, WAIT_MS));
    look();
    assert_int_equal(instance("state"), INSTANCE_VERIFIED);
    assert_int_equal(instance("exit_code"), 137);
    assert_int_equal(store_sql(db, "SELECT json_array_length(signals::json) FROM instance"), 2);
}

static void test_gone_without_anybodys_help(void **state)
{
    UNUSED(state);
    int64_t worker;
    char service[64], task[64];
    int64_t job = busy_job(&worker, service, task);
    lose_worker(job);
    look();
    assert_int_equal(instance("state"), INSTANCE_VERIFIED);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM slice WHERE state = 2"), 0);
    store_check(db, job);
}

static void test_orphans_go_and_strangers_stay(void **state)
{
    UNUSED(state);
    char with_deployment[128];
    snprintf(with_deployment, sizeof with_deployment, "--label=" ENGINE_LABEL_DEPLOYMENT "=%s", deployment);
    run_labelled("orphan", deployment, "j0cnv6bv2mqe4m/cache/1");
    run_labelled("nonsense", deployment, "what/is/this/and/that");
    run_labelled("neighbour", "anotherone", "j0cnv6bv2mqe4m/cache/1");
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name=stranger", ENGINE_IMAGE, "sleep", "600", NULL));
    free(engine_docker_ok(engine, "network", "create", with_deployment, "ours", NULL));
    free(engine_docker_ok(engine, "network", "create", "theirs", NULL));
    assert_int_equal(look(), 3); // seen once: nothing is done
    assert_true(exists("orphan") && exists("nonsense"));
    assert_true(wait_until(nothing_is_left, NULL, WAIT_MS));
    assert_false(exists("orphan") || exists("nonsense"));
    assert_true(exists("neighbour") && exists("stranger"));
    char *networks AUTO_FREE = engine_docker_ok(engine, "network", "ls", "--format", "{{.Name}}", NULL);
    assert_null(strstr(networks, "ours"));
    assert_non_null(strstr(networks, "theirs"));
}

static void test_a_restored_database_is_not_believed(void **state)
{
    UNUSED(state);
    for (int i = 0; i < ENGINE_GUARD_MIN; i++) {
        char name[32], identity[64];
        snprintf(name, sizeof name, "many-%d", i);
        snprintf(identity, sizeof identity, "j0cnv6bv2mqe4%d/cache/1", i + 1);
        run_labelled(name, deployment, identity);
    }
    int64_t until_ms = clock_boot_ms() + 3 * (int64_t)PATIENCE_MS;
    while (clock_boot_ms() < until_ms)
        assert_int_equal(look(), ENGINE_GUARD_MIN);
    assert_int_equal(store_sql(db, "SELECT orphans FROM engine WHERE refused"), ENGINE_GUARD_MIN);
    free(engine_docker_ok(engine, "rm", "-f", "many-0", NULL)); // somebody has looked into it
    assert_true(wait_until(nothing_is_left, NULL, WAIT_MS));
    assert_int_equal(store_sql(db, "SELECT count(*) FROM engine WHERE refused"), 0);
}

static void test_one_of_two_reapers_works(void **state)
{
    UNUSED(state);
    run_labelled("orphan", deployment, "j0cnv6bv2mqe4m/cache/1");
    assert_int_equal(look(), 1);
    struct db *other_db = store_db_again(conninfo);
    struct engine_watch *first = watch, *second = watch_new(other_db);
    watch = second;
    for (int i = 0; i < 3; i++)
        assert_int_equal(look(), 0);
    watch = first;
    assert_true(exists("orphan"));
    engine_watch_free(second);
    db_close(other_db);
    assert_true(wait_until(nothing_is_left, NULL, WAIT_MS));
}

static void test_says_what_is_wrong(void **state)
{
    UNUSED(state);
    struct engine_client *client = NULL;
    struct err err = {0};
    const char *id;
    assert_ok(engine_client_new("unix:/nowhere/docker.sock", &client, &err), err);
    assert_error(engine_client_hello(client, &id, &err), err, ERR_UNAVAILABLE, "no container engine at unix:/nowhere");
    engine_client_free(client);
}

static bool engine_is_down(void *context)
{
    UNUSED(context);
    char *text AUTO_FREE = engine_docker(engine, "ps", NULL);
    return text == NULL;
}

static bool orphan_is_gone(void *context)
{
    UNUSED(context);
    return !exists("orphan");
}

static void test_the_thread_outlives_its_engine(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct engine_thread *thread = NULL;
    const struct engine_watch_settings settings = {.url = engine_host(engine),
                                                   .database_url = conninfo,
                                                   .term_ms = 2000,
                                                   .patience_ms = PATIENCE_MS,
                                                   .limit = 100};
    run_labelled("orphan", deployment, "j0cnv6bv2mqe4m/cache/1");
    assert_true(engine_kill(engine, ENGINE_DOCKERD));
    assert_true(wait_until(engine_is_down, NULL, WAIT_MS));
    assert_ok(engine_thread_start(&settings, &thread, &err), err);
    engine_restart(engine);
    assert_true(wait_until(orphan_is_gone, NULL, WAIT_MS));
    engine_thread_stop(thread);
    engine_thread_stop(NULL);
}

static bool stubborn_is_gone(void *context)
{
    UNUSED(context);
    return !exists("stubborn");
}

// Two that share a short term do not take turns: each would begin patience and grace anew.
static void test_one_of_two_keeps_a_short_term(void **state)
{
    UNUSED(state);
    char with_deployment[128];
    struct err err = {0};
    struct engine_thread *threads[2] = {NULL, NULL};
    const struct engine_watch_settings settings = {.url = engine_host(engine),
                                                   .database_url = conninfo,
                                                   .term_ms = 1000,
                                                   .patience_ms = PATIENCE_MS,
                                                   .limit = 100};
    snprintf(with_deployment, sizeof with_deployment, "--label=" ENGINE_LABEL_DEPLOYMENT "=%s", deployment);
    free(engine_docker_ok(engine, "run", "-d", "--name=stubborn", "--stop-timeout=4", with_deployment,
                          "--label=" ENGINE_LABEL_IDENTITY "=j0cnv6bv2mqe4m/cache/1", ENGINE_IMAGE, "sleep", "600",
                          NULL));
    int64_t began_ms = clock_boot_ms();
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_ok(engine_thread_start(&settings, &threads[i], &err), err);
    bool is_gone = wait_until(stubborn_is_gone, NULL, WAIT_MS);
    print_message("gone after %lld ms\n", (long long)(clock_boot_ms() - began_ms));
    int64_t epoch = store_sql(db, "SELECT epoch FROM leader WHERE name LIKE 'engine/%%'");
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        engine_thread_stop(threads[i]);
    assert_true(is_gone);
    assert_in_range(epoch, 1,
                    3); // a machine that is busy for most of a term may have it change hands, but not every second
}

static void test_the_program_watches(void **state)
{
    UNUSED(state);
    char engine_setting[300], database_setting[512];
    snprintf(engine_setting, sizeof engine_setting, "--engine=%s", engine_host(engine));
    snprintf(database_setting, sizeof database_setting, "--database-url=%s", conninfo);
    const char *const argv[] = {program_path("curfew-reaper"), engine_setting, database_setting, "--patience=200ms",
                                NULL};
    run_labelled("orphan", deployment, "j0cnv6bv2mqe4m/cache/1");
    struct process *reaper = process_start(argv, NULL);
    assert_true(wait_until(orphan_is_gone, NULL, WAIT_MS));
    process_signal(reaper, SIGTERM);
    assert_int_equal(process_wait(reaper, WAIT_MS), 0);
    process_free(reaper);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM leader WHERE expires_at > clock_timestamp()"), 0); // given up
}

static void test_the_guard(void **state)
{
    UNUSED(state);
    assert_false(engine_guard_refuses(1, 1));
    assert_false(engine_guard_refuses(4, 4));
    assert_true(engine_guard_refuses(5, 5));
    assert_true(engine_guard_refuses(4, 7));
    assert_false(engine_guard_refuses(3, 6));
    assert_false(engine_guard_refuses(0, 100));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_guard),
        TEST(test_a_live_worker_keeps_what_it_has),
        TEST(test_work_of_a_lost_worker_is_finished),
        TEST(test_who_ignores_term_is_killed),
        TEST(test_gone_without_anybodys_help),
        TEST(test_orphans_go_and_strangers_stay),
        TEST(test_a_restored_database_is_not_believed),
        TEST(test_one_of_two_reapers_works),
        TEST(test_says_what_is_wrong),
        TEST(test_the_thread_outlives_its_engine),
        TEST(test_one_of_two_keeps_a_short_term),
        TEST(test_the_program_watches),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
