// Quotas of tokens where jobs are recorded: by lanes, several at once, and by a retry.
#include "services/common/store/quotas.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/control.h"
#include "services/common/store/tokens.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LANES 3
#define BATCH 7
#define ROUNDS 8
#define LIMIT 20

static int64_t token_new(struct db *db, const char *name, const char *space)
{
    static unsigned char number;
    struct err err = {0};
    unsigned char digest[SHA256_SIZE] = {++number};
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;
    struct token_addition token = {
        .id = id_new(), .digest = digest, .name = name, .role = ROLE_SUBMITTER, .space = space};
    assert_ok(token_add(db, &token, NULL, &shown, &err), err);
    return token.id;
}

static struct job_spec *spec_of(const char *json, struct job_spec *spec)
{
    struct err err = {0};
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    AUTO_FREE char *text = strdup(json);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_ok(job_spec_parse(text, strlen(text), spec, &faults, &err), err);
    return spec;
}

// Submits one; 0 or the error's code.
static int submit(const struct quota_holder *by, const char *key, const char *json, struct err *err)
{
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    struct submit_operation operation = {
        .spec = spec_of(json, &spec), .idempotency_key = key, .fingerprint = "f", .by = *by, .job = id_new()};
    struct submit_operation *pointer = &operation;
    assert_ok(hot_run(lane.hot, &pointer, 1, NULL, 0, &lane.wakes, err), *err);
    *err = operation.err;
    return operation.failed ? (int)operation.err.code : 0;
}

#define JOB "{'name': 'a', 'mode': 'pull', 'tasks': {'count': 10}}"
#define SERVICES                                                                            \
    "{'name': 'a', 'command': ['x'], 'services': [{'name': 'c', 'command': ['x'], 'ready':" \
    " {'exec': ['true']}}]}"

static void each_limit_is_kept(void **state)
{
    UNUSED(state);
    struct err err;
    struct quota limits = {{[QUOTA_JOBS] = 2}};
    struct quota_holder by = {token_new(lane.db, "ci", NULL), "ci", &limits};
    struct quota_holder other = {token_new(lane.db, "other", NULL), "other", &limits};
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    assert_int_equal(submit(&by, NULL, JOB, &err), ERR_LIMIT);
    assert_string_equal(err.text, "token 'ci' may have 2 open jobs (max_jobs), and has 2");
    assert_int_equal(submit(&other, NULL, JOB, &err), 0); // others do not notice
    limits = (struct quota){{[QUOTA_TASKS] = 25}};
    assert_int_equal(submit(&by, NULL, JOB, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "(max_tasks), and has 20"));
    assert_int_equal(submit(&by, NULL, "{'name': 'a', 'mode': 'pull', 'tasks': {'count': 26}}", &err), ERR_TOO_LARGE);
    limits = (struct quota){{[QUOTA_SERVICES] = 1}};
    assert_int_equal(submit(&by, NULL, SERVICES, &err), 0);
    assert_int_equal(submit(&by, NULL, SERVICES, &err), ERR_LIMIT);
    assert_int_equal(submit(&by, NULL, JOB, &err), 0); // wants none
    limits = (struct quota){{[QUOTA_LOG_BYTES] = 1000}};
    store_sql(lane.db, "UPDATE job SET log_bytes = 1000 WHERE id = (SELECT min(id) FROM job WHERE owner = %lld)",
              (long long)other.token);
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    assert_int_equal(submit(&other, NULL, JOB, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "(max_log_bytes), and has 1000"));
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job"), 6);
}

static void what_is_closed_makes_room(void **state)
{
    UNUSED(state);
    struct err err;
    struct quota limits = {{[QUOTA_JOBS] = 1}};
    struct quota_holder by = {token_new(lane.db, "ci", NULL), "ci", &limits};
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    assert_int_equal(submit(&by, NULL, JOB, &err), ERR_LIMIT);
    int64_t job = store_sql(lane.db, "SELECT id FROM job");
    assert_int_equal(control_stop(lane.db, job, NULL, &lane.wakes, &err), CONTROL_DONE);
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    assert_int_equal(submit(&by, NULL, JOB, &err), ERR_LIMIT);
}

