#include "tests/faults/jobs.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/model/states.h"
#include "tests/support/oracle.h"
#include "tests/support/process.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRIES "'retries':{'max':100,'backoff':'20ms','backoff_max':'200ms'}"
#define LIFE "'timeout':'30m','max_lifetime':'1h'"
#define SERVICE                                                                                                     \
    "{'name':'store','command':['NASTY-PROGRAM','tree'],'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'},"        \
    "'ready':{'tcp':'main'},'stop':{'grace':'300ms'},'on_failure':{'restart':{'max':1000,'window':'2s','backoff':'" \
    "20ms'}}}"
#define SECOND                                                                                                   \
    "{'name':'front','command':['NASTY-PROGRAM','ignore-term'],'depends_on':['store'],'stop':{'grace':'100ms'}," \
    "'on_failure':{'restart':{'max':1000,'window':'2s','backoff':'20ms'}}}"
#define OUTPUT "echo $CURFEW_TASK >$CURFEW_OUTPUT"
#define STREAM                                                                  \
    "import json,sys\\nfor line in sys.stdin:\\n t=json.loads(line)['task']\\n" \
    " print(json.dumps({'task':t,'ok':True,'outputs':[t]}),flush=True)"

static const struct kind {
    const char *name, *spec;
    int64_t results;
} kinds[] = {
    {"services",
     "{'name':'services'," LIFE ",'services':[" SERVICE "," SECOND "],'stages':[{'name':'main'," RETRIES
     ",'tasks':{'count':20},'command':['sh','-c','sleep 0.05; " OUTPUT "']}]}",
     20},
    {"chain",
     "{'name':'chain'," LIFE ",'stages':[{'name':'source'," RETRIES
     ",'tasks':{'count':30},'command':['sh','-c','" OUTPUT "']},{'name':'sink','from':'source'," RETRIES
     ",'command':['sh','-c','cat >$CURFEW_OUTPUT']}]}",
     30},
    {"flaky",
     "{'name':'flaky'," LIFE ",'stages':[{'name':'main'," RETRIES
     ",'tasks':{'count':20},'command':['sh','-c','[ $CURFEW_ATTEMPT -gt 1 ] || exit 7; " OUTPUT "']}]}",
     20},
    {"stream",
     "{'name':'stream'," LIFE ",'stages':[{'name':'main','mode':'stream'," RETRIES
     ",'tasks':{'count':60},'command':['python3','-c',"
     "'STREAM-PROGRAM']}]}",
     60},
    {"after",
     "{'name':'after'," LIFE ",'services':[" SERVICE "],'stages':[{'name':'first','max_parallel':2," RETRIES
     ",'tasks':{'count':6},'command':['sh','-c','sleep 0.1']},{'name':'last','after':'first'," RETRIES
     ",'command':['sh','-c','" OUTPUT "']}]}",
     1},
};

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

void jobs_init(struct jobs *jobs, struct system *system)
{
    *jobs = (struct jobs){.system = system};
    for (int i = 0; i < JOBS_OPEN; i++)
        jobs->open[i].kind = -1;
}

void jobs_fill(struct jobs *jobs)
{
    for (int i = 0; i < JOBS_OPEN; i++) {
        struct open_job *job = &jobs->open[i];
        if (job->kind >= 0)
            continue;
        job->kind = (int)(jobs->submitted++ % ARRAY_LEN(kinds));
        job->results = kinds[job->kind].results;
        char *spec = put(quoted("%s", kinds[job->kind].spec), "STREAM-PROGRAM", STREAM);
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
            kinds[job->kind].name, (long long)lines, (long long)doubles, (long long)job->results);
    return 1;
}

// Nothing of a closed job runs, now.
static int check_processes(const struct open_job *job)
{
    char marker[SYSTEM_ID_SIZE + sizeof "CURFEW_JOB="];
    snprintf(marker, sizeof marker, "CURFEW_JOB=%s", job->id);
    int64_t left = oracle_find(marker, NULL, 0);
    if (left == 0)
        return 0;
    fprintf(stderr, "faults: job %s (%s) is closed, and %lld processes of it are left\n", job->id,
            kinds[job->kind].name, (long long)left);
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
    int wrong = check_processes(job) + check_results(jobs, job);
    if (strcmp(json_text_at(shown, "/outcome"), "succeeded") != 0) {
        fprintf(stderr, "faults: job %s (%s) has outcome %s\n", job->id, kinds[job->kind].name,
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
        fprintf(stderr, "faults: job %s (%s) does not close\n", jobs->open[i].id, kinds[jobs->open[i].kind].name);
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
