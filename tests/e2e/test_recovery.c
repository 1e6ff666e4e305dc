// Programs that die, hang and come back: every job still reaches its outcome and closes, nothing runs twice at once,
// and what was recorded stays.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "tests/support/oracle.h"
#include "tests/support/pg.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/system_calls.h"
#include "tests/support/temp_dir.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 90000
#define GONE_MS (SYSTEM_LEASE_MS - 1000) // two seconds, where there is nobody else; in any case before another begins
#define SERVICE(more)                                                                                              \
    "'services':[{'name':'store','command':['@nasty@','tree'],'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'}," \
    "'ready':{'tcp':'main'},'stop':{'grace':'5s'}" more "}]"
#define RESTARTED SERVICE(",'on_failure':{'restart':{'max':50,'backoff':'10ms'}}")
// The first attempt writes that it is alive until somebody ends it, later ones that they are there.
#define ALIVE_OR_AGAIN                                                                                             \
    "'command':['sh','-c','[ $CURFEW_ATTEMPT = 1 ] || exec @stamp@ %s/%s again; while :; do @stamp@ %s/%s alive; " \
    "sleep 0.02; done']"

static struct system *curfew;
static char *directory;

static struct json_object *closed(const char *id, const char *outcome)
{
    struct json_object *job = system_wait_closed_as(curfew, id, outcome, WAIT_MS);
    return job;
}

static bool file_has_a_line(void *context)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    return file_read(context, 1 << 20, &text, &length, NULL) == 0 && strchr(text, '\n');
}

// Waits until an attempt has written something; it has to be the first one.
static void wait_for_first_attempt(const char *id, const char *name)
{
    char path[256];
    AUTO_FREE char *text = NULL;
    size_t length;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_true(wait_until(file_has_a_line, path, WAIT_MS));
    assert_int_equal(file_read(path, 1 << 20, &text, &length, NULL), 0);
    if (!strstr(text, "again"))
        return;
    system_explain(curfew, id);
    fail_msg("the first attempt of job %s was given to a worker that is dead", id);
}

// Only worker 0 is there while the job starts; then worker 1 is there too.
static void submit_on_first_worker(char id[SYSTEM_ID_SIZE], const char *file, const char *more)
{
    system_kill(curfew, SYSTEM_WORKER, 1);
    system_submit(curfew, id, "{'name':'%s','retries':{'max':3,'backoff':'10ms'}," ALIVE_OR_AGAIN "%s}", file,
                  directory, file, directory, file, more);
    wait_for_first_attempt(id, file);
    system_restart(curfew, SYSTEM_WORKER, 1);
}

// No "alive" after the first "again".
static void check_never_at_once(const char *name)
{
    char path[256], what[16];
    int64_t at, again = 0;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fscanf(file, "%" SCNd64 " %15s", &at, what) == 2) {
        if (strcmp(what, "again") == 0)
            again = at;
        else if (again)
            fail_msg("the first attempt was alive %" PRId64 " us after the second began", (at - again) / 1000);
    }
    fclose(file);
    assert_true(again > 0);
}

// ---- workers

struct said {
    int worker;
    const char *text;
};

static bool has_said(void *context)
{
    struct said *said = context;
    return strstr(system_log(curfew, SYSTEM_WORKER, said->worker), said->text) != NULL;
}

// Hangs for longer than its lease: its processes are gone before the tasks run elsewhere, and what it reports after
// that is refused.
static void test_hanging_worker(void **state)
{
    char id[SYSTEM_ID_SIZE], marker[64];
    char *services = quoted("," RESTARTED);
    UNUSED(state);
    submit_on_first_worker(id, "hanging", services);
    free(services);
    system_signal(curfew, SYSTEM_WORKER, 0, SIGSTOP);
    AUTO_JSON_OBJECT struct json_object *job = closed(id, "succeeded");
    assert_true(json_number_at(job, "/services/0/epoch") >= 2);
    check_never_at_once("hanging");
    snprintf(marker, sizeof(marker), "CURFEW_JOB=%s", id);
    assert_int_equal(oracle_find(marker, NULL, 0), 0);
    system_signal(curfew, SYSTEM_WORKER, 0, SIGCONT);
    system_wait_ready(curfew, 2);
    struct said late = {0, "incarnation is over"};
    assert_true(wait_until(has_said, &late, WAIT_MS));
    AUTO_JSON_OBJECT struct json_object *after = system_get(curfew, "/v1/jobs/%s", id);
    assert_int_equal(json_number_at(after, "/stages/0/succeeded"), 1);
}

