// What nobody wants at a container engine goes, and nothing else, while reapers, managers, the engine and its
// containerd are killed at random moments. Judged by Debian's client: containers, networks and volumes. The worker is
// rows only: one that lives, and wants what its open jobs have there.
//
// ROUNDS=N for more of them than 2, SEED=N for the same moments again.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/db/db.h"
#include "services/common/model/engine_labels.h"
#include "services/common/model/states.h"
#include "tests/support/containers.h"
#include "tests/support/process.h"
#include "tests/support/store_db.h"
#include "tests/support/system_calls.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000
#define ROUNDS_DEFAULT 2
#define REAPERS 2
#define JOBS 6   // open at a time; the first one stays open
#define CLOSED 2 // of them, in a round: were fewer containers known, the unknown ones would be left alone
#define KILLS 5  // in a round, and half as many again of everything but dockerd
#define EXPECTED_MAX 64
#define ALL_VICTIMS 6 // dockerd counts for two
#define VICTIMS_BESIDE_DOCKERD 4
#define LINE_SIZE 192

struct job {
    char id[SYSTEM_ID_SIZE];
    char container[LINE_SIZE], network[LINE_SIZE]; // as expected
};

static struct engine *engine;
static struct system *curfew;
static struct db *db;
static int64_t worker;
static struct process *reapers[REAPERS];
static char with_deployment[128];
static struct job jobs[JOBS];
static char foreign[EXPECTED_MAX][LINE_SIZE];
static size_t foreign_count;
static unsigned seed;
static int number;           // of names
static int containerd_lives; // how often it may be killed: its dockerd needs up to 15 s to start it again

static unsigned below(unsigned count)
{
    return (unsigned)rand_r(&seed) % count;
}

// ---- the oracle: lines of kind, name and id

static bool add_lines(struct strbuf *out, char *text)
{
    if (text)
        strbuf_add_text(out, text);
    free(text);
    return text != NULL;
}

static bool see(struct strbuf *out)
{
    return add_lines(out,
                     engine_docker(engine, "ps", "-a", "--no-trunc", "--format=container {{.Names}} {{.ID}}", NULL)) &&
           add_lines(out, engine_docker(engine, "network", "ls", "--no-trunc", "--filter=type=custom",
                                        "--format=network {{.Name}} {{.ID}}", NULL)) &&
           add_lines(out, engine_docker(engine, "volume", "ls", "--format=volume {{.Name}} -", NULL));
}

static size_t lines_of(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

// Whether everything that has to be there is; `all` counts it.
static bool nothing_is_missing(const char *seen, size_t *all)
{
    bool complete = true;
    *all = foreign_count;
    for (size_t i = 0; i < foreign_count; i++)
        complete &= strstr(seen, foreign[i]) != NULL;
    for (size_t i = 0; i < JOBS; i++) {
        if (!*jobs[i].id)
            continue;
        complete &= strstr(seen, jobs[i].container) && strstr(seen, jobs[i].network);
        *all += *jobs[i].network ? 2 : 1;
    }
    return complete;
}

static bool is_as_expected(void *context)
{
    AUTO_STRBUF struct strbuf seen = STRBUF_INIT;
    size_t all;
    UNUSED(context);
    return see(&seen) && nothing_is_missing(strbuf_text(&seen), &all) && lines_of(strbuf_text(&seen)) == all;
}

static void expect_what_is_wanted(void)
{
    AUTO_STRBUF struct strbuf seen = STRBUF_INIT;
    size_t all;
    if (wait_until(is_as_expected, NULL, WAIT_MS))
        return;
    see(&seen);
    bool complete = nothing_is_missing(strbuf_text(&seen), &all);
    engine_print(engine);
    for (size_t i = 0; i < REAPERS; i++)
        fprintf(stderr, "---- reaper %zu:\n%s", i, process_stderr(reapers[i]));
    fail_msg("%s: %zu objects instead of %zu", complete ? "something is left" : "something is missing",
             lines_of(strbuf_text(&seen)), all);
}

// ---- what is there

static void expect(char out[LINE_SIZE], const char *kind, const char *name, char *id)
{
    snprintf(out, LINE_SIZE, "%s %s %.*s\n", kind, name, (int)strcspn(id, "\n"), id);
    free(id);
}

static void name_next(char name[32], const char *what)
{
    snprintf(name, 32, "%s-%d", what, ++number);
}

static void label(char out[LINE_SIZE], const char *key, const char *job, const char *rest)
{
    snprintf(out, LINE_SIZE, "--label=%s=%s%s", key, job, rest);
}

static void open_job(struct job *job)
{
    char name[32], identity[LINE_SIZE];
    int64_t row = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "store"}}});
    store_place(db, row, worker);
    store_observe(db, row, "store", INSTANCE_READY, NULL);
    id_format('j', row, job->id);
    label(identity, ENGINE_LABEL_IDENTITY, job->id, "/store/1");
    name_next(name, "wanted");
    expect(job->container, "container", name,
           engine_docker_ok(engine, "run", "-d", "--init", "--name", name, with_deployment, identity, ENGINE_IMAGE,
                            "sleep", "600", NULL));
}

