// A worker that was killed when it had just been registered: its next life asks without knowing what it was told.
#include "services/common/base/loop.h"
#include "services/common/http/client_async.h"
#include "services/worker/agent.h"
#include "tests/support/loop_test.h"
#include "tests/support/manager.h"
#include "tests/support/pg.h"
#include "tests/support/test.h"

#define WAIT_MS 60000 // less than a lease

struct life {
    struct loop *loop;
    struct http_async *http;
    struct agent *agent;
    int incarnation;
};

static int64_t asked; // on "disk"

static int on_register(void *context, int64_t *registrations, struct err *err)
{
    UNUSED(context);
    UNUSED(err);
    *registrations = ++asked;
    return 0;
}

static int on_registered(void *context, const struct agent_registered *registered, struct err *err)
{
    UNUSED(err);
    ((struct life *)context)->incarnation = registered->incarnation;
    return 0;
}

static void on_failed(void *context, const struct err *err)
{
    UNUSED(context);
    fail_msg("%s", err->text);
}

static bool is_registered(void *context)
{
    return ((struct life *)context)->incarnation > 0;
}

// Lives until it is registered, and notes nothing. Returns its incarnation.
static int live(const char *url)
{
    static const char *const queues[] = {"default", NULL};
    static const struct agent_events events = {
        .on_register = on_register, .on_registered = on_registered, .on_failed = on_failed};
    const struct http_client_settings client = {.base_url = url};
    const struct agent_settings settings = {.name = "w",
                                            .host = "h",
                                            .boot = "b",
                                            .queues_json = "[\"default\"]",
                                            .labels_json = "{}",
                                            .queues = queues,
                                            .slots = 1,
                                            .runtimes_json = "[\"process\"]",
                                            .owner = "0123456789abcdef"};
    struct life life = {0};
    struct err err = {0};
    assert_ok(loop_new(&life.loop, &err), err);
    assert_ok(http_async_new(life.loop, &client, 0, &life.http, &err), err);
    assert_ok(agent_new(life.loop, life.http, &settings, &events, &life, &life.agent, &err), err);
    agent_begin(life.agent, NULL);
    assert_true(loop_until(life.loop, is_registered, &life, WAIT_MS));
    agent_free(life.agent);
    http_async_free(life.http);
    loop_free(life.loop);
    return life.incarnation;
}

static void nobody_waits_for_a_lease(void **state)
{
    UNUSED(state);
    AUTO_PG struct pg *pg = pg_start(0);
    struct manager *manager = manager_start(pg_database_new(pg), manager_patient);
    assert_int_equal(live(manager_url(manager)), 1);
    assert_int_equal(live(manager_url(manager)), 2);
    assert_int_equal(asked, 2);
    manager_free(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_waits_for_a_lease)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
