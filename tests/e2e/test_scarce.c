// A manager whose every n-th allocation, or every n-th call that sends, receives or writes, fails: for each call of the
// route table it answers, or closes the connection; it goes on, or ends and comes back; and what it has acknowledged is
// there. SCARCE_ROUNDS (1) says how often all of that is done, each time with other n.
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/jobmanager/routes.h"
#include "tests/support/contract.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/process.h"
#include "tests/support/scarce.h"
#include "tests/support/store_db.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define HANG_MS 20000 // no call may take so long
#define TRIES 5
#define WORKER                                                                                       \
    "{\"name\":\"w\",\"host\":\"h\",\"boot\":\"b\",\"runtimes\":[\"pull\",\"process\"],\"slots\":2," \
    "\"queues\":[\"default\"],\"labels\":{}}"
#define SPEC "{\"name\":\"kept\",\"mode\":\"pull\",\"tasks\":{\"count\":3}}"

static const int memory_steps[] = {3, 12, 60};
static const int io_steps[] = {3, 15};

struct world {
    char *directory;
    const char *database;
    struct manager *manager;
    struct http_client *client;
    struct scarce *scarce;
    char job[32];
    int deaths, keys, round;
    int64_t answered, refused, closed;
};

// ---- the manager

static void start(struct world *world)
{
    char preload[512], file[256];
    snprintf(preload, sizeof(preload), "%s/lib/scarce.so", build_dir());
    snprintf(file, sizeof(file), "%s/scarce", world->directory);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && ftruncate(fd, sizeof(struct scarce)) == 0);
    world->scarce = mmap(NULL, sizeof(struct scarce), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(world->scarce != MAP_FAILED);
    close(fd);
    setenv("LD_PRELOAD", preload, 1);
    setenv("CURFEW_SCARCE", file, 1);
    const char *const settings[] = {"--worker-poll", "300ms", "--spool-dir", world->directory, NULL};
    world->manager = manager_start(world->database, settings);
    unsetenv("LD_PRELOAD");
    world->client = manager_client(world->manager);
}

static void plenty(struct world *world)
{
    atomic_store(&world->scarce->memory.every, 0);
    atomic_store(&world->scarce->io.every, 0);
}

static bool is_well(void *context)
{
    struct world *world = context;
    return manager_call(world->manager, "GET", "/readyz", NULL, NULL) == 200;
}

// Everything is there again. One that has ended is started; how it ended must not have been a signal.
static void recover(struct world *world, const char *after)
{
    plenty(world);
    int status = manager_wait(world->manager, 0);
    if (status >= 0) {
        world->deaths++;
        if (status > 255)
            fail_msg("%s: the manager was ended by signal %d:\n%s", after, status - 256, manager_log(world->manager));
        setenv("LD_PRELOAD", "", 1);
        manager_restart(world->manager);
    }
    if (!wait_until(is_well, world, PATIENCE_MS))
        fail_msg("%s: not ready again:\n%s", after, manager_log(world->manager));
}

// ---- calls

static int call(struct world *world, const char *method, const char *path, const char *key, const char *body)
{
    const struct http_header header = {"Idempotency-Key", key};
    int64_t begin_ms = clock_boot_ms();
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_call request = {.method = method,
                                      .path = path,
                                      .headers = &header,
                                      .header_count = key ? 1 : 0,
                                      .body = body,
                                      .body_length = body ? strlen(body) : 0};
    int status = contract_call(world->client, &request, &response, NULL) < 0 ? 0 : response.status;
    if (strstr(strbuf_text(&response.body), "\"request_id\":\"\""))
        fail_msg("%s %s: %s", method, path, strbuf_text(&response.body));
    if (clock_boot_ms() - begin_ms > HANG_MS)
        fail_msg("%s %s hangs:\n%s", method, path, manager_log(world->manager));
    world->answered += status >= 200 && status < 500;
    world->refused += status >= 500;
    world->closed += status == 0;
    return status;
}

