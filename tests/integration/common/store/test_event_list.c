#include "services/common/store/event_list.h"

#include "services/common/db/db.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static void test_numbered_and_inserted_at_once(void **state)
{
    struct err err = {0};
    struct db *db = store_db_new(*state);
    AUTO_EVENT_LIST struct event_list events = EVENT_LIST_INIT;
    int first = 3, second = 0;
    assert_ok(event_list_insert(&events, db, &err), err); // nothing
    for (int i = 0; i < 40; i++)
        event_list_add(&events, 1, &first, "service.ready", "{\"n\":%d}", i);
    event_list_add(&events, 2, &second, "job.closed", "{}");
    assert_int_equal(first, 43);
    assert_int_equal(second, 1);
    assert_ok(event_list_insert(&events, db, &err), err);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM event WHERE job = 1 AND seq BETWEEN 4 AND 43"), 40);
    AUTO_FREE char *data = store_sql_text(db, "SELECT data FROM event WHERE job = 1 AND seq = 43");
    assert_string_equal(data, "{\"n\":39}");
    db_close(db);
}

static void test_too_long_is_an_error(void **state)
{
    struct err err = {0};
    struct db *db = store_db_new(*state);
    AUTO_EVENT_LIST struct event_list events = EVENT_LIST_INIT;
    int count = 0;
    event_list_add(&events, 1, &count, "job.closed", "%5000d", 1);
    assert_error(event_list_insert(&events, db, &err), err, ERR_NO_MEMORY, "events");
    db_close(db);
}

static int start(void **state)
{
    *state = pg_start(0);
    return 0;
}

static int stop(void **state)
{
    pg_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbered_and_inserted_at_once),
        cmocka_unit_test(test_too_long_is_an_error),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
