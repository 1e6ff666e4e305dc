// What the hot calls do a second without HTTP: one lane, workers that answer at once, a private cluster with fsync.
//
//     store_hot [SECONDS [LOAD]]
//
// CURFEW_BENCH_DATABASE names a fresh, migrated database of another cluster to use instead.
// Prints a line per load: tasks in slices of 100 by 16 workers, single tasks by 64 workers, jobs of one task,
// slices of 100 while 10,000 jobs are open, jobs of one task that come alone to a worker that waits (a batch is the
// submission with its poll, or the report), slices of 100 of one job by one lane of 16 workers and by two of 8.
#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/store/hot.h"
#include "tests/support/hot_lane.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define GRANTS_MAX 200

static int64_t duration_ms = 5000;

struct crew {
    struct hot_lane lane;
    int count;
    int64_t want;
    struct hot_worker workers[WORKERS_MAX];
    struct work_operation works[WORKERS_MAX];
    struct slice_result results[WORKERS_MAX][GRANTS_MAX];
    struct queue_want wants;
};

static const char *database(struct pg *pg)
{
    const char *other = getenv("CURFEW_BENCH_DATABASE");
    return other ? other : pg_database_new(pg);
}

static void crew_start(struct crew *crew, const char *conninfo, int count, int64_t want)
{
    static int names;
    *crew = (struct crew){.lane = hot_lane_open(conninfo), .count = count, .wants = {"default", want}};
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", names++);
        crew->workers[i] = hot_worker_new(crew->lane.db, name);
    }
}

static void crew_stop(struct crew *crew)
{
    for (int i = 0; i < crew->count; i++)
        work_operation_release(&crew->works[i]);
    hot_lane_close(&crew->lane);
}

// Reports everything that was granted last time, and polls. Returns how many tasks were reported.
static int64_t prepare(struct crew *crew, int i)
{
    struct work_operation *work = &crew->works[i];
    int64_t tasks = 0;
    size_t count = work->grant_count;
    assert_true(count <= GRANTS_MAX);
    for (size_t n = 0; n < count; n++) {
        crew->results[i][n] = hot_success(&work->grants[n]);
        tasks += work->grants[n].count;
    }
    struct arena *arena = work->arena;
    *work = hot_poll(crew->workers[i], &crew->wants);
    work->arena = arena;
    work->results = crew->results[i];
    work->result_count = count;
    return tasks;
}

