// Tokens in the database: what is kept of them, and what managers are given.
#include "services/common/store/tokens.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct token_addition addition(const unsigned char *digest, const char *name, enum role role, int64_t lifetime)
{
    return (struct token_addition){
        .id = id_new(), .digest = digest, .name = name, .role = role, .by = "boss", .lifetime_ms = lifetime};
}

static void made_loaded_and_revoked(void **state)
{
    struct db *db = store_db_new(*state);
    struct err err = {0};
    unsigned char one[SHA256_SIZE] = {1}, two[SHA256_SIZE] = {2};
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;
    struct token_addition viewer = addition(one, "dash", ROLE_VIEWER, 0);
    struct token_addition worker = addition(two, "w", ROLE_WORKER, 3600000);
    viewer.space = "team-a";
    viewer.limits = &(struct quota){{5, QUOTA_DEFAULT, 0, INT64_C(1) << 40}};
    struct token_entry *entries = NULL;
    assert_int_equal(tokens_load(db, &entries, &err), 0);
    free(entries);
    assert_ok(token_add(db, &viewer, "the text", &shown, &err), err);
    AUTO_STRBUF struct strbuf read = STRBUF_INIT;
    assert_ok(token_read(db, viewer.id, "the text", &read, &err), err);
    assert_string_equal(strbuf_text(&shown), strbuf_text(&read));
    assert_ok(token_add(db, &worker, NULL, &shown, &err), err);
    assert_int_equal(tokens_load(db, &entries, &err), 2);
    assert_int_equal(entries[0].id, worker.id);
    assert_memory_equal(entries[0].digest, two, SHA256_SIZE);
    assert_string_equal(entries[0].name, "w");
    assert_int_equal(entries[0].role, ROLE_WORKER);
    assert_true(entries[0].expires_in_ms > 3500000 && entries[0].expires_in_ms <= 3600000);
    assert_true(entries[1].expires_in_ms == INT64_MAX && !entries[1].revoked);
    assert_true(entries[0].first == worker.id && entries[1].first == viewer.id);
    assert_string_equal(entries[0].space, "");
    assert_string_equal(entries[1].space, "team-a");
    assert_memory_equal(&entries[1].limits, viewer.limits, sizeof(struct quota));
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        assert_int_equal(entries[0].limits.of[kind], QUOTA_DEFAULT);
    free(entries);
    assert_int_equal(token_revoke(db, worker.id, "boss", &err), 1);
    assert_int_equal(token_revoke(db, worker.id, "other", &err), 0);
    assert_error(token_revoke(db, 5, "boss", &err), err, ERR_NOT_FOUND, "does not exist");
    assert_int_equal(store_sql(db, "SELECT count(*) FROM token WHERE revoked_by = 'boss'"), 1);
    assert_int_equal(tokens_load(db, &entries, &err), 2);
    assert_int_equal(entries[0].id, viewer.id); // valid ones come first
    assert_true(entries[1].revoked);
    free(entries);
    db_close(db);
}

static void listed_in_pages(void **state)
{
    struct db *db = store_db_new(*state);
    struct err err = {0};
    AUTO_STRBUF struct strbuf all = STRBUF_INIT, first = STRBUF_INIT, second = STRBUF_INIT, one = STRBUF_INIT;
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;
    int64_t ids[3];
    for (unsigned char i = 0; i < 3; i++) {
        unsigned char digest[SHA256_SIZE] = {i};
        struct token_addition token = addition(digest, "ci", ROLE_SUBMITTER, i == 1 ? 1 : 0);
        assert_ok(token_add(db, &token, NULL, &shown, &err), err);
        ids[i] = token.id;
    }
    store_sql(db, "UPDATE token SET expires_at = expires_at - interval '1 h'");
    assert_ok(tokens_read(db, NULL, 2, &first, &err), err);
    char newest[ID_TEXT_SIZE], middle[ID_TEXT_SIZE], next[40];
    id_format('t', ids[2], newest);
    id_format('t', ids[1], middle);
    snprintf(next, sizeof(next), "\"next\":\"%s\"", middle);
    assert_non_null(strstr(strbuf_text(&first), newest));
    assert_non_null(strstr(strbuf_text(&first), "\"state\":\"expired\""));
    assert_non_null(strstr(strbuf_text(&first), next));
    assert_ok(tokens_read(db, middle, 2, &second, &err), err);
    assert_null(strstr(strbuf_text(&second), newest));
    assert_non_null(strstr(strbuf_text(&second), "\"next\":null"));
    assert_error(tokens_read(db, "zz", 2, &all, &err), err, ERR_INVALID, "is not one of ours");
    assert_ok(token_read(db, ids[0], "curfew_text", &one, &err), err);
    assert_non_null(strstr(strbuf_text(&one),
                           "\"token\":\"curfew_text\",\"name\":\"ci\",\"role\":\"submitter\",\"namespace\":null,"
                           "\"state\":\"valid\""));
    assert_non_null(strstr(strbuf_text(&one), "\"max_jobs\":null"));
    assert_error(token_read(db, 5, NULL, &one, &err), err, ERR_NOT_FOUND, "does not exist");
    db_close(db);
}

static void there_are_not_too_many(void **state)
{
    struct db *db = store_db_new(*state);
    struct err err = {0};
    unsigned char digest[SHA256_SIZE] = {9};
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;
    store_sql(db,
              "INSERT INTO token (id, digest, name, role) "
              "SELECT i, sha256(i::text::bytea), 'many', 'viewer' FROM generate_series(1, %d) i",
              TOKENS_VALID_MAX);
    struct token_addition token = addition(digest, "more", ROLE_VIEWER, 0);
    assert_error(token_add(db, &token, NULL, &shown, &err), err, ERR_CONFLICT, "revoke some");
    assert_int_equal(token_revoke(db, 7, NULL, &err), 1);
    assert_ok(token_add(db, &token, NULL, &shown, &err), err);
    db_close(db);
}

static int setup(void **state)
{
    *state = pg_start(0);
    return 0;
}

static int teardown(void **state)
{
    pg_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_loaded_and_revoked),
        cmocka_unit_test(listed_in_pages),
        cmocka_unit_test(there_are_not_too_many),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
