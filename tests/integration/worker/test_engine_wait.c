// Before a worker begins: its engine is waited for when a former life had it, and that life's lease is kept meanwhile
// by a real manager; until the incarnation is over, or the worker registers.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/db/db.h"
#include "services/common/http/client_async.h"
#include "services/worker/engine_wait.h"
#include "services/worker/lease_keeper.h"
#include "services/worker/state.h"
#include "tests/support/contract_proxy.h"
#include "tests/support/fake_worker.h"
#include "tests/support/loop_test.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"

#include <stdlib.h>

#define WAIT_MS 60000
#define LEASE_MS 1000

static size_t told; // replies that were held against the API's document
static struct pg *pg;

struct waiting {
    struct manager *manager;
    struct contract_proxy *proxy; // before it
    struct db *db;
    struct fake_worker former;
    struct loop *loop;
    struct http_async *http;
    struct engine_wait *wait;
    bool is_over, failed;
    int64_t lease_until_ms; // database time, for outlived()
};

static int64_t lease_ms(struct waiting *waiting)
{
    return store_sql(waiting->db, "SELECT (extract(epoch FROM lease_until) * 1000)::bigint FROM worker");
}

static void on_over(void *context, const struct err *error)
{
    struct waiting *waiting = context;
    assert_false(waiting->is_over);
    waiting->is_over = true;
    waiting->failed = error != NULL;
}

static void on_works_again(void *context)
{
    UNUSED(context);
    fail_msg("there is no engine that could work");
}

static struct waiting *wait_start(bool had_engine)
{
    static const char *const settings[] = {"--worker-lease=1s", "--worker-fence=600ms", "--worker-skew=100ms",
                                           "--worker-poll=200ms", NULL};
    const struct engine_wait_events events = {.over = on_over, .works_again = on_works_again};
    struct waiting *waiting = calloc(1, sizeof *waiting);
    struct err err = {0};
    const char *conninfo = pg_database_new(pg);
    waiting->manager = manager_start(conninfo, settings);
    waiting->proxy = contract_proxy_start(manager_url(waiting->manager));
    waiting->db = store_db_again(conninfo);
    fake_worker_init(&waiting->former, waiting->manager, "w");
    const struct http_client_settings client = {.base_url = contract_proxy_url(waiting->proxy)};
    const struct state state = {.had_engine = had_engine,
                                .former_worker = waiting->former.id,
                                .former_incarnation = waiting->former.incarnation};
    assert_ok(loop_new(&waiting->loop, &err), err);
    assert_ok(http_async_new(waiting->loop, &client, 0, &waiting->http, &err), err);
    const struct engine_wait_settings own = {
        .loop = waiting->loop, .http = waiting->http, .url = "unix:/none/none.sock", .state = &state};
    waiting->lease_until_ms = lease_ms(waiting);
    assert_ok(engine_wait_start(&own, &events, waiting, &waiting->wait, &err), err);
    assert_false(waiting->is_over);
    return waiting;
}

static void wait_end(struct waiting *waiting)
{
    engine_wait_free(waiting->wait);
    http_async_free(waiting->http);
    loop_free(waiting->loop);
    fake_worker_release(&waiting->former);
    db_close(waiting->db);
    told += contract_proxy_end(waiting->proxy);
    manager_free(waiting->manager);
    free(waiting);
}

// The lease would have been over three times.
static bool outlived(void *context)
{
    struct waiting *waiting = context;
    return lease_ms(waiting) > waiting->lease_until_ms + 3 * LEASE_MS;
}

static bool is_over(void *context)
{
    struct waiting *waiting = context;
    return store_sql(waiting->db, "SELECT (lease_until < clock_timestamp())::int FROM worker") == 1;
}

static bool is_asking(void *context)
{
    return http_async_in_flight(((struct waiting *)context)->http) > 0;
}

static bool has_an_answer(void *context)
{
    return !is_asking(context);
}

static void a_lease_is_kept_until_the_worker_registers(void **state)
{
    UNUSED(state);
    struct waiting *waiting = wait_start(true);
    assert_true(loop_until(waiting->loop, outlived, waiting, WAIT_MS));
    manager_kill(waiting->manager); // which is gone for a moment
    loop_for(waiting->loop, LEASE_MS / 3);
    manager_restart(waiting->manager);
    waiting->lease_until_ms = lease_ms(waiting);
    assert_true(loop_until(waiting->loop, outlived, waiting, WAIT_MS));
    assert_false(waiting->is_over);
    assert_int_equal(store_sql(waiting->db, "SELECT incarnation FROM worker"), waiting->former.incarnation);
    engine_wait_registers(waiting->wait);
    engine_wait_registers(waiting->wait);
    assert_true(loop_until(waiting->loop, is_over, waiting, WAIT_MS)); // nobody keeps it any more
    wait_end(waiting);
}

static void nothing_is_kept_of_an_incarnation_that_is_over(void **state)
{
    UNUSED(state);
    struct waiting *waiting = wait_start(false);
    struct lease_keeper *keeper;
    struct err err = {0};
    int64_t former = waiting->former.id;
    assert_ok(lease_keeper_start(waiting->loop, waiting->http, former, waiting->former.incarnation + 1, &keeper, &err),
              err);
    assert_true(loop_until(waiting->loop, is_asking, waiting, WAIT_MS));
    assert_true(loop_until(waiting->loop, has_an_answer, waiting, WAIT_MS));
    loop_for(waiting->loop, LEASE_MS);
    assert_int_equal(http_async_in_flight(waiting->http), 0);
    assert_int_equal(lease_ms(waiting), waiting->lease_until_ms);
    lease_keeper_free(keeper);
    lease_keeper_free(NULL);
    wait_end(waiting);
}

static void who_had_no_engine_waits_for_none(void **state)
{
    UNUSED(state);
    struct waiting *waiting = wait_start(false);
    assert_true(loop_until_set(waiting->loop, &waiting->is_over, WAIT_MS));
    assert_true(waiting->failed);
    assert_int_equal(lease_ms(waiting), waiting->lease_until_ms);
    engine_wait_registers(NULL);
    wait_end(waiting);
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
    return told > 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_kept_until_the_worker_registers),
        cmocka_unit_test(nothing_is_kept_of_an_incarnation_that_is_over),
        cmocka_unit_test(who_had_no_engine_waits_for_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
