#include "services/common/db/listen.h"

#include "services/common/base/clock.h"
#include "services/common/db/notifier.h"
#include "tests/support/db_test.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static const char *conninfo;
static struct strbuf heard; // items, each with a semicolon behind it
static int heard_count;

static int fresh(void **state)
{
    UNUSED(state);
    conninfo = pg_database_empty(test_pg);
    strbuf_release(&heard);
    heard_count = 0;
    return 0;
}

static int done(void **state)
{
    UNUSED(state);
    strbuf_release(&heard);
    return 0;
}

static void hear(void *context, const char *item)
{
    assert_ptr_equal(context, &heard);
    heard_count++;
    strbuf_add_format(&heard, "%s;", item);
}

static int wait_for(struct listen *listen, int64_t timeout_ms, int wake_fd)
{
    struct err err = {0};
    int outcome = listen_wait(listen, timeout_ms, wake_fd, hear, &heard, &err);
    assert_ok(outcome, err);
    return outcome;
}

// Passes over LISTEN_DOWN and LISTEN_TIMEOUT.
static int wait_for_something(struct listen *listen)
{
    int64_t deadline_ms = clock_boot_ms() + PATIENCE_MS;
    int outcome;
    do
        outcome = wait_for(listen, 1000, -1);
    while ((outcome == LISTEN_DOWN || outcome == LISTEN_TIMEOUT) && clock_boot_ms() < deadline_ms);
    return outcome;
}

static struct listen *open_listen(void)
{
    struct err err = {0};
    struct listen *listen = NULL;
    assert_ok(listen_open(conninfo, "wake", &listen, &err), err);
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_MISSED);
    return listen;
}

static struct notifier *open_notifier(int64_t interval_ms)
{
    struct err err = {0};
    struct notifier *notifier = NULL;
    assert_ok(notifier_open(conninfo, "wake", interval_ms, &notifier, &err), err);
    return notifier;
}

static void hears_what_is_sent(void **state)
{
    UNUSED(state);
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier AUTO_NOTIFIER = open_notifier(0);
    notifier_send(notifier, "queue default");
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_NOTIFIED);
    assert_string_equal(strbuf_text(&heard), "queue default;");
    assert_int_equal(wait_for(listen, 0, -1), LISTEN_TIMEOUT);
}

static void other_channels_are_not_heard(void **state)
{
    UNUSED(state);
    struct listen *listen AUTO_LISTEN = open_listen();
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    db_test_sql(db, "NOTIFY other, 'x'; NOTIFY wake, 'y'");
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_NOTIFIED);
    assert_string_equal(strbuf_text(&heard), "y;");
}

static void a_descriptor_wakes_it(void **state)
{
    UNUSED(state);
    int ends[2];
    struct listen *listen AUTO_LISTEN = open_listen();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(wait_for(listen, 0, ends[0]), LISTEN_TIMEOUT);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(wait_for(listen, -1, ends[0]), LISTEN_WOKEN);
    close(ends[0]);
    close(ends[1]);
}

static void items_are_merged_and_all_arrive(void **state)
{
    UNUSED(state);
    enum { ITEMS = 900 };
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier = open_notifier(600 * 1000); // what there is at first, and the rest when it is closed
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < ITEMS; i++) {
            char item[32];
            snprintf(item, sizeof item, "item number %d", i);
            notifier_send(notifier, item);
        }
    notifier_send(notifier, "the last one");
    notifier_close(notifier);
    while (!strstr(strbuf_text(&heard), "the last one;"))
        assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_NOTIFIED);
    assert_in_range(heard_count, ITEMS + 1, 2 * ITEMS + 1); // not 5: equal ones that waited were sent once
    assert_non_null(strstr(strbuf_text(&heard), "item number 0;"));
    assert_non_null(strstr(strbuf_text(&heard), "item number 899;"));
}

static void too_much_becomes_everything(void **state)
{
    UNUSED(state);
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier AUTO_NOTIFIER = open_notifier(0);
    char text[NOTIFIER_ITEM_MAX + 2] = {0};
    memset(text, 'x', sizeof text - 1);
    notifier_send(notifier, text);
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_MISSED);
    assert_int_equal(heard_count, 0);
}

static void closing_sends_what_waits(void **state)
{
    UNUSED(state);
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier = open_notifier(60000);
    notifier_send(notifier, "first");
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_NOTIFIED);
    notifier_send(notifier, "second");
    notifier_close(notifier);
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_NOTIFIED);
    assert_string_equal(strbuf_text(&heard), "first;second;");
    notifier_close(NULL);
    listen_close(NULL);
}