static bool nothing_is_presumed(void *context)
{
    return system_sql(curfew, "SELECT count(*) FROM instance WHERE state = 12 AND job = %" PRId64,
                      *(const int64_t *)context) == 0;
}

static void test_killed_worker(void **state)
{
    char id[SYSTEM_ID_SIZE], marker[64];
    char *services = quoted("," RESTARTED);
    UNUSED(state);
    submit_on_first_worker(id, "killed", services);
    free(services);
    system_kill(curfew, SYSTEM_WORKER, 0);
    snprintf(marker, sizeof(marker), "CURFEW_JOB=%s", id);
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(oracle_wait_none(marker, GONE_MS), 0);
    print_message("gone after %" PRId64 " ms\n", clock_boot_ms() - began_ms);
    json_object_put(closed(id, "succeeded")); // on the other worker
    check_never_at_once("killed");
    // What was only presumed of its instances is known when it is back.
    system_restart(curfew, SYSTEM_WORKER, 0);
    system_wait_ready(curfew, 2);
    int64_t number = system_job_number(id);
    assert_true(wait_until(nothing_is_presumed, &number, WAIT_MS));
    assert_int_equal(system_leftovers(curfew, id), 0);
}

// Comes back at once: it looks for what its former life left, and everything goes on without waiting for the lease.
static void test_killed_and_restarted_worker(void **state)
{
    char id[SYSTEM_ID_SIZE];
    char *services = quoted("," RESTARTED);
    UNUSED(state);
    submit_on_first_worker(id, "restarted", services);
    free(services);
    system_kill(curfew, SYSTEM_WORKER, 0);
    system_restart(curfew, SYSTEM_WORKER, 0);
    json_object_put(closed(id, "succeeded"));
    assert_int_equal(system_leftovers(curfew, id), 0);
    check_never_at_once("restarted");
    system_wait_ready(curfew, 2);
}

// A service that was to fail its job when it dies does so when its worker dies; the certificate says on what evidence.
static void test_service_lost_with_its_worker(void **state)
{
    char id[SYSTEM_ID_SIZE];
    char *services = quoted("," SERVICE(""));
    UNUSED(state);
    submit_on_first_worker(id, "lost", services);
    free(services);
    system_kill(curfew, SYSTEM_WORKER, 0);
    AUTO_JSON_OBJECT struct json_object *job = system_wait_outcome_as(curfew, id, "failed", WAIT_MS);
    assert_string_equal(json_text_at(job, "/reason/code"), "service_lost");
    system_restart(curfew, SYSTEM_WORKER, 0);
    json_object_put(closed(id, "failed"));
    system_wait_ready(curfew, 2);
    assert_int_equal(system_violations(curfew), 0);
}

// ---- managers

struct submission {
    struct http_client *client;
    const char *body;
    struct http_header header;
    int status;
};

static void *submit_once(void *context)
{
    struct submission *submission = context;
    submission->status =
        client_call(submission->client, "POST", "/v1/jobs", &submission->header, 1, submission->body, NULL);
    return NULL;
}

