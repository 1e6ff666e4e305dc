// kill -9 of everything at random moments of a running mixed load: faults [--containers] [--rounds=N] [--seed=N]
//
// Each kind of victim is killed N times, in random order. With --containers services and tasks run in containers of a
// private engine, which is killed as well. What must hold: every job succeeds and closes, with every
// result exactly once and a certificate for each instance; the slices of every stage partition it; nothing of any job
// is left running; processes that are not Curfew's are not touched. Ends with 1 when anything of that does not.
#include "services/common/base/clock.h"
#include "tests/faults/containers.h"
#include "tests/faults/jobs.h"
#include "tests/faults/victims.h"
#include "tests/support/containers.h"
#include "tests/support/die.h"
#include "tests/support/oracle.h"
#include "tests/support/pg.h"
#include "tests/support/process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK_EVERY 12
#define FINISH_MS 180000
#define MOMENT_MS_MAX 400
#define PAUSE_MS_MAX 600
#define NOBODY_MS 20000 // how long a service or shim to kill is waited for

struct run {
    int rounds;
    unsigned seed;
    struct victims victims;
    struct engine *engine; // with --containers
    struct strangers *strangers;
    struct system *system;
    struct jobs jobs;
    struct process *bystander; // looks like a service of ours, and is none
    char bystander_marker[48];
    int killed[VICTIM_COUNT], absent[VICTIM_COUNT];
    int miscounted; // networks, at the end
};

static unsigned random_below(struct run *run, unsigned n)
{
    return (unsigned)rand_r(&run->seed) % n;
}

static void shuffle(struct run *run, enum victim *list, unsigned count)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned j = random_below(run, i);
        enum victim kept = list[i - 1];
        list[i - 1] = list[j];
        list[j] = kept;
    }
}

static bool kill_now(struct run *run, enum victim victim)
{
    unsigned choice = random_below(run, 1u << 30);
    return victim_kill(run->system, run->engine, victim, choice, (int)random_below(run, PAUSE_MS_MAX));
}

// Services and shims come and go: one that is not there now is waited for. So is a containerd, for ten seconds.
static void kill_one(struct run *run, enum victim victim)
{
    int64_t until_ms = clock_boot_ms() + NOBODY_MS;
    poll(NULL, 0, (int)random_below(run, MOMENT_MS_MAX)); // the random moment
    while (!kill_now(run, victim)) {
        if (clock_boot_ms() > until_ms) {
            run->absent[victim]++;
            return;
        }
        jobs_look(&run->jobs);
        jobs_fill(&run->jobs);
    }
    run->killed[victim]++;
}

// It and the daemons that it has left.
#define BYSTANDERS 3

static bool bystanders_are_there(void *context)
{
    struct run *run = context;
    return oracle_find(run->bystander_marker, NULL, 0) == BYSTANDERS;
}

static void bystander_start(struct run *run)
{
    const char *const command[] = {fixture_path("nasty"), "tree", NULL};
    const char *const environment[] = {run->bystander_marker, NULL};
    snprintf(run->bystander_marker, sizeof run->bystander_marker, "FAULTS_BYSTANDER=%d", (int)getpid());
    run->bystander = process_start(command, &(struct process_options){.environment = environment});
    if (!wait_until(bystanders_are_there, run, NOBODY_MS))
        die("faults: the bystander does not start");
}

static void bystander_end(struct run *run)
{
    pid_t pids[BYSTANDERS];
    int64_t count = oracle_find(run->bystander_marker, pids, BYSTANDERS);
    for (int64_t i = 0; i < count && i < BYSTANDERS; i++)
        kill(pids[i], SIGKILL);
    process_free(run->bystander);
}

static void check_everything(struct run *run)
{
    run->jobs.violations += system_violations(run->system);
    if (!bystanders_are_there(run)) {
        fprintf(stderr, "faults: a process that is not ours was ended\n");
        run->jobs.violations++;
    }
    if (run->engine)
        run->jobs.violations += strangers_check(run->strangers);
}

