// Who is taken for the next life of a worker, when replies were lost.
#include "services/common/store/workers.h"

#include "services/common/db/db.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

static struct pg *pg;

static int start(void **state)
{
    UNUSED(state);
    pg = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    UNUSED(state);
    pg_stop(pg);
    return 0;
}

static const struct {
    const char *what, *host, *owner; // owner: NULL: it does not say
    int64_t registrations;
    bool knows; // who it was
    int expected, incarnation;
} cases[] = {
    {"the first", "host", "a", 1, false, REGISTER_DONE, 1},
    {"its repetition", "host", "a", 2, false, REGISTER_DONE, 2},
    {"the same, late", "host", "a", 2, false, REGISTER_NAME_TAKEN, 2},
    {"an older one, late", "host", "a", 1, false, REGISTER_NAME_TAKEN, 2},
    {"from elsewhere", "host", "b", 9, false, REGISTER_NAME_TAKEN, 2},
    {"from another host", "host2", "a", 9, false, REGISTER_NAME_TAKEN, 2},
    {"it does not say from where", "host", NULL, 9, false, REGISTER_NAME_TAKEN, 2},
    {"again", "host", "a", 5, false, REGISTER_DONE, 3},
    {"it knows who it was", "host", NULL, 0, true, REGISTER_DONE, 4},
    {"which is nobody's now", "host", "a", 9, false, REGISTER_NAME_TAKEN, 4},
};

static void lost_replies(void **state)
{
    UNUSED(state);
    AUTO_DB struct db *db = store_db_new(pg);
    static const char *const runtimes[] = {"process"}, *const queues[] = {"default"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct worker_registered registered;
        AUTO_WAKES struct wakes wakes = WAKES_INIT;
        const struct worker_registration registration = {
            .name = "w1",
            .host = cases[i].host,
            .boot = "boot",
            .runtimes = runtimes,
            .runtime_count = 1,
            .queues = queues,
            .queue_count = 1,
            .labels = "{}",
            .slots = 1,
            .former_worker = cases[i].knows ? store_sql(db, "SELECT id FROM worker") : 0,
            .former_incarnation = cases[i].knows ? (int)store_sql(db, "SELECT incarnation FROM worker") : 0,
            .owner = cases[i].owner,
            .registrations = cases[i].registrations,
        };
        int outcome = workers_register(db, &registration, 30000, &registered, &wakes, &err);
        assert_ok(outcome, err);
        if (outcome != cases[i].expected)
            fail_msg("%s", cases[i].what);
        assert_int_equal(store_sql(db, "SELECT incarnation FROM worker"), cases[i].incarnation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lost_replies)};
    return cmocka_run_group_tests(tests, start, stop);
}
