// The log of order, written by services and tasks themselves, over 200 jobs: no task starts before every service that
// its job declares is ready, services start in the order of depends_on, and stop in the reverse order after the last
// task.
#include "tests/support/test.h"

#include "services/common/base/fd.h"
#include "tests/support/system_calls.h"
#include "tests/support/temp_dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS 200
#define WINDOW 25 // so many at once
#define TASKS 3
#define WAIT_MS 120000

static struct system *curfew;
static char *directory;

// What one job wrote, as times; 0: never.
struct order {
    int64_t a_up, a_ready, a_down, b_up, b_ready, b_down, c_ready, c_down;
    int64_t first_begin, last_end;
    int begins, ends;
};

static void submit(int number, char id[SYSTEM_ID_SIZE])
{
    // b depends on a; c on none.
#define SERVICE(name, more)                                                                            \
    "{'name':'" name "','command':['@stamp@','%s/%d','service','" name "'],'ports':[{'name':'main'}]," \
    "'env':{'PORT':'${PORT}'},'ready':{'tcp':'main','interval':'20ms','deadline':'10m'}" more "}"
    system_submit(
        curfew, id,
        "{'name':'order','services':[" SERVICE("b", ",'depends_on':['a']") "," SERVICE("a", "") "," SERVICE(
            "c", "") "],"
                     "'command':['sh','-c','@stamp@ %s/%d begin task && @stamp@ %s/%d end task'],'tasks':{'count':%d}}",
        directory, number, directory, number, directory, number, directory, number, directory, number, TASKS);
}

static void note(struct order *order, int64_t at, const char *what, const char *who)
{
    struct {
        const char *what, *who;
        int64_t *at;
    } const places[] = {
        {"up", "a", &order->a_up},       {"ready", "a", &order->a_ready}, {"down", "a", &order->a_down},
        {"up", "b", &order->b_up},       {"ready", "b", &order->b_ready}, {"down", "b", &order->b_down},
        {"ready", "c", &order->c_ready}, {"down", "c", &order->c_down},
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (strcmp(places[i].what, what) == 0 && strcmp(places[i].who, who) == 0)
            *places[i].at = at;
    }
    if (strcmp(what, "begin") == 0) {
        order->first_begin = order->begins++ == 0 ? at : MIN(order->first_begin, at);
    } else if (strcmp(what, "end") == 0) {
        order->last_end = MAX(order->last_end, at);
        order->ends++;
    }
}

static struct order read_order(int number)
{
    char path[256], what[16], who[16];
    struct order order = {0};
    int64_t at;
    snprintf(path, sizeof(path), "%s/%d", directory, number);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fscanf(file, "%" SCNd64 " %15s %15s", &at, what, who) == 3)
        note(&order, at, what, who);
    fclose(file);
    return order;
}

static void check(int number, const char *id)
{
    struct order order = read_order(number);
    if (order.begins != TASKS || order.ends != TASKS) {
        system_explain(curfew, id);
        fail_msg("%d tasks began and %d ended in job %s", order.begins, order.ends, id);
    }
    assert_true(order.a_ready > 0 && order.b_ready > 0 && order.c_ready > 0);
    assert_true(order.a_ready < order.b_up);
    assert_true(order.a_ready < order.first_begin && order.b_ready < order.first_begin &&
                order.c_ready < order.first_begin);
    assert_true(order.last_end < order.b_down && order.last_end < order.c_down);
    assert_true(order.b_down < order.a_down);
}

static void test_order(void **state)
{
    static char ids[JOBS][SYSTEM_ID_SIZE];
    UNUSED(state);
    for (int i = 0; i < JOBS + WINDOW; i++) {
        if (i >= WINDOW) {
            json_object_put(system_wait_closed_as(curfew, ids[i - WINDOW], "succeeded", WAIT_MS));
            assert_int_equal(system_leftovers(curfew, ids[i - WINDOW]), 0);
            check(i - WINDOW, ids[i - WINDOW]);
        }
        if (i < JOBS)
            submit(i, ids[i]);
    }
    assert_int_equal(system_violations(curfew), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    directory = temp_dir_new();
    curfew = system_start(&(struct system_plan){.workers = 2, .patient = true});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    system_free(curfew);
    temp_dir_free(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
