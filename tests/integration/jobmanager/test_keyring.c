// What a manager knows of the tokens, whatever becomes of its database.
#include "services/jobmanager/keyring.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "services/common/store/tokens.h"
#include "tests/support/db_test.h"
#include "tests/support/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const char *database;
static struct db *db;

static struct keyring *start(const char *own, bool required, int64_t refresh_ms, int64_t stale_ms)
{
    struct keyring_settings settings = {
        .database_url = database, .token = own, .required = required, .refresh_ms = refresh_ms, .stale_ms = stale_ms};
    struct keyring *keyring = NULL;
    struct err err = {0};
    assert_ok(keyring_start(&settings, &keyring, &err), err);
    return keyring;
}

static int64_t add(const char *text, enum role role, int64_t lifetime_ms)
{
    unsigned char digest[SHA256_SIZE];
    struct err err = {0};
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;
    assert_ok(token_digest(text, digest, &err), err);
    struct token_addition token = {
        .id = id_new(), .digest = digest, .name = "some", .role = role, .lifetime_ms = lifetime_ms};
    assert_ok(token_add(db, &token, NULL, &shown, &err), err);
    return token.id;
}

struct wanted {
    struct keyring *keyring;
    const char *text;
    enum key_verdict verdict;
};

static bool is_so(void *context)
{
    struct wanted *wanted = context;
    struct key key;
    return keyring_check(wanted->keyring, wanted->text, &key, NULL) == (int)wanted->verdict;
}

static void assert_becomes(struct keyring *keyring, const char *text, enum key_verdict verdict)
{
    struct wanted wanted = {keyring, text, verdict};
    if (!wait_until(is_so, &wanted, 60000))
        fail_msg("'%s' does not come to %d", text, (int)verdict);
}

static void without_tokens_none_is_required_until_there_is_one(void **state)
{
    UNUSED(state);
    struct keyring *open = start(NULL, false, 20, 0), *closed = start(NULL, true, 20, 0);
    struct key key;
    assert_false(keyring_required(open));
    assert_true(keyring_required(closed));
    assert_false(keyring_has_admin(closed));
    assert_int_equal(keyring_check(open, "anything", &key, NULL), KEY_UNKNOWN);
    int64_t id = add("first", ROLE_ADMIN, 0);
    assert_becomes(open, "first", KEY_GOOD);
    assert_true(keyring_required(open));
    assert_true(keyring_has_admin(open));
    assert_true(keyring_holds(open, id));
    assert_true(keyring_holds(open, 0));
    assert_int_equal(token_revoke(db, id, NULL, NULL), 1);
    assert_becomes(open, "first", KEY_REVOKED);
    assert_true(keyring_required(open));
    assert_false(keyring_has_admin(open));
    assert_false(keyring_holds(open, id));
    keyring_stop(open);
    keyring_stop(closed);
    // A manager that starts now knows that there was one.
    struct keyring *later = start(NULL, false, 20, 0);
    assert_true(keyring_required(later));
    keyring_stop(later);
}

static void a_look_up_says_whose_it_is_and_when_it_is_over(void **state)
{
    UNUSED(state);
    struct keyring *keyring = start("own", false, 20, 0);
    struct key key = {0};
    struct err err = {0};
    assert_int_equal(keyring_check(keyring, "own", &key, &err), KEY_GOOD);
    assert_int_equal(key.id, 0);
    assert_int_equal(key.role, ROLE_ADMIN);
    assert_string_equal(key.name, KEY_OF_SETTINGS);
    int64_t id = add("for an hour", ROLE_WORKER, 3600 * 1000);
    add("for a moment", ROLE_WORKER, 300);
    assert_ok(keyring_refresh(keyring, db, &err), err);
    assert_int_equal(keyring_check(keyring, "for an hour", &key, &err), KEY_GOOD);
    assert_int_equal(key.id, id);
    assert_int_equal(key.role, ROLE_WORKER);
    assert_string_equal(key.name, "some");
    assert_becomes(keyring, "for a moment", KEY_EXPIRED);
    static const char *const near[] = {"ow", "own ", "Own", "", "for a momen", "for a moment."};
    for (size_t i = 0; i < ARRAY_LEN(near); i++)
        assert_int_equal(keyring_check(keyring, near[i], &key, &err), KEY_UNKNOWN);
    keyring_stop(keyring);
}

static void a_database_that_is_away_is_borne_for_a_while(void **state)
{
    UNUSED(state);
    struct keyring *patient = start("own", false, 50, 600 * 1000), *keyring = start("own", false, 50, 1000);
    struct key key;
    struct err err = {0};
    add("stays", ROLE_VIEWER, 0);
    assert_ok(keyring_refresh(patient, db, &err), err);
    assert_ok(keyring_refresh(keyring, db, &err), err);
    pg_kill(test_pg);
    assert_becomes(keyring, "stays", KEY_UNCHECKED);
    assert_int_equal(keyring_check(keyring, "never was", &key, &err), KEY_UNCHECKED);
    assert_int_equal(keyring_check(keyring, "own", &key, &err), KEY_GOOD);
    assert_int_equal(keyring_check(patient, "stays", &key, &err), KEY_GOOD);
    pg_restart(test_pg);
    assert_becomes(keyring, "stays", KEY_GOOD);
    assert_becomes(keyring, "never was", KEY_UNKNOWN);
    keyring_stop(keyring);
    keyring_stop(patient);
}

// ---- many at once

struct looker {
    struct keyring *keyring;
    _Atomic bool *stop;
    int wrong;
};

static void *look(void *context)
{
    struct looker *looker = context;
    struct key key;
    while (!atomic_load(looker->stop))
        looker->wrong += keyring_check(looker->keyring, "steady", &key, NULL) != KEY_GOOD || key.role != ROLE_SUBMITTER;
    return NULL;
}

static void look_ups_go_on_while_tokens_change(void **state)
{
    UNUSED(state);
    struct keyring *keyring = start(NULL, true, 1, 60000);
    struct err err = {0};
    pthread_t threads[2];
    _Atomic bool stop = false;
    struct looker lookers[2];
    add("steady", ROLE_SUBMITTER, 0);
    assert_ok(keyring_refresh(keyring, db, &err), err);
    for (size_t i = 0; i < 2; i++) {
        lookers[i] = (struct looker){.keyring = keyring, .stop = &stop};
        pthread_create(&threads[i], NULL, look, &lookers[i]);
    }
    for (int i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof(text), "other %d", i);
        add(text, ROLE_VIEWER, 0);
        assert_ok(keyring_refresh(keyring, db, &err), err);
        struct key key;
        assert_int_equal(keyring_check(keyring, text, &key, &err), KEY_GOOD);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(lookers[i].wrong, 0);
    }
    keyring_stop(keyring);
}

static int fresh(void **state)
{
    UNUSED(state);
    database = pg_database_new(test_pg);
    db = db_test_open(database, store_statements, STATEMENT_COUNT);
    return 0;
}

static int drop(void **state)
{
    UNUSED(state);
    db_close(db);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_tokens_none_is_required_until_there_is_one, fresh, drop),
        cmocka_unit_test_setup_teardown(a_look_up_says_whose_it_is_and_when_it_is_over, fresh, drop),
        cmocka_unit_test_setup_teardown(a_database_that_is_away_is_borne_for_a_while, fresh, drop),
        cmocka_unit_test_setup_teardown(look_ups_go_on_while_tokens_change, fresh, drop),
    };
    return cmocka_run_group_tests(tests, db_test_start, db_test_stop);
}