static void fill(const struct world *world, const char *pattern, char *out, size_t size)
{
    AUTO_STRBUF struct strbuf path = STRBUF_INIT;
    for (const char *at = pattern; *at; at++) {
        if (*at != '{') {
            strbuf_add_char(&path, *at);
            continue;
        }
        const char *end = strchr(at, '}');
        bool of_job = strncmp(pattern, "/v1/jobs/", 9) == 0 && at == pattern + 9;
        strbuf_add_text(&path, of_job                           ? world->job
                               : strncmp(at, "{stage}", 7) == 0 ? "main"
                               : strncmp(at, "{sha256}", 8) == 0
                                   ? "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                                   : "1");
        at = end;
    }
    snprintf(out, size, "%s", strbuf_text(&path));
}

// A body that the call has a use for.
static const char *body_of(const struct http_route *route)
{
    static const struct {
        const char *pattern, *body;
    } bodies[] = {
        {"/v1/jobs", SPEC},
        {"/v1/workers", WORKER},
        {"/v1/workers/{id}/poll", "{\"incarnation\":1,\"wait_ms\":100,\"want\":{\"default\":2},\"instances\":[]}"},
        {"/v1/workers/{id}/report", "{\"incarnation\":1,\"slices\":[],\"instances\":[],\"poll\":{\"wait_ms\":0,"
                                    "\"want\":{\"default\":2},\"instances\":[]}}"},
    };
    if (strcmp(route->method, "POST") != 0 && strcmp(route->method, "PUT") != 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (strcmp(bodies[i].pattern, route->pattern) == 0)
            return bodies[i].body;
    return "{}";
}

static void every_route(struct world *world, struct scarce_kind *kind, int every, const char *what)
{
    for (size_t i = 0; i < routes_table.count; i++) {
        const struct http_route *route = &routes_table.routes[i];
        char path[256], after[400];
        const char *body = body_of(route);
        fill(world, route->pattern, path, sizeof(path));
        if (strcmp(route->pattern, "/v1/tokens") == 0 && body)
            continue; // from the first token on every call would need one
        snprintf(after, sizeof(after), "%s %s, every %d. %s fails", route->method, path, every, what);
        atomic_store(&kind->calls, 0);
        atomic_store(&kind->every, every);
        call(world, route->method, path, NULL, body);
        recover(world, after);
    }
}

struct submission {
    struct world *world;
    char key[32];
};

static bool is_there(void *context)
{
    struct submission *submission = context;
    int status = call(submission->world, "POST", "/v1/jobs", submission->key, SPEC);
    if (status >= 400 && status < 500)
        fail_msg("a submission was refused with %d", status);
    return status == 200 || status == 201;
}

// Submits again and again under one key; when it is not acknowledged that way, once there is plenty again.
static void submit_until_it_is_there(struct world *world)
{
    struct submission submission = {.world = world};
    snprintf(submission.key, sizeof(submission.key), "key-%d", world->keys++);
    for (int tries = 0; tries < TRIES; tries++)
        if (is_there(&submission))
            return;
    recover(world, "submissions");
    assert_true(wait_until(is_there, &submission, PATIENCE_MS));
}

static void submissions(struct world *world, struct scarce_kind *kind, int every)
{
    for (int i = 0; i < 6; i++) {
        atomic_store(&kind->every, every);
        submit_until_it_is_there(world);
    }
    recover(world, "submissions");
}

// ---- the tests

static void failing(struct world *world, struct scarce_kind *kind, const int *steps, size_t count, const char *what)
{
    const char *rounds = getenv("SCARCE_ROUNDS");
    world->answered = world->refused = world->closed = 0;
    for (int round = 0; round < (rounds ? atoi(rounds) : 1); round++)
        for (size_t i = 0; i < count; i++) {
            int every = steps[i] + round * (1 + (int)i);
            every_route(world, kind, every, what);
            submissions(world, kind, every);
        }
    print_message("%s: %lld calls answered, %lld refused with 5xx, %lld closed; %ld failed; %d deaths\n", what,
                  (long long)world->answered, (long long)world->refused, (long long)world->closed,
                  atomic_load(&kind->failed), world->deaths);
    assert_true(atomic_load(&kind->failed) > 0);
}

static void memory_is_scarce(void **state)
{
    struct world *world = *state;
    failing(world, &world->scarce->memory, memory_steps, ARRAY_LEN(memory_steps), "allocation");
}

static void io_is_scarce(void **state)
{
    struct world *world = *state;
    failing(world, &world->scarce->io, io_steps, ARRAY_LEN(io_steps), "call for input or output");
}

static void nothing_is_lost(void **state)
{
    struct world *world = *state;
    struct db *db = store_db_again(world->database);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM job WHERE idempotency_key LIKE 'key-%%'"), world->keys);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM violations(NULL)"), 0);
    assert_int_equal(store_sql(db,
                               "SELECT count(*) FROM job j WHERE 3 <> (SELECT coalesce(sum(s.count), 0) FROM slice s "
                               "WHERE s.job = j.id) AND j.idempotency_key LIKE 'key-%%'"),
                     0);
    db_close(db);
}

static int setup(void **state)
{
    static struct world world;
    db_test_start(state);
    world.directory = temp_dir_new();
    world.database = pg_database_new(test_pg);
    start(&world);
    AUTO_FREE char *job = manager_submit(world.manager, SPEC);
    snprintf(world.job, sizeof(world.job), "%s", job);
    assert_int_equal(manager_call(world.manager, "POST", "/v1/workers", WORKER, NULL), 201);
    assert_int_equal(manager_call(world.manager, "GET", "/v1/workers/1", NULL, NULL), 200);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    plenty(world);
    http_client_free(world->client);
    manager_free(world->manager);
    munmap(world->scarce, sizeof(struct scarce));
    temp_dir_free(world->directory);
    return db_test_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_scarce),
        cmocka_unit_test(io_is_scarce),
        cmocka_unit_test(nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