// CPU time of the lane's server process, which is given it by the machine whatever else runs there.
static double server_seconds(struct crew *crew)
{
    char path[64];
    double user = 0, system = 0;
    AUTO_RESULT struct result pid = RESULT_INIT;
    struct err err = {0};
    assert_ok(db_sql(crew->lane.own, "SELECT pg_backend_pid()", NULL, RESULT_TEXT, &pid, &err), err);
    snprintf(path, sizeof path, "/proc/%s/stat", result_text(&pid, 0, 0));
    AUTO_FILE FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lf %lf", &user, &system) != 2)
        return 0;
    return (user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double own_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct meter {
    int64_t begin_us;
    double server, own;
    int64_t things, batches;
};

static struct meter meter_start(struct crew *crew)
{
    return (struct meter){clock_boot_us(), server_seconds(crew), own_seconds(), 0, 0};
}

static bool meter_goes_on(const struct meter *meter)
{
    return clock_boot_us() - meter->begin_us < duration_ms * 1000;
}

static void meter_print(const struct meter *meter, struct crew *crew, const char *what, const char *unit)
{
    double seconds = (double)(clock_boot_us() - meter->begin_us) / 1e6, batches = (double)meter->batches;
    double server = server_seconds(crew) - meter->server, own = own_seconds() - meter->own;
    printf("%-40s %9.0f %s/s; per batch %.2f ms, of CPU: server %.2f ms, lane %.2f ms; %.0f %s per CPU second\n", what,
           (double)meter->things / seconds, unit, seconds * 1e3 / batches, server * 1e3 / batches, own * 1e3 / batches,
           (double)meter->things / (server + own), unit);
}

static int64_t crew_round(struct crew *crew, struct submit_operation **submits, size_t submit_count)
{
    struct err err = {0};
    struct work_operation *works[WORKERS_MAX];
    int64_t tasks = 0;
    for (int i = 0; i < crew->count; i++) {
        works[i] = &crew->works[i];
        tasks += prepare(crew, i);
    }
    wakes_clear(&crew->lane.wakes);
    assert_ok(hot_run(crew->lane.hot, submits, submit_count, works, (size_t)crew->count, &crew->lane.wakes, &err), err);
    for (int i = 0; i < crew->count; i++)
        assert_false(works[i]->failed);
    return tasks;
}

#define TASKS 100000000

// So many workers of tasks in so many jobs.
static void drain_for(struct pg *pg, const char *what, int workers, int64_t want, int jobs)
{
    struct crew crew;
    crew_start(&crew, database(pg), workers, want);
    for (int i = 0; i < jobs; i++)
        hot_lane_submit(&crew.lane, "{'name': 'big', 'command': ['x'], 'tasks': {'count': %d}}", TASKS / jobs);
    store_sql(crew.lane.db, "VACUUM (ANALYZE)");
    store_sql(crew.lane.db, "CHECKPOINT");
    struct meter meter = meter_start(&crew);
    for (; meter_goes_on(&meter); meter.batches++)
        meter.things += crew_round(&crew, NULL, 0);
    meter_print(&meter, &crew, what, "tasks");
    hot_check(&crew.lane);
    crew_stop(&crew);
}

static void small_spec(struct job_spec *spec)
{
    struct err err = {0};
    const char *json = "{\"name\": \"small\", \"command\": [\"./run.sh\"], \"labels\": {\"team\": \"search\"}}";
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    assert_ok(job_spec_parse(json, strlen(json), spec, &faults, &err), err);
}

static void one_task_jobs(struct pg *pg)
{
    struct crew crew;
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    small_spec(&spec);
    struct submit_operation operations[WORKERS_MAX], *submits[WORKERS_MAX];
    crew_start(&crew, database(pg), WORKERS_MAX, 1);
    struct meter meter = meter_start(&crew);
    for (; meter_goes_on(&meter); meter.batches++) {
        for (int i = 0; i < WORKERS_MAX; i++) {
            operations[i] = (struct submit_operation){.spec = &spec, .fingerprint = "f", .job = id_new()};
            submits[i] = &operations[i];
        }
        meter.things += crew_round(&crew, submits, WORKERS_MAX);
    }
    meter_print(&meter, &crew, "jobs of one task, submitted to closed", "jobs");
    hot_check(&crew.lane);
    crew_stop(&crew);
}

// Each time one of the workers takes what is submitted and reports it.
static void jobs_that_come_alone(struct pg *pg)
{
    struct crew crew;
    struct err err = {0};
    AUTO_JOB_SPEC struct job_spec spec = JOB_SPEC_INIT;
    int64_t submit_us = 0;
    small_spec(&spec);
    crew_start(&crew, database(pg), 4, 1);
    hot_lane_submit(&crew.lane, "{'name': 'first', 'command': ['x'], 'tasks': {'count': %d}}", 2 * crew.count);
    for (int i = 0; i < 4; i++) // what the workers can serve is known then
        crew_round(&crew, NULL, 0);
    struct meter meter = meter_start(&crew);
    for (; meter_goes_on(&meter); meter.things++) {
        int i = (int)(meter.things % crew.count);
        struct submit_operation operation = {.spec = &spec, .fingerprint = "f", .job = id_new()}, *submit = &operation;
        struct work_operation *work = &crew.works[i];
        int64_t began_us = clock_boot_us();
        prepare(&crew, i);
        assert_ok(hot_run(crew.lane.hot, &submit, 1, &work, 1, &crew.lane.wakes, &err), err);
        submit_us += clock_boot_us() - began_us;
        assert_int_equal(work->grant_count, 1);
        prepare(&crew, i);
        assert_ok(hot_run(crew.lane.hot, NULL, 0, &work, 1, &crew.lane.wakes, &err), err);
        wakes_clear(&crew.lane.wakes);
        meter.batches += 2;
    }
    meter_print(&meter, &crew, "jobs of one task that come alone", "jobs");
    printf("  a submission with its poll took %.3f ms\n", (double)submit_us / 1e3 / (double)meter.things);
    hot_check(&crew.lane);
    crew_stop(&crew);
}

// ---- lanes side by side, as two managers have them

struct side {
    pthread_t thread;
    struct crew crew;
    struct meter meter;
};

static void *drain_side(void *context)
{
    struct side *side = context;
    for (side->meter = meter_start(&side->crew); meter_goes_on(&side->meter); side->meter.batches++)
        side->meter.things += crew_round(&side->crew, NULL, 0);
    return NULL;
}

static void drain_side_by_side(struct pg *pg, int lanes)
{
    static struct side sides[2];
    const char *conninfo = database(pg);
    for (int i = 0; i < lanes; i++)
        crew_start(&sides[i].crew, conninfo, 16 / lanes, 100);
    hot_lane_submit(&sides[0].crew.lane, "{'name': 'big', 'command': ['x'], 'tasks': {'count': %d}}", TASKS);
    store_sql(sides[0].crew.lane.db, "VACUUM (ANALYZE)");
    store_sql(sides[0].crew.lane.db, "CHECKPOINT");
    for (int i = 0; i < lanes; i++)
        assert_int_equal(pthread_create(&sides[i].thread, NULL, drain_side, &sides[i]), 0);
    for (int i = 0; i < lanes; i++)
        pthread_join(sides[i].thread, NULL);
    for (int i = 0; i < lanes; i++) {
        char what[64];
        snprintf(what, sizeof what, "lane %d of %d, %d workers, slices of 100", i + 1, lanes, 16 / lanes);
        meter_print(&sides[i].meter, &sides[i].crew, what, "tasks");
    }
    hot_check(&sides[0].crew.lane);
    for (int i = 0; i < lanes; i++)
        crew_stop(&sides[i].crew);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1)
        duration_ms = strtoll(argv[1], NULL, 10) * 1000;
    AUTO_PG struct pg *pg = pg_start(PG_FSYNC);
    const char *only = argc > 2 ? argv[2] : "";
    if (!*only || *only == '1')
        drain_for(pg, "16 workers, slices of 100", 16, 100, 1);
    if (!*only || *only == '2')
        drain_for(pg, "64 workers, single tasks", 64, 1, 1);
    if (!*only || *only == '3')
        one_task_jobs(pg);
    if (!*only || *only == '4')
        drain_for(pg, "the same of 10,000 open jobs", 16, 100, 10000);
    if (!*only || *only == '5')
        jobs_that_come_alone(pg);
    for (int lanes = 1; (!*only || *only == '6') && lanes <= 2; lanes++)
        drain_side_by_side(pg, lanes);
    return 0;
}