// A reply that was lost is asked for again: the job is there, whatever the quota says now.
static void a_known_key_is_no_new_job(void **state)
{
    UNUSED(state);
    struct err err;
    struct quota limits = {{[QUOTA_JOBS] = 2}};
    struct quota_holder by = {token_new(lane.db, "ci", NULL), "ci", &limits};
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    assert_int_equal(submit(&by, "k", JOB, &err), 0);
    assert_int_equal(submit(&by, "k", JOB, &err), 0);
    struct submit_operation operations[5], *pointers[5];
    static const char *const keys[] = {"k", "new", "new", "late", NULL};
    spec_of(JOB, &spec);
    for (int i = 0; i < 5; i++) {
        operations[i] = (struct submit_operation){
            .spec = &spec, .idempotency_key = keys[i], .fingerprint = "f", .by = by, .job = id_new()};
        pointers[i] = &operations[i];
    }
    assert_ok(hot_run(lane.hot, pointers, 5, NULL, 0, &lane.wakes, &err), err);
    assert_true(!operations[0].failed && !operations[0].created);
    assert_true(!operations[1].failed && operations[1].created);
    assert_true(!operations[2].failed && !operations[2].created && operations[2].job == operations[1].job);
    for (int i = 3; i < 5; i++)
        assert_true(operations[i].failed && operations[i].err.code == ERR_LIMIT);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job"), 2);
}

static void a_retry_counts(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int64_t retried;
    struct quota limits = {{[QUOTA_JOBS] = 1}};
    struct quota_holder by = {token_new(lane.db, "ci", NULL), "ci", &limits};
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    int64_t job = store_sql(lane.db, "SELECT id FROM job");
    assert_int_equal(control_stop(lane.db, job, NULL, &lane.wakes, &err), CONTROL_DONE);
    assert_int_equal(submit(&by, NULL, JOB, &err), 0);
    assert_error(control_retry(lane.db, job, id_new(), &by, &retried, &lane.wakes, &err), err, ERR_LIMIT, "max_jobs");
    limits.of[QUOTA_JOBS] = 2;
    limits.of[QUOTA_TASKS] = 19;
    assert_error(control_retry(lane.db, job, id_new(), &by, &retried, &lane.wakes, &err), err, ERR_LIMIT, "max_tasks");
    limits.of[QUOTA_TASKS] = 20;
    assert_int_equal(control_retry(lane.db, job, id_new(), &by, &retried, &lane.wakes, &err), CONTROL_CREATED);
    assert_int_equal(store_sql(lane.db, "SELECT count(*) FROM job WHERE owner = %lld", (long long)by.token), 3);
    assert_int_equal(control_retry(lane.db, job, id_new(), &by, &retried, &lane.wakes, &err), CONTROL_UNCHANGED);
}

static void a_successor_goes_on_with_what_there_is(void **state)
{
    UNUSED(state);
    struct err err;
    int64_t retried;
    struct quota limits = {{[QUOTA_JOBS] = 2}};
    struct quota_holder old = {token_new(lane.db, "ci", NULL), "ci", &limits};
    struct quota_holder fresh = {token_new(lane.db, "ci", NULL), "ci", &limits};
    struct quota_holder elsewhere = {token_new(lane.db, "ci", "team-a"), "ci", &limits};
    assert_int_equal(submit(&old, NULL, JOB, &err), 0);
    assert_int_equal(submit(&fresh, NULL, JOB, &err), 0);
    assert_int_equal(submit(&old, NULL, JOB, &err), ERR_LIMIT);
    assert_int_equal(token_revoke(lane.db, old.token, "boss", &err), 1);
    assert_int_equal(submit(&fresh, NULL, JOB, &err), ERR_LIMIT);
    assert_string_equal(err.text, "token 'ci' may have 2 open jobs (max_jobs), and has 2");
    assert_int_equal(submit(&elsewhere, NULL, JOB, &err), 0); // its name is the same in another namespace
    int64_t job = store_sql(lane.db, "SELECT id FROM job WHERE owner = %lld", (long long)old.token);
    assert_int_equal(control_stop(lane.db, job, NULL, &lane.wakes, &err), CONTROL_DONE);
    assert_int_equal(control_retry(lane.db, job, id_new(), &fresh, &retried, &lane.wakes, &err), CONTROL_CREATED);
    assert_int_equal(submit(&fresh, NULL, JOB, &err), ERR_LIMIT);
    limits = (struct quota){{[QUOTA_LOG_BYTES] = 1000}};
    store_sql(lane.db, "UPDATE job SET log_bytes = 1000 WHERE owner = %lld", (long long)old.token);
    assert_int_equal(submit(&fresh, NULL, JOB, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "(max_log_bytes), and has 1000"));
}