static void *send_many(void *context)
{
    for (int i = 0; i < 1000; i++)
        notifier_send(context, "same");
    return NULL;
}

static void many_threads_send(void **state)
{
    UNUSED(state);
    pthread_t threads[4];
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier AUTO_NOTIFIER = open_notifier(1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, notifier), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wait_for(listen, PATIENCE_MS, -1), LISTEN_NOTIFIED);
    assert_in_range(heard_count, 1, 4000);
}

static int64_t backend_of(struct db *db, const char *application)
{
    char sql[160];
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity"
             " WHERE datname = current_database() AND application_name = '%s'",
             application);
    return db_test_i64(db, sql);
}

static void a_lost_connection_is_replaced_and_reported(void **state)
{
    UNUSED(state);
    struct db *db AUTO_DB = db_test_open(conninfo, NULL, 0);
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier AUTO_NOTIFIER = open_notifier(0);
    db_test_terminate(backend_of(db, "curfew listen"));
    assert_int_equal(wait_for_something(listen), LISTEN_MISSED);
    notifier_send(notifier, "after");
    assert_int_equal(wait_for_something(listen), LISTEN_NOTIFIED);
    assert_string_equal(strbuf_text(&heard), "after;");
    db_test_terminate(backend_of(db, "curfew notify"));
    notifier_send(notifier, "again"); // sent on a new connection, or replaced by everything
    int outcome = wait_for_something(listen);
    assert_true(outcome == LISTEN_NOTIFIED || outcome == LISTEN_MISSED);
}

static void a_database_that_is_away_is_reported(void **state)
{
    UNUSED(state);
    int ends[2];
    struct err err = {0};
    struct listen *listen AUTO_LISTEN = open_listen();
    struct notifier *notifier AUTO_NOTIFIER = open_notifier(0);
    assert_int_equal(pipe(ends), 0);
    pg_kill(test_pg);
    assert_int_equal(listen_wait(listen, PATIENCE_MS, -1, hear, &heard, &err), LISTEN_DOWN);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    notifier_send(notifier, "lost");
    assert_int_equal(wait_for(listen, 0, -1), LISTEN_DOWN);
    assert_int_equal(write(ends[1], "x", 1), 1);
    for (int i = 0; i < 3; i++) { // down or, while the backoff lasts, woken
        int outcome = wait_for(listen, PATIENCE_MS, ends[0]);
        assert_true(outcome == LISTEN_DOWN || outcome == LISTEN_WOKEN);
    }
    pg_restart(test_pg);
    assert_int_equal(wait_for_something(listen), LISTEN_MISSED); // connected again
    int64_t deadline_ms = clock_boot_ms() + PATIENCE_MS;
    while (!strstr(strbuf_text(&heard), "back;") && clock_boot_ms() < deadline_ms) {
        notifier_send(notifier, "back"); // merged into everything while the sender is still away
        assert_int_not_equal(wait_for(listen, 200, -1), LISTEN_DOWN);
    }
    assert_non_null(strstr(strbuf_text(&heard), "back;"));
    assert_null(strstr(strbuf_text(&heard), "lost;"));
    close(ends[0]);
    close(ends[1]);
}

static void wrong_channels_are_refused(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct listen *listen = NULL;
    struct notifier *notifier = NULL;
    static const char *const wrong[] = {
        "", "Upper", "with space", "1st", "semi;colon", "quote\"", "a234567890b234567890c234567890d234567890e2345678"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_error(listen_open(conninfo, wrong[i], &listen, &err), err, ERR_INVALID, "channel");
        assert_error(notifier_open(conninfo, wrong[i], 0, &notifier, &err), err, ERR_INVALID, "channel");
    }
    assert_error(listen_open("not conninfo", "wake", &listen, &err), err, ERR_INVALID, "connection string");
    assert_error(notifier_open("not conninfo", "wake", 0, &notifier, &err), err, ERR_INVALID, "connection string");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hears_what_is_sent),
        TEST(other_channels_are_not_heard),
        TEST(a_descriptor_wakes_it),
        TEST(items_are_merged_and_all_arrive),
        TEST(too_much_becomes_everything),
        TEST(closing_sends_what_waits),
        TEST(many_threads_send),
        TEST(a_lost_connection_is_replaced_and_reported),
        TEST(a_database_that_is_away_is_reported),
        TEST(wrong_channels_are_refused),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