// The manager dies while it takes a job; the client tries again with the same key.
static void test_one_key_is_one_job(void **state)
{
    AUTO_FREE char *body = quoted("{'name':'key','command':['true']}");
    UNUSED(state);
    for (int round = 0; round < 8; round++) {
        char key[32];
        pthread_t thread;
        snprintf(key, sizeof(key), "recovery-%d", round);
        struct submission submission = {system_client(curfew, 0), body, {"Idempotency-Key", key}, 0};
        assert_int_equal(pthread_create(&thread, NULL, submit_once, &submission), 0);
        nanosleep(&(struct timespec){.tv_nsec = round * 500000}, NULL); // the moment of the kill varies
        system_kill(curfew, SYSTEM_MANAGER, 0);
        pthread_join(thread, NULL);
        http_client_free(submission.client);
        submission.client = system_client(curfew, 1);
        submit_once(&submission);
        http_client_free(submission.client);
        assert_true(submission.status == 200 || submission.status == 201);
        assert_int_equal(system_sql(curfew, "SELECT count(*) FROM job WHERE idempotency_key = '%s'", key), 1);
        system_restart(curfew, SYSTEM_MANAGER, 0);
        system_wait_ready(curfew, 2);
    }
}

static bool is_committed(void *key)
{
    return system_sql(curfew, "SELECT count(*) FROM job WHERE idempotency_key = '%s'", (const char *)key) == 1;
}

// The job is committed, the manager dies, and the client has read nothing of a reply: the same key finds the job.
static void test_reply_lost_after_the_commit(void **state)
{
    char key[] = "recovery-reply", request[512];
    AUTO_FREE char *body = quoted("{'name':'key','command':['true']}");
    AUTO_CLOSE int client = raw_connect((uint16_t)atoi(strrchr(system_url(curfew, 0), ':') + 1));
    UNUSED(state);
    snprintf(request, sizeof request,
             "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
             "Idempotency-Key: %s\r\nContent-Length: %zu\r\n\r\n%s",
             key, strlen(body), body);
    raw_send_text(client, request);
    assert_true(wait_until(is_committed, key, WAIT_MS));
    system_kill(curfew, SYSTEM_MANAGER, 0);
    struct submission again = {system_client(curfew, 1), body, {"Idempotency-Key", key}, 0};
    submit_once(&again);
    http_client_free(again.client);
    assert_int_equal(again.status, 200);
    assert_true(is_committed(key));
}

// ---- reapers

// A timeout passes though the reaper that led is dead.
static void test_killed_leader(void **state)
{
    char id[SYSTEM_ID_SIZE];
    UNUSED(state);
    for (int round = 0; round < 2; round++) {
        int leader = system_leader(curfew);
        for (int64_t deadline_ms = clock_boot_ms() + WAIT_MS; leader < 0 && clock_boot_ms() < deadline_ms;)
            leader = system_leader(curfew);
        assert_true(leader >= 0);
        system_submit(curfew, id, "{'name':'leader','timeout':'500ms'," SERVICE("") ",'command':['sleep','600']}");
        system_kill(curfew, SYSTEM_REAPER, leader);
        json_object_put(closed(id, "timed_out"));
        assert_int_equal(system_leftovers(curfew, id), 0);
        system_restart(curfew, SYSTEM_REAPER, leader);
    }
}

// Whatever the test before has left.
static int heal(void **state)
{
    UNUSED(state);
    for (enum system_part part = 0; part < SYSTEM_PARTS; part++) {
        for (int i = 0; i < system_count(curfew, part); i++) {
            if (!system_is_running(curfew, part, i))
                system_restart(curfew, part, i);
            system_signal(curfew, part, i, SIGCONT);
        }
    }
    system_wait_ready(curfew, 2);
    return 0;
}

static int set_up(void **state)
{
    UNUSED(state);
    directory = temp_dir_new();
    curfew = system_start(&(struct system_plan){.managers = 2, .workers = 2, .reapers = 2});
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    int violations = system_violations(curfew);
    system_free(curfew);
    temp_dir_free(directory);
    return violations;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_hanging_worker, heal),
        cmocka_unit_test_setup(test_killed_worker, heal),
        cmocka_unit_test_setup(test_killed_and_restarted_worker, heal),
        cmocka_unit_test_setup(test_service_lost_with_its_worker, heal),
        cmocka_unit_test_setup(test_one_key_is_one_job, heal),
        cmocka_unit_test_setup(test_reply_lost_after_the_commit, heal),
        cmocka_unit_test_setup(test_killed_leader, heal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
