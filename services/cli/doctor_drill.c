// The drill: a canary job, its worker killed, and the proof that nothing of the canary is left.
//
// The worker kills itself by order of an administrator, wherever it runs: this command has no process to kill and
// guesses none. The manager refuses when the worker has anything but the canary. What is left is looked for in this
// machine's processes by a mark in the canary's command lines, which owes nothing to what the worker, the manager or
// the database say.
#include "services/cli/api.h"
#include "services/cli/doctor.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/id.h"
#include "services/common/base/process.h"

#include <string.h>
#include <time.h>

#define AREA "drill"
#define READY_MS 60000
#define UNSEEN_MS 2000 // until it counts as being on another machine
#define SEEN_MS 10000  // for the rest of it to come
#define GONE_MS 60000  // of the canary's processes
#define CLOSED_MS 180000
#define LOOK_MS 50
#define LOOP "while :; do sleep 1; done"

struct drill {
    struct cli *cli;
    struct findings *findings;
    char mark[64]; // in the command line of each of the canary's processes that stay
    char job[ID_TEXT_SIZE];
    char worker_name[256];
    int64_t worker, incarnation;
    int here; // processes of the canary on this machine, before the kill
};

static bool wrong(struct drill *drill, const char *check, const char *advice, const char *found)
{
    findings_add(drill->findings, AREA, check, VERDICT_WRONG, advice, "%s", found);
    return false;
}

static void pause_ms(int64_t ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

// ---- the independent look

static bool is_marked(pid_t pid, const char *mark)
{
    char path[64];
    AUTO_FREE char *line = NULL;
    struct err err;
    size_t length;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    return file_read(path, 65536, &line, &length, &err) == 0 && memmem(line, length, mark, strlen(mark)) != NULL;
}

// How many processes of this machine carry the mark; -1: it cannot be seen.
static int count_marked(const char *mark)
{
    struct process_walk walk;
    struct err err;
    int count = 0;
    if (process_walk_begin(&walk, &err) < 0)
        return -1;
    for (pid_t pid = process_walk_next(&walk); pid > 0; pid = process_walk_next(&walk))
        count += is_marked(pid, mark);
    process_walk_end(&walk);
    return count;
}

// ---- which workers there are

// The first worker that fits, in *page; NULL: there is none, or *err says why they cannot be seen.
static struct json_object *find_worker(const struct drill *drill,
                                       bool (*fits)(const struct drill *drill, struct json_object *worker),
                                       struct json_document *page, struct err *err)
{
    char path[160] = "/v1/workers";
    for (const char *next = path; *next; next = api_text(page->root, "next")) {
        if (next != path)
            snprintf(path, sizeof path, "/v1/workers?cursor=%.100s", next);
        json_document_release(page);
        if (api_get(drill->cli, path, page, err) < 0)
            return NULL;
        struct json_object *list = api_member(page->root, "workers");
        for (size_t i = 0; list && i < json_object_array_length(list); i++)
            if (fits(drill, json_object_array_get_idx(list, i)))
                return json_object_array_get_idx(list, i);
    }
    return NULL;
}

static bool has_name(const struct drill *drill, struct json_object *worker)
{
    return strcmp(api_text(worker, "name"), drill->worker_name) == 0;
}

static bool has_text(struct json_object *worker, const char *member, const char *text)
{
    struct json_object *list = api_member(worker, member);
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), text) == 0)
            return true;
    return false;
}

static bool takes_canary(const struct drill *drill, struct json_object *worker)
{
    UNUSED(drill);
    return strcmp(api_text(worker, "state"), "ready") == 0 && has_text(worker, "runtimes", "process") &&
           has_text(worker, "queues", "default");
}

// Before anything is submitted that nobody would take.
static bool somebody_takes_canary(struct drill *drill)
{
    AUTO_JSON_DOCUMENT struct json_document page = JSON_DOCUMENT_INIT;
    struct err err = {0};
    if (find_worker(drill, takes_canary, &page, &err))
        return true;
    return wrong(
        drill, "canary",
        "start a worker, or give one the queue `default` (--queues); with an engine or without, all run processes",
        *err.text ? err.text : "no ready worker has the runtime `process` and the queue `default`");
}

// ---- the canary

