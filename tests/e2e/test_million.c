// A job of a million tasks: accepted at once, never more than a few thousand rows, and no obstacle for a small job.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "tests/support/die.h"
#include "tests/support/puller.h"
#include "tests/support/system_calls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TASKS 1000000
#define SLICE 100
#define PULLERS 16
#define ROWS_MOST 5000
#define ACCEPT_MS 10000 // a row for each task would take longer
#define DRAIN_MS 240000
#define WAIT_MS 200
// How many slices of the big job may be granted between the small job's submission and its first task: each puller may
// be about to get one, twice.
#define SLICES_BETWEEN (4 * PULLERS)

struct drain {
    struct system *system;
    char big[SYSTEM_ID_SIZE];
    _Atomic int64_t granted;     // slices of the big job so far
    _Atomic int64_t tasks;       // tasks of it
    _Atomic int64_t small_at;    // `granted` when the small job was first granted; -1: not yet
    _Atomic int64_t small_at_ms; // when that was
    _Atomic int64_t small_tasks;
    _Atomic bool over;
};

struct puller_thread {
    struct drain *drain;
    int number;
    pthread_t thread;
};

static void note(struct drain *drain, const struct puller_grant *grant)
{
    if (strcmp(grant->job, drain->big) == 0) {
        drain->granted++;
        drain->tasks += grant->count;
        return;
    }
    int64_t none = -1;
    if (atomic_compare_exchange_strong(&drain->small_at, &none, drain->granted))
        drain->small_at_ms = clock_boot_ms();
    drain->small_tasks += grant->count;
}

static void *pull(void *context)
{
    struct puller_thread *self = context;
    struct drain *drain = self->drain;
    struct puller puller;
    struct puller_grant grants[8];
    char name[32];
    snprintf(name, sizeof(name), "outside-%d", self->number);
    puller_init(&puller, drain->system, 0, name, "big");
    while (!drain->over || puller.reports) {
        int64_t want = drain->over ? 0 : SLICE;
        int count = puller_turn(&puller, "big", want, WAIT_MS, grants, ARRAY_LEN(grants));
        for (int i = 0; i < count; i++)
            note(drain, &grants[i]);
    }
    puller_release(&puller);
    return NULL;
}

static void submit_small(struct drain *drain, char id[SYSTEM_ID_SIZE])
{
    system_submit(drain->system, id,
                  "{'name':'small','stages':[{'name':'few','mode':'pull','queue':'big',"
                  "'tasks':{'count':10}}]}");
}

// Watches the rows until the small job may be submitted, or both are done. Returns the most rows seen.
static int64_t watch(struct drain *drain, int64_t until_tasks)
{
    int64_t most = 0, deadline_ms = clock_boot_ms() + DRAIN_MS;
    while (drain->tasks < until_tasks) {
        int64_t rows = system_sql(drain->system, "SELECT count(*) FROM slice");
        most = MAX(most, rows);
        if (clock_boot_ms() > deadline_ms)
            die("only %lld tasks were granted in time", (long long)drain->tasks);
    }
    return most;
}

static void test_million(void **state)
{
    struct drain drain = {.system = *state, .small_at = -1};
    struct puller_thread threads[PULLERS];
    char small[SYSTEM_ID_SIZE];
    int64_t began_ms = clock_boot_ms();
    system_submit(drain.system, drain.big,
                  "{'name':'million','stages':[{'name':'many','mode':'pull','queue':'big',"
                  "'tasks':{'count':%d}}]}",
                  TASKS);
    int64_t accepted_ms = clock_boot_ms() - began_ms;
    print_message("accepted in %lld ms\n", (long long)accepted_ms);
    assert_true(accepted_ms < ACCEPT_MS);
    for (int i = 0; i < PULLERS; i++) {
        threads[i] = (struct puller_thread){.drain = &drain, .number = i};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, pull, &threads[i]), 0);
    }
    int64_t most = watch(&drain, TASKS / 10);
    int64_t small_began_ms = clock_boot_ms();
    submit_small(&drain, small);
    int64_t granted_then = drain.granted;
    most = MAX(most, watch(&drain, TASKS));
    json_object_put(system_wait_closed_as(drain.system, small, "succeeded", DRAIN_MS));
    AUTO_JSON_OBJECT struct json_object *job = system_wait_closed_as(drain.system, drain.big, "succeeded", DRAIN_MS);
    drain.over = true;
    for (int i = 0; i < PULLERS; i++)
        pthread_join(threads[i].thread, NULL);
    print_message("the small job's first task after %lld ms\n", (long long)(drain.small_at_ms - small_began_ms));
    print_message("drained in %lld ms, %lld rows at most, %lld slices before the small job\n",
                  (long long)(clock_boot_ms() - began_ms), (long long)most, (long long)(drain.small_at - granted_then));
    assert_int_equal(json_number_at(job, "/stages/0/succeeded"), TASKS);
    assert_int_equal(drain.tasks, TASKS);
    assert_int_equal(drain.small_tasks, 10);
    assert_in_range(most, 1, ROWS_MOST);
    assert_true(drain.small_at - granted_then <= SLICES_BETWEEN);
    // Neighbours that succeeded are merged: a finished job is a handful of rows.
    assert_in_range(system_sql(drain.system, "SELECT count(*) FROM slice"), 2, 50);
    assert_int_equal(system_violations(drain.system), 0);
}

static int set_up(void **state)
{
    *state = system_start(&(struct system_plan){.workers = -1, .patient = true});
    return 0;
}

static int tear_down(void **state)
{
    system_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_million)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