static void two_tokens_of_one_in_a_batch(void **state)
{
    UNUSED(state);
    struct err err;
    struct quota limits = {{[QUOTA_JOBS] = 3}};
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    struct submit_operation operations[6], *pointers[6];
    int64_t tokens[] = {token_new(lane.db, "ci", NULL), token_new(lane.db, "ci", NULL)};
    spec_of(JOB, &spec);
    for (int i = 0; i < 6; i++) {
        operations[i] = (struct submit_operation){
            .spec = &spec, .fingerprint = "f", .by = {tokens[i % 2], "ci", &limits}, .job = id_new()};
        pointers[i] = &operations[i];
    }
    assert_ok(hot_run(lane.hot, pointers, 6, NULL, 0, &lane.wakes, &err), err);
    for (int i = 0; i < 6; i++)
        assert_int_equal(operations[i].created, i < 3);
}

// ---- lanes side by side: threads do not assert, they note what went wrong

struct side {
    struct hot_lane lane;
    const struct job_spec *spec;
    struct quota_holder by;
    int created, refused;
    char problem[300];
};

static void *submit_much(void *context)
{
    struct side *side = context;
    struct err err = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct submit_operation operations[BATCH], *pointers[BATCH];
        for (int i = 0; i < BATCH; i++) {
            operations[i] =
                (struct submit_operation){.spec = side->spec, .fingerprint = "f", .by = side->by, .job = id_new()};
            pointers[i] = &operations[i];
        }
        if (hot_run(side->lane.hot, pointers, BATCH, NULL, 0, &side->lane.wakes, &err) < 0) {
            snprintf(side->problem, sizeof side->problem, "%s", err.text);
            return NULL;
        }
        for (int i = 0; i < BATCH; i++) {
            side->created += operations[i].created;
            side->refused += operations[i].failed && operations[i].err.code == ERR_LIMIT;
        }
    }
    return NULL;
}

static void many_at_once_are_not_more_than_one_by_one(void **state)
{
    UNUSED(state);
    static struct side sides[LANES];
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    struct quota limits = {{[QUOTA_JOBS] = LIMIT}};
    pthread_t threads[LANES];
    int created = 0, refused = 0;
    const char *conninfo = pg_database_new(hot_pg);
    spec_of(JOB, &spec);
    for (int i = 0; i < LANES; i++)
        sides[i] = (struct side){.lane = hot_lane_open(conninfo), .spec = &spec};
    for (int i = 0; i < LANES; i++) {
        sides[i].by = (struct quota_holder){token_new(sides[0].lane.db, "ci", NULL), "ci", &limits};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_much, &sides[i]), 0);
    }
    for (int i = 0; i < LANES; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(sides[i].problem, "");
        created += sides[i].created;
        refused += sides[i].refused;
    }
    assert_int_equal(created, LIMIT);
    assert_int_equal(refused, LANES * ROUNDS * BATCH - LIMIT);
    assert_int_equal(store_sql(sides[0].lane.db, "SELECT count(*) FROM job WHERE closed_at IS NULL"), LIMIT);
    for (int i = 0; i < LANES; i++)
        hot_lane_close(&sides[i].lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        hot_test(each_limit_is_kept),
        hot_test(what_is_closed_makes_room),
        hot_test(a_known_key_is_no_new_job),
        hot_test(a_retry_counts),
        hot_test(a_successor_goes_on_with_what_there_is),
        hot_test(two_tokens_of_one_in_a_batch),
        hot_test(many_at_once_are_not_more_than_one_by_one),
    };
    return cmocka_run_group_tests(tests, hot_group_setup, hot_group_teardown);
}