// A service with a child that has left its session, and a task: all of them for ever.
static void write_spec(const struct drill *drill, struct strbuf *out)
{
    strbuf_add_format(
        out,
        "{\"name\":\"curfew-drill\",\"timeout\":\"10m\",\"services\":[{\"name\":\"canary\",\"runtime\":"
        "\"process\",\"command\":[\"sh\",\"-c\",\"setsid sh -c '" LOOP "' %s & " LOOP "\",\"%s\"],"
        "\"stop\":{\"grace\":\"1s\"}}],\"stages\":[{\"name\":\"canary\",\"runtime\":\"process\",\"command\":"
        "[\"sh\",\"-c\",\"" LOOP "\",\"%s\"],\"tasks\":{\"count\":1},\"retries\":{\"max\":0}}]}",
        drill->mark, drill->mark, drill->mark);
}

static bool submit(struct drill *drill)
{
    AUTO_STRBUF struct strbuf spec = STRBUF_INIT;
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    struct err err;
    write_spec(drill, &spec);
    if (strbuf_ok(&spec, &err) < 0 ||
        api_call(drill->cli, "POST", "/v1/jobs", strbuf_text(&spec), drill->mark, 0, &answer, NULL, &err) < 0)
        return wrong(drill, "canary", "the drill needs a token that may submit jobs, of role admin", err.text);
    snprintf(drill->job, sizeof drill->job, "%s", api_text(answer.root, "id"));
    return true;
}

// The job's part, such as "/services". The tree is the caller's.
static bool get_part(struct drill *drill, const char *part, struct json_document *out)
{
    char path[128];
    struct err err;
    return api_job_path(drill->job, part, path, sizeof path, &err) == 0 && api_get(drill->cli, path, out, &err) == 0;
}

static bool canary_is_up(struct drill *drill)
{
    AUTO_JSON_DOCUMENT struct json_document services = JSON_DOCUMENT_INIT;
    if (!get_part(drill, "/services", &services))
        return false;
    struct json_object *list = api_member(services.root, "services");
    struct json_object *canary = list ? json_object_array_get_idx(list, 0) : NULL;
    snprintf(drill->worker_name, sizeof drill->worker_name, "%s", api_text(canary, "worker"));
    return strcmp(api_text(canary, "state"), "ready") == 0;
}

static bool wait_for_canary(struct drill *drill)
{
    AUTO_JSON_DOCUMENT struct json_document why = JSON_DOCUMENT_INIT;
    int64_t deadline_ms = clock_boot_ms() + READY_MS;
    while (!canary_is_up(drill)) {
        if (clock_boot_ms() > deadline_ms)
            return wrong(drill, "canary", "it needs a worker with the process runtime and the queue `default`",
                         get_part(drill, "/why", &why) ? api_text(why.root, "message") : "it was not ready in time");
        pause_ms(LOOK_MS);
    }
    // Its child and the task come as well, if they are on this machine; what is nowhere here is on another one.
    int64_t ready_ms = clock_boot_ms();
    for (; clock_boot_ms() < ready_ms + (drill->here > 0 ? SEEN_MS : UNSEEN_MS); pause_ms(LOOK_MS)) {
        drill->here = count_marked(drill->mark);
        if (drill->here >= 3)
            break;
    }
    return true;
}

// ---- the worker

static bool kill_worker(struct drill *drill)
{
    AUTO_JSON_DOCUMENT struct json_document workers = JSON_DOCUMENT_INIT;
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    char path[64], body[96];
    struct err err;
    struct json_object *worker = find_worker(drill, has_name, &workers, &err);
    if (!worker)
        return wrong(drill, "kill", "look at `curfew workers`", "the canary's worker is not in the list");
    drill->worker = api_number(worker, "id");
    drill->incarnation = api_number(worker, "incarnation");
    snprintf(path, sizeof path, "/v1/workers/%lld/drill", (long long)drill->worker);
    snprintf(body, sizeof body, "{\"job\":\"%s\",\"force\":%s}", drill->job,
             cli_option(drill->cli, "--force") ? "true" : "false");
    if (api_call(drill->cli, "POST", path, body, NULL, 0, &answer, NULL, &err) < 0)
        return wrong(drill, "kill",
                     "nothing was killed; drill when the worker is idle, or with --force, which ends what it has: its "
                     "tasks are run again, its services fail",
                     err.text);
    findings_add(drill->findings, AREA, "kill", VERDICT_OK, NULL, "worker '%s', incarnation %lld, was ordered to",
                 drill->worker_name, (long long)drill->incarnation);
    return true;
}

// ---- what became of it