// An engine that answers may have no containerd yet.
static bool runs_containers(void *context)
{
    UNUSED(context);
    char *text AUTO_FREE = engine_docker(engine, "run", "--name=probe", ENGINE_IMAGE, "true", NULL);
    char *removed AUTO_FREE = engine_docker(engine, "rm", "-f", "-v", "probe", NULL);
    return text && removed;
}

// Reapers that stand still while somebody leaves things: `docker run` is a create and a start, and what nobody wants
// may go between them.
static void signal_reapers(int signal_number)
{
    for (size_t i = 0; i < REAPERS; i++)
        process_signal(reapers[i], signal_number);
}

static void fill_jobs(void)
{
    for (size_t i = 0; i < JOBS; i++)
        if (!*jobs[i].id)
            open_job(&jobs[i]);
}

// The id of a network; free it.
static char *make_network(const char *job, char name[32])
{
    char of_job[LINE_SIZE];
    label(of_job, ENGINE_LABEL_JOB, job, "");
    name_next(name, "network");
    return engine_docker_ok(engine, "network", "create", with_deployment, of_job, name, NULL);
}

// Like what a worker leaves that dies before its database is restored: nothing knows it.
static void leave_containers(int round)
{
    static const char *const states[] = {"paused", "exited", "created"};
    char name[32], job[ID_TEXT_SIZE], identity[LINE_SIZE];
    id_format('j', id_new(), job);
    label(identity, ENGINE_LABEL_IDENTITY, job, "/store/1");
    name_next(name, "left-polite");
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name", name, "-v", "/data", with_deployment, identity,
                          ENGINE_IMAGE, "sleep", "600", NULL));
    name_next(name, "left-stubborn"); // without an init it ignores TERM
    free(engine_docker_ok(engine, "run", "-d", "--name", name, "--stop-timeout=1", with_deployment, identity,
                          ENGINE_IMAGE, "sleep", "600", NULL));
    const char *state = states[round % (int)ARRAY_LEN(states)];
    snprintf(name, sizeof name, "left-%s-%d", state, ++number);
    free(engine_docker_ok(engine, *state == 'c' ? "create" : "run", *state == 'c' ? "-t" : "-d", "--name", name,
                          "--stop-timeout=1", "-v", "/data", with_deployment, identity, ENGINE_IMAGE, "sleep",
                          *state == 'e' ? "0" : "600", NULL));
    if (*state == 'p')
        free(engine_docker_ok(engine, "pause", name, NULL));
}

static void leave_networks(const char *closed_job)
{
    char name[32], network[32], job[ID_TEXT_SIZE], identity[LINE_SIZE];
    id_format('j', id_new(), job);
    label(identity, ENGINE_LABEL_IDENTITY, job, "/store/1");
    free(make_network(closed_job, name));
    free(make_network(job, network));
    name_next(name, "left-attached");
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name", name, "--net", network, with_deployment, identity,
                          ENGINE_IMAGE, "sleep", "600", NULL));
}

static void add_foreign(const char *kind, const char *name, char *id)
{
    assert_true(foreign_count < EXPECTED_MAX);
    expect(foreign[foreign_count++], kind, name, id);
}

static void make_foreign(void)
{
    static const char neighbour[] = "--label=" ENGINE_LABEL_DEPLOYMENT "=neighbour";
    static const char identity[] = "--label=" ENGINE_LABEL_IDENTITY "=j0cnv6bv2mqe4m/store/1";
    add_foreign("network", "theirs", engine_docker_ok(engine, "network", "create", neighbour, "theirs", NULL));
    free(engine_docker_ok(engine, "volume", "create", "stranger", NULL));
    snprintf(foreign[foreign_count++], LINE_SIZE, "volume stranger -\n");
    add_foreign("container", "theirs",
                engine_docker_ok(engine, "run", "-d", "--init", "--name=theirs", "--net=theirs", neighbour, identity,
                                 ENGINE_IMAGE, "sleep", "600", NULL));
    add_foreign("container", "stranger",
                engine_docker_ok(engine, "create", "--name=stranger", "-v", "stranger:/data", identity, ENGINE_IMAGE,
                                 "sleep", "600", NULL));
}

// ---- who is killed

static void start_reaper(size_t index)
{
    char database[512], host[128];
    snprintf(database, sizeof database, "--database-url=%s", system_conninfo(curfew));
    snprintf(host, sizeof host, "--engine=%s", engine_host(engine));
    const char *const argv[] = {
        program_path("curfew-reaper"), database, host, "--term=1s", "--skew=800ms", "--patience=500ms", NULL};
    process_free(reapers[index]); // kills it
    reapers[index] = process_start(argv, NULL);
}

