#include "tests/faults/jobs.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/model/states.h"
#include "tests/faults/containers.h"
#include "tests/support/oracle.h"
#include "tests/support/process.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Replaces every `place` in the spec, which is freed, by `text`, whose quotes stay as they are.
static char *put(char *spec, const char *place, const char *text)
{
    for (char *at; (at = strstr(spec, place));) {
        char *out = NULL;
        if (asprintf(&out, "%.*s%s%s", (int)(at - spec), spec, text, at + strlen(place)) < 0)
            abort();
        free(spec);
        spec = out;
    }
    return spec;
}

void jobs_init(struct jobs *jobs, struct system *system, struct engine *engine)
{
    *jobs =
        (struct jobs){.system = system, .engine = engine, .kinds = engine ? &kinds_of_containers : &kinds_of_processes};
    for (int i = 0; i < JOBS_OPEN; i++)
        jobs->open[i].kind = -1;
}

static const char *kind_name(const struct jobs *jobs, const struct open_job *job)
{
    return jobs->kinds->list[job->kind].name;
}

void jobs_fill(struct jobs *jobs)
{
    for (int i = 0; i < JOBS_OPEN; i++) {
        struct open_job *job = &jobs->open[i];
        if (job->kind >= 0)
            continue;
        job->kind = (int)(jobs->submitted++ % jobs->kinds->count);
        const struct job_kind *kind = &jobs->kinds->list[job->kind];
        job->results = kind->results;
        char *spec = put(quoted("%s", kind->spec), "STREAM-PROGRAM", jobs->kinds->stream_program);
        spec = put(spec, "NASTY-PROGRAM", fixture_path("nasty"));
        system_submit_text(jobs->system, spec, job->id);
        free(spec);
    }
}

// ---- what must hold of a job that is closed

static int64_t count_lines(const char *text)
{
    int64_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Lines that stand there more than once.
static int64_t count_doubles(char *text, int64_t lines)
{
    char **list = calloc((size_t)lines + 1, sizeof *list), *rest = text;
    int64_t count = 0, doubles = 0;
    if (!list)
        abort();
    for (char *line; (line = strsep(&rest, "\n")) && *line && count < lines;)
        list[count++] = line;
    qsort(list, (size_t)count, sizeof *list, by_text);
    for (int64_t i = 1; i < count; i++)
        doubles += strcmp(list[i - 1], list[i]) == 0;
    free(list);
    return doubles;
}

static int check_results(struct jobs *jobs, const struct open_job *job)
{
    char *text = system_stream(jobs->system, "/v1/jobs/%s/results", job->id);
    int64_t lines = count_lines(text), doubles = count_doubles(text, lines);
    free(text);
    if (lines == job->results && doubles == 0)
        return 0;
    fprintf(stderr, "faults: job %s (%s) has %lld results, %lld of them twice; expected %lld\n", job->id,
            kind_name(jobs, job), (long long)lines, (long long)doubles, (long long)job->results);
    return 1;
}

// Nothing of a closed job runs, now.
static int check_processes(const struct jobs *jobs, const struct open_job *job)
{
    char marker[SYSTEM_ID_SIZE + sizeof "CURFEW_JOB="];
    snprintf(marker, sizeof marker, "CURFEW_JOB=%s", job->id);
    int64_t left = oracle_find(marker, NULL, 0);
    if (left == 0)
        return 0;
    fprintf(stderr, "faults: job %s (%s) is closed, and %lld processes of it are left\n", job->id, kind_name(jobs, job),
            (long long)left);
    oracle_print(marker);
    return 1;
}

static void remember(struct jobs *jobs, const char *id)
{
    jobs->closed_ids = reallocarray(jobs->closed_ids, jobs->closed + 1, sizeof *jobs->closed_ids);
    if (!jobs->closed_ids)
        abort();
    snprintf(jobs->closed_ids[jobs->closed++], SYSTEM_ID_SIZE, "%s", id);
}

static void check_closed(struct jobs *jobs, struct open_job *job, struct json_object *shown)
{
    int wrong = check_processes(jobs, job) + check_results(jobs, job);
    if (jobs->engine)
        wrong += containers_check_closed(jobs->engine, jobs->system, job->id);
    if (strcmp(json_text_at(shown, "/outcome"), "succeeded") != 0) {
        fprintf(stderr, "faults: job %s (%s) has outcome %s\n", job->id, kind_name(jobs, job),
                json_text_at(shown, "/outcome"));
        wrong++;
    }
    if (wrong > 0)
        system_explain(jobs->system, job->id);
    jobs->violations += wrong;
    remember(jobs, job->id);
    job->kind = -1;
}

void jobs_look(struct jobs *jobs)
{
    for (int i = 0; i < JOBS_OPEN; i++) {
        struct open_job *job = &jobs->open[i];
        if (job->kind < 0)
            continue;
        AUTO_JSON_OBJECT struct json_object *shown = system_get(jobs->system, "/v1/jobs/%s", job->id);
        if (*json_text_at(shown, "/closed_at"))
            check_closed(jobs, job, shown);
    }
}

static int count_open(const struct jobs *jobs)
{
    int count = 0;
    for (int i = 0; i < JOBS_OPEN; i++)
        count += jobs->open[i].kind >= 0;
    return count;
}

void jobs_finish(struct jobs *jobs, int64_t timeout_ms)
{
    int64_t until_ms = clock_boot_ms() + timeout_ms;
    while (count_open(jobs) > 0 && clock_boot_ms() < until_ms) {
        jobs_look(jobs);
        poll(NULL, 0, 50);
    }
    for (int i = 0; i < JOBS_OPEN; i++) {
        if (jobs->open[i].kind < 0)
            continue;
        fprintf(stderr, "faults: job %s (%s) does not close\n", jobs->open[i].id, kind_name(jobs, &jobs->open[i]));
        system_explain(jobs->system, jobs->open[i].id);
        jobs->violations++;
    }
}

// One that was stopped before it was started is absent at the first look, and there is nothing to look for again.
#define UNVERIFIED "grade <> %d AND NOT (grade = %d AND started_at IS NULL)"

static bool all_verified(void *context)
{
    struct jobs *jobs = context;
    return system_sql(jobs->system, "SELECT count(*) FROM curfew.instance WHERE " UNVERIFIED, GRADE_VERIFIED,
                      GRADE_ABSENT) == 0;
}

static void explain_unverified(struct jobs *jobs)
{
    char id[SYSTEM_ID_SIZE];
    fprintf(stderr, "faults: not every certificate is verified though all workers are back\n");
    id_format('j',
              system_sql(jobs->system, "SELECT min(job) FROM curfew.instance WHERE " UNVERIFIED, GRADE_VERIFIED,
                         GRADE_ABSENT),
              id);
    system_explain(jobs->system, id);
}

void jobs_check_certificates(struct jobs *jobs, int64_t timeout_ms)
{
    if (!wait_until(all_verified, jobs, timeout_ms)) {
        explain_unverified(jobs);
        jobs->violations++;
    }
    for (unsigned i = 0; i < jobs->closed; i++)
        jobs->violations += system_leftovers(jobs->system, jobs->closed_ids[i]);
}