static void look_at_processes(struct drill *drill, int64_t ordered_ms)
{
    int left = drill->here;
    if (drill->here <= 0) {
        findings_add(drill->findings, AREA, "processes", VERDICT_WARNING,
                     "run the drill on the worker's machine to have it looked at independently",
                     "nothing of the canary was seen on this machine");
        return;
    }
    while (left != 0 && clock_boot_ms() < ordered_ms + GONE_MS) {
        pause_ms(LOOK_MS);
        left = count_marked(drill->mark);
    }
    findings_add(drill->findings, AREA, "processes", left == 0 ? VERDICT_OK : VERDICT_WRONG,
                 "something of the canary outlived its worker: look for the mark with `ps`, and at the kill boundary",
                 "%d of the canary were on this machine, %d with the mark %s %.1f s after the order", drill->here, left,
                 drill->mark, (double)(clock_boot_ms() - ordered_ms) / 1000);
}

static void look_at_job(struct drill *drill, int64_t ordered_ms)
{
    AUTO_JSON_DOCUMENT struct json_document job = JSON_DOCUMENT_INIT;
    const char *cleanup = "";
    do {
        json_document_release(&job);
        if (get_part(drill, "?wait=closed&timeout=5s", &job) && api_member(job.root, "closed_at"))
            break;
        pause_ms(LOOK_MS);
    } while (clock_boot_ms() < ordered_ms + CLOSED_MS);
    cleanup = api_text(job.root, "cleanup");
    bool closed = api_member(job.root, "closed_at") != NULL;
    findings_add(drill->findings, AREA, "job", closed && strcmp(cleanup, "clean") == 0 ? VERDICT_OK : VERDICT_WRONG,
                 "`curfew why JOB` says what it waits for", "%s: %s, cleanup %s, %.1f s after the order", drill->job,
                 closed ? "closed" : "not closed", cleanup, (double)(clock_boot_ms() - ordered_ms) / 1000);
}

static void look_at_certificate(struct drill *drill)
{
    AUTO_JSON_DOCUMENT struct json_document cleanup = JSON_DOCUMENT_INIT;
    if (!get_part(drill, "/cleanup", &cleanup)) {
        wrong(drill, "certificate", "ask again", "the manager does not say");
        return;
    }
    struct json_object *list = api_member(cleanup.root, "certificates");
    struct json_object *first = list ? json_object_array_get_idx(list, 0) : NULL;
    const char *grade = api_text(first, "grade");
    bool known = *grade && api_member(first, "verified_at");
    findings_add(drill->findings, AREA, "certificate",
                 !known                           ? VERDICT_WRONG
                 : strcmp(grade, "presumed") == 0 ? VERDICT_WARNING
                                                  : VERDICT_OK,
                 known ? "nobody has looked: the certificate is upgraded when the worker is back"
                       : "`curfew cleanup JOB`",
                 "grade %s, boundary %s", known ? grade : "none", api_text(first, "boundary"));
}

static void look_at_worker(struct drill *drill, int64_t ordered_ms)
{
    AUTO_JSON_DOCUMENT struct json_document workers = JSON_DOCUMENT_INIT;
    struct err err;
    struct json_object *worker = find_worker(drill, has_name, &workers, &err);
    bool back = worker && api_number(worker, "incarnation") > drill->incarnation;
    findings_add(drill->findings, AREA, "worker", back ? VERDICT_OK : VERDICT_WARNING,
                 "whatever supervises it should start it again", "'%s' is %s, %.1f s after the order: %s",
                 drill->worker_name, back ? "back" : "not back", (double)(clock_boot_ms() - ordered_ms) / 1000,
                 worker ? api_text(worker, "state") : "gone");
}

static void stop_canary(struct drill *drill)
{
    AUTO_JSON_DOCUMENT struct json_document answer = JSON_DOCUMENT_INIT;
    char path[128];
    struct err err;
    if (api_job_path(drill->job, "/stop", path, sizeof path, &err) < 0 ||
        api_call(drill->cli, "POST", path, "{}", NULL, 0, &answer, NULL, &err) < 0)
        wrong(drill, "canary", "`curfew stop` it; it ends by itself after ten minutes", err.text);
}

void doctor_drill(struct cli *cli, struct findings *findings)
{
    struct drill drill = {.cli = cli, .findings = findings};
    char id[ID_TEXT_SIZE];
    id_format('c', id_new(), id);
    snprintf(drill.mark, sizeof drill.mark, "curfew-drill-%s", id);
    if (!somebody_takes_canary(&drill) || !submit(&drill))
        return;
    int64_t ordered_ms = clock_boot_ms();
    if (!wait_for_canary(&drill) || !kill_worker(&drill)) {
        stop_canary(&drill);
        return;
    }
    ordered_ms = clock_boot_ms();
    look_at_processes(&drill, ordered_ms);
    look_at_job(&drill, ordered_ms);
    look_at_certificate(&drill);
    look_at_worker(&drill, ordered_ms);
}
