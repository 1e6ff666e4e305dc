#include "tests/bench/scenarios/ledger.h"

#include "tests/support/die.h"

#include <stdlib.h>
#include <string.h>

#define ID_LENGTH 13

struct ledger_job {
    char id[ID_LENGTH + 1]; // "": free
    unsigned char *given;   // a bit per task
};

void ledger_release(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->room; i++)
        free(ledger->jobs[i].given);
    free(ledger->jobs);
    *ledger = (struct ledger){0};
}

static struct ledger_job *place_of(struct ledger_job *jobs, size_t room, const char *id)
{
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < ID_LENGTH; i++)
        hash = (hash ^ (unsigned char)id[i]) * 1099511628211u;
    size_t at = hash & (room - 1);
    while (jobs[at].id[0] && memcmp(jobs[at].id, id, ID_LENGTH) != 0)
        at = (at + 1) & (room - 1);
    return &jobs[at];
}

static void grow(struct ledger *ledger)
{
    size_t room = ledger->room ? ledger->room * 2 : 1024;
    struct ledger_job *jobs = calloc(room, sizeof *jobs);
    if (!jobs)
        die("bench: no memory");
    for (size_t i = 0; i < ledger->room; i++)
        if (ledger->jobs[i].id[0])
            *place_of(jobs, room, ledger->jobs[i].id) = ledger->jobs[i];
    free(ledger->jobs);
    ledger->jobs = jobs;
    ledger->room = room;
}

static struct ledger_job *job_of(struct ledger *ledger, const char *id, int64_t per_job)
{
    if (ledger->count * 2 >= ledger->room)
        grow(ledger);
    struct ledger_job *job = place_of(ledger->jobs, ledger->room, id);
    if (job->id[0])
        return job;
    memcpy(job->id, id, ID_LENGTH);
    job->given = calloc((size_t)per_job / 8 + 1, 1);
    if (!job->given)
        die("bench: no memory");
    ledger->count++;
    return job;
}

void ledger_give(struct ledger *ledger, const char *job, int64_t per_job, int64_t first, int64_t count)
{
    unsigned char *given = job_of(ledger, job, per_job)->given;
    if (first < 0 || count < 1 || first + count > per_job)
        die("bench: tasks %lld to %lld of a job of %lld", (long long)first, (long long)(first + count),
            (long long)per_job);
    for (int64_t task = first; task < first + count; task++) {
        unsigned char bit = (unsigned char)(1 << (task & 7));
        if (given[task >> 3] & bit)
            die("bench: task %lld of job %.13s was given out twice", (long long)task, job);
        given[task >> 3] |= bit;
    }
    ledger->tasks += count;
}
