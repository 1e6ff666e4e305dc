#include "services/common/store/hot_runs.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct hot_runs *runs;
static struct arena *arena;

static int setup(void **state)
{
    UNUSED(state);
    struct err err = {0};
    arena = arena_new(0);
    return arena && hot_runs_new(&runs, &err) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    UNUSED(state);
    hot_runs_free(runs);
    arena_free(arena);
    return 0;
}

static void they_are_copied(void **state)
{
    UNUSED(state);
    char name[] = "count", run[] = "{}";
    struct hot_run given = {.has_items = true, .name = name, .run = run};
    hot_runs_remember(runs, 1, 2, &given);
    name[0] = run[0] = '?';
    const struct hot_run *found = hot_runs_recall(runs, 1, 2, arena);
    assert_non_null(found);
    assert_string_equal(found->name, "count");
    assert_string_equal(found->run, "{}");
    assert_null(found->bundle);
    assert_null(found->traceparent);
    assert_true(found->has_items);
    assert_false(found->has_services);
    assert_null(hot_runs_recall(runs, 1, 3, arena));
    assert_null(hot_runs_recall(runs, 2, 2, arena));
}

static void remember_long(int64_t job)
{
    static char run[100000];
    memset(run, 'x', sizeof run - 1);
    hot_runs_remember(runs, job, 0, &(struct hot_run){.name = "long", .run = run});
}

// What was recalled stays, whatever becomes of the memory.
static void the_longest_unused_go(void **state)
{
    UNUSED(state);
    hot_runs_remember(runs, 1, 0, &(struct hot_run){.name = "first", .bundle = "b", .traceparent = "t"});
    const struct hot_run *first = hot_runs_recall(runs, 1, 0, arena);
    for (int64_t job = 2; job < 500; job++)
        remember_long(job);
    assert_null(hot_runs_recall(runs, 1, 0, arena));
    assert_null(hot_runs_recall(runs, 2, 0, arena));
    assert_non_null(hot_runs_recall(runs, 499, 0, arena));
    assert_string_equal(first->name, "first");
    assert_string_equal(first->bundle, "b");
    assert_string_equal(first->traceparent, "t");
}

#define THREADS 4
#define TURNS 2000

// Each remembers and recalls the same stages.
static void *use(void *context)
{
    AUTO_ARENA struct arena *own = arena_new(0);
    char name[32];
    for (int64_t i = 0; own && i < TURNS; i++) {
        snprintf(name, sizeof name, "stage %lld", (long long)(i % 50));
        hot_runs_remember(runs, i % 50, 0, &(struct hot_run){.name = name});
        const struct hot_run *found = hot_runs_recall(runs, i % 50, 0, own);
        if (!found || strcmp(found->name, name) != 0)
            return context;
    }
    return own ? NULL : context;
}

static void threads_share_them(void **state)
{
    UNUSED(state);
    pthread_t threads[THREADS];
    int wrong = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, threads), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *outcome;
        pthread_join(threads[i], &outcome);
        wrong += outcome != NULL;
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_unused_go, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_them, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