static void rest(unsigned most_ms)
{
    poll(NULL, 0, (int)below(most_ms));
}

// The moments are random, so that a sleep is what it takes.
static void kill_one_of(unsigned victims)
{
    unsigned choice = below(victims);
    if (choice == 3 && containerd_lives-- <= 0)
        choice = below(3);
    rest(600);
    if (choice < 2) {
        process_signal(reapers[choice], SIGKILL);
        rest(300);
        start_reaper(choice);
    } else if (choice == 2) {
        int manager = (int)below(2);
        system_kill(curfew, SYSTEM_MANAGER, manager);
        rest(300);
        system_restart(curfew, SYSTEM_MANAGER, manager);
    } else if (choice == 3) {
        engine_kill(engine, ENGINE_CONTAINERD);
    } else {
        engine_kill(engine, ENGINE_DOCKERD);
        rest(300);
        engine_launch(engine);
    }
}

static bool engine_answers(void *context)
{
    UNUSED(context);
    char *text AUTO_FREE = engine_docker(engine, "ps", NULL);
    return text != NULL;
}

// A dockerd that waits too long for its containerd ends; whoever runs one starts it again.
static void wait_for_engine(void)
{
    for (int i = 0; i < 3 && !wait_until(engine_answers, NULL, WAIT_MS / 2); i++) {
        engine_kill(engine, ENGINE_DOCKERD);
        engine_launch(engine);
    }
    engine_wait(engine);
}

static void close_job(struct job *job)
{
    system_stop(curfew, job->id);
    store_observe(db, system_job_number(job->id), "store", INSTANCE_VERIFIED, NULL);
    json_object_put(system_wait_closed(curfew, job->id, WAIT_MS));
    *job = (struct job){0};
}

// Networks are for themselves: a dockerd 20.10 that is killed while it removes one panics whenever it is started again.
static void one_round(int round)
{
    char closed[SYSTEM_ID_SIZE] = "";
    unsigned first = below(JOBS - 1);
    containerd_lives = round % 2 == 0;
    assert_true(wait_until(runs_containers, NULL, WAIT_MS));
    fill_jobs();
    signal_reapers(SIGSTOP);
    leave_containers(round);
    signal_reapers(SIGCONT);
    for (unsigned i = 0; i < KILLS; i++) {
        struct job *job = &jobs[1 + (first + i) % (JOBS - 1)];
        if (i < CLOSED) {
            strcpy(closed, job->id);
            close_job(job);
        }
        kill_one_of(ALL_VICTIMS);
    }
    wait_for_engine();
    expect_what_is_wanted();
    assert_true(wait_until(runs_containers, NULL, WAIT_MS));
    signal_reapers(SIGSTOP);
    leave_networks(closed);
    signal_reapers(SIGCONT);
    for (unsigned i = 0; i < KILLS / 2; i++)
        kill_one_of(VICTIMS_BESIDE_DOCKERD);
    expect_what_is_wanted();
}

static void test_what_nobody_wants_goes_and_nothing_else(void **state)
{
    UNUSED(state);
    char name[32];
    const char *rounds = getenv("ROUNDS");
    make_foreign();
    open_job(&jobs[0]);
    char *id = make_network(jobs[0].id, name);
    expect(jobs[0].network, "network", name, id);
    for (int round = 0; round < (rounds ? atoi(rounds) : ROUNDS_DEFAULT); round++) {
        int64_t began_ms = clock_boot_ms();
        one_round(round);
        print_message("round %d: %" PRId64 " ms\n", round, clock_boot_ms() - began_ms);
    }
    for (size_t i = 0; i < JOBS; i++)
        if (*jobs[i].id)
            close_job(&jobs[i]);
    expect_what_is_wanted();
    assert_int_equal(system_violations(curfew), 0);
}

static int set_up(void **state)
{
    UNUSED(state);
    const char *wish = getenv("SEED");
    seed = wish ? (unsigned)strtoul(wish, NULL, 10) : (unsigned)clock_wall_us();
    print_message("SEED=%u\n", seed);
    engine = containers_engine_start();
    curfew = system_start(&(struct system_plan){.managers = 2, .workers = -1, .reapers = -1});
    db = store_db_again(system_conninfo(curfew));
    worker = store_worker(db, "worker");
    store_sql(db, "UPDATE worker SET lease_until = clock_timestamp() + interval '1 day'");
    snprintf(with_deployment, sizeof with_deployment, "--label=" ENGINE_LABEL_DEPLOYMENT "=%s",
             system_deployment(curfew));
    for (size_t i = 0; i < REAPERS; i++)
        start_reaper(i);
    return 0;
}

static int tear_down(void **state)
{
    UNUSED(state);
    db_close(db);
    system_free(curfew);
    for (size_t i = 0; i < REAPERS; i++)
        process_free(reapers[i]);
    engine_stop(engine);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_nobody_wants_goes_and_nothing_else)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