static void kill_all(struct run *run)
{
    unsigned count = (unsigned)run->rounds * run->victims.count;
    enum victim *list = calloc(count, sizeof *list);
    if (!list)
        die("faults: no memory");
    for (unsigned i = 0; i < count; i++)
        list[i] = run->victims.list[i % run->victims.count];
    shuffle(run, list, count);
    for (unsigned i = 0; i < count; i++) {
        jobs_fill(&run->jobs);
        kill_one(run, list[i]);
        jobs_look(&run->jobs);
        if (i % CHECK_EVERY == CHECK_EVERY - 1) {
            check_everything(run);
            fprintf(stderr, "faults: %u of %u killed, %u jobs closed, %d violations\n", i + 1, count, run->jobs.closed,
                    run->jobs.violations);
        }
    }
    free(list);
}

static int print_summary(const struct run *run, unsigned seed, int64_t took_ms)
{
    printf("\n%-10s %8s %8s\n", "victim", "killed", "absent");
    for (unsigned i = 0; i < run->victims.count; i++) {
        enum victim victim = run->victims.list[i];
        printf("%-10s %8d %8d\n", victim_name(victim), run->killed[victim], run->absent[victim]);
    }
    if (run->engine)
        printf("%d networks that the engine had lost count of\n", run->miscounted);
    printf("seed %u, %lld s, %u jobs closed, %d violations\n", seed, (long long)took_ms / 1000, run->jobs.closed,
           run->jobs.violations);
    return run->jobs.violations == 0 ? 0 : 1;
}

static void read_arguments(struct run *run, int argc, char **argv)
{
    run->rounds = 10;
    run->seed = (unsigned)time(NULL);
    run->victims = victims_of_processes;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--rounds=", 9) == 0)
            run->rounds = atoi(argv[i] + 9);
        else if (strncmp(argv[i], "--seed=", 7) == 0)
            run->seed = (unsigned)strtoul(argv[i] + 7, NULL, 10);
        else if (strcmp(argv[i], "--containers") == 0)
            run->victims = victims_of_containers;
        else
            die("usage: faults [--containers] [--rounds=N] [--seed=N]");
    }
    if (run->rounds < 1 || run->rounds > 100000)
        die("faults: --rounds is 1 to 100000");
}

static void start(struct run *run)
{
    struct system_plan plan = {.managers = 2, .workers = 2, .reapers = 2, .lease_ms = 3000, .pg_flags = PG_FSYNC};
    if (run->victims.list == victims_of_containers.list) {
        run->engine = plan.engine = containers_engine_start();
        run->strangers = strangers_start(run->engine);
    }
    run->system = system_start(&plan);
    bystander_start(run);
    jobs_init(&run->jobs, run->system, run->engine);
}

static void check_end(struct run *run)
{
    check_everything(run);
    system_wait_ready(run->system, system_count(run->system, SYSTEM_WORKER));
    jobs_check_certificates(&run->jobs, FINISH_MS);
    if (oracle_find(system_marker(run->system), NULL, 0) > 0) {
        oracle_print(system_marker(run->system));
        run->jobs.violations++;
    }
    if (run->engine)
        run->jobs.violations += containers_check_end(run->engine, run->system, &run->miscounted);
}

static void end(struct run *run)
{
    bystander_end(run);
    system_free(run->system);
    if (!run->engine)
        return;
    strangers_free(run->strangers);
    engine_stop(run->engine);
}

int main(int argc, char **argv)
{
    static struct run run;
    read_arguments(&run, argc, argv);
    unsigned seed = run.seed;
    int64_t began_ms = clock_boot_ms();
    printf("faults: %d rounds of each kind, --seed=%u\n", run.rounds, seed);
    fflush(stdout);
    start(&run);
    kill_all(&run);
    jobs_finish(&run.jobs, FINISH_MS);
    check_end(&run);
    end(&run);
    return print_summary(&run, seed, clock_boot_ms() - began_ms);
}
