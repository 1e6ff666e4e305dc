#include "services/common/model/why.h"

#include "services/common/base/utf8.h"
#include "services/common/model/why_internal.h"

#include <stdarg.h>

#define JOB WHY_OF_JOB
#define TASK WHY_OF_TASK
#define SERVICE WHY_OF_SERVICE
#define WORKER WHY_OF_WORKER

static const struct {
    const char *name;
    int of; // enum why_subject, several
    const char *meaning, *advice;
} reasons[WHY_COUNT] = {
    [WHY_CLOSED] = {"closed", JOB, "the job has its outcome and nothing of it is left", ""},
    [WHY_STOPPING_TASKS] = {"stopping_tasks", JOB | TASK, "the job has ended; tasks that still run are being ended",
                            "wait; what ignores SIGTERM is killed after its grace"},
    [WHY_SERVICE_STUCK] = {"service_stuck", JOB | SERVICE,
                           "something of a service is there that could not be ended; its worker is quarantined",
                           "look at the processes on that host, and do what the message says; the worker takes nothing "
                           "new until they are gone"},
    [WHY_WORKER_UNREACHABLE] = {"worker_unreachable", JOB | SERVICE,
                                "a service of an ended job is on a worker that does not answer",
                                "bring the worker back, or wait until its lease and the allowance are over"},
    [WHY_STOPPING_SERVICE] = {"stopping_service", JOB | SERVICE, "a service was asked to stop and uses its grace",
                              "wait; it is killed when its grace is over. While its container engine does not work, "
                              "mend the engine: it is killed as soon as that works"},
    [WHY_VERIFYING] = {"verifying", JOB | SERVICE, "a service has stopped; a second look has to see that it is gone",
                       "wait; the reaper asks again"},
    [WHY_KEPT_BY_POLICY] = {"kept_by_policy", JOB | SERVICE, "autostop is off for this outcome: the services stay up",
                            "stop the job to end them"},
    [WHY_KEPT_FOR_A_WHILE] = {"kept_for_a_while", JOB | SERVICE,
                              "`linger` or `keep_on_failure` keeps the services up for a while",
                              "stop the job to end them now, or extend it"},
    [WHY_PAUSED] = {"paused", JOB | TASK, "the job is paused: what runs goes on, nothing new starts", "resume the job"},

    [WHY_SERVICE_WAITS_DEPENDENCY] = {"service_waits_dependency", JOB | TASK | SERVICE,
                                      "a service waits for one that it depends on", "look at that service"},
    [WHY_SERVICE_NO_WORKER] = {"service_no_worker", JOB | TASK | SERVICE, "no worker could ever take the service",
                               "start a worker that has this runtime and these labels, or mend what a worker says of "
                               "its runtime"},
    [WHY_SERVICE_NO_ROOM] = {"service_no_room", JOB | TASK | SERVICE,
                             "workers could take the service, and none has: they are full, suspect or draining",
                             "start another worker, or wait"},
    [WHY_SERVICE_BACKOFF] = {"service_backoff", JOB | TASK | SERVICE, "a service failed and is to be started again",
                             "look at the service's log: why it failed before"},
    [WHY_SERVICE_STARTING] = {"service_starting", JOB | TASK | SERVICE, "a service is on its way and not ready yet",
                              "wait until it is ready or its deadline is over; its log says how far it is"},
    [WHY_SERVICE_UNHEALTHY] = {"service_unhealthy", JOB | TASK | SERVICE,
                               "a service was ready and its check fails: tasks are held back",
                               "look at the service's log"},

    [WHY_WORKER_SUSPECT] = {"worker_suspect", JOB | TASK | SERVICE,
                            "a worker that has tasks or services of a job that goes on does not answer",
                            "bring the worker back, or wait until it is given up"},
    [WHY_RUNNING] = {"running", JOB | TASK, "tasks are being run", ""},
    [WHY_NO_WORKER_FOR_QUEUE] = {"no_worker_for_queue", JOB | TASK, "no worker serves the queue of the tasks",
                                 "start a worker that serves this queue"},
    [WHY_NO_WORKER_WITH_RUNTIME] = {"no_worker_with_runtime", JOB | TASK,
                                    "workers serve the queue, and none has the runtime",
                                    "start a worker that has this runtime, or mend what a worker says of its own"},
    [WHY_NO_WORKER_WITH_LABELS] = {"no_worker_with_labels", JOB | TASK,
                                   "workers serve the queue and have the runtime, and none has the labels",
                                   "start a worker with these labels, or change the stage's `where`"},
    [WHY_WORKERS_DRAINING] = {"workers_draining", JOB | TASK,
                              "all workers that could take the tasks are draining, suspect or quarantined",
                              "start another worker, or take the drain back"},
    [WHY_SLOTS_BUSY] = {"slots_busy", JOB | TASK, "workers take such tasks, and all of their slots are busy",
                        "wait, or start more workers"},
    [WHY_RETRY_DELAYED] = {"retry_delayed", JOB | TASK, "a failed task waits for its next attempt",
                           "look at the errors of the failed tasks"},
    [WHY_WAITING_FOR_STAGE] = {"waiting_for_stage", JOB | TASK, "tasks wait for another stage to end",
                               "look at that stage"},

    [WHY_MAX_PARALLEL] = {"max_parallel", TASK, "as many tasks of its stage as may run at once are on their way",
                          "wait, or submit the job with a higher `max_parallel`"},
    [WHY_TASK_SUCCEEDED] = {"task_succeeded", TASK, "it is done", ""},
    [WHY_TASK_FAILED] = {"task_failed", TASK, "it failed, and has no attempt left",
                         "look at its log; `retry` runs failed tasks again"},
    [WHY_TASK_CANCELLED] = {"task_cancelled", TASK, "it did not run to its end because the job ended before",
                            "look at why the job ended; `retry` runs failed tasks only"},

    [WHY_SERVICE_READY] = {"service_ready", SERVICE, "it is ready, and its job goes on", ""},
    [WHY_SERVICE_WAITS_TASKS] = {"service_waits_tasks", SERVICE,
                                 "the job has ended; the service stops when the last tasks are seen to be stopped",
                                 "wait for the tasks to end"},
    [WHY_SERVICE_WAITS_DEPENDENT] = {"service_waits_dependent", SERVICE,
                                     "the job has ended; a service that depends on it has to be gone first",
                                     "look at that service"},
    [WHY_SERVICE_NEVER_STARTED] = {"service_never_started", SERVICE, "the job ended before there was a start of it",
                                   ""},
    [WHY_SERVICE_FAILED] = {"service_failed", SERVICE, "it never became ready, or ended without being asked to",
                            "look at the service's log"},
    [WHY_SERVICE_GONE] = {"service_gone", SERVICE, "it was stopped, and a second look saw that it is gone", ""},
    [WHY_SERVICE_PRESUMED_GONE] = {"service_presumed_gone", SERVICE,
                                   "its host is unreachable, and the time in which it must have fenced itself is over",
                                   "bring the host back: the certificate is upgraded when it has been looked at"},

    [WHY_WORKER_LOST] = {"worker_lost", WORKER, "it did not renew its lease: what it had was given to others",
                         "start it again: it comes back as a new incarnation"},
    [WHY_WORKER_GONE] = {"worker_gone", WORKER, "it has said goodbye", "start it again when it is wanted"},
    [WHY_WORKER_SILENT] = {"worker_silent", WORKER, "its lease is over and it is not given up yet",
                           "look at its process, its log, and the network between it and the managers"},
    [WHY_WORKER_QUARANTINED] = {"worker_quarantined", WORKER,
                                "something of it would not die: it takes nothing new until that is gone",
                                "look at the processes on its host"},
    [WHY_WORKER_DRAINING] = {"worker_draining", WORKER, "it finishes what it has and takes nothing new",
                             "wait; `drain --undo` lets it work again"},
    [WHY_WORKER_DRAINED] = {"worker_drained", WORKER, "it drains, and has nothing left",
                            "it can be ended; `drain --undo` lets it work again"},
    [WHY_WORKER_BUSY] = {"worker_busy", WORKER, "all of its slots are busy", ""},
    [WHY_WORKER_TROUBLE] = {"worker_trouble", WORKER, "it cannot offer a runtime that it should have",
                            "mend what it says; it asks again by itself"},
    [WHY_WORKER_WORKING] = {"worker_working", WORKER, "it has work, and could take more", ""},
    [WHY_WORKER_NO_MATCH] = {"worker_no_match", WORKER, "work waits, and none of it is for this worker",
                             "start a worker that has what it asks for, or change this one's queues, runtimes or "
                             "labels"},
    [WHY_WORKER_IDLE] = {"worker_idle", WORKER, "nothing waits", ""},
    [WHY_SETTLING] = {"settling", JOB | TASK | SERVICE | WORKER, "none of the others: it is about to change by itself",
                      "ask again in a moment"},
};

const char *why_code_name(enum why_code code)
{
    return code < WHY_COUNT ? reasons[code].name : "?";
}

void why_print_markdown(FILE *out)
{
    static const struct {
        int bit;
        const char *name;
    } subjects[] = {{JOB, "job"}, {TASK, "task"}, {SERVICE, "service"}, {WORKER, "worker"}};
    fputs("# Reasons\n\nPrinted from the table behind `curfew why` and the calls that end in `/why`. There is one "
          "answer: the reason that has to go first, with `code`, `message`, `evidence` and `advice`.\n\n"
          "| Reason | Of | It means | Do |\n| --- | --- | --- | --- |\n",
          out);
    for (int code = 0; code < WHY_COUNT; code++) {
        const char *comma = "";
        fprintf(out, "| `%s` | ", reasons[code].name);
        for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
            if (reasons[code].of & subjects[i].bit) {
                fprintf(out, "%s%s", comma, subjects[i].name);
                comma = ", ";
            }
        fprintf(out, " | %s | %s |\n", reasons[code].meaning, reasons[code].advice);
    }
}

void why_release(struct why *why)
{
    strbuf_release(&why->evidence);
}

bool why_say(struct why *why, enum why_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->message, sizeof why->message, format, arguments);
    utf8_cut(why->message);
    va_end(arguments);
    why->advice = reasons[code].advice;
    why->code = code;
    return true;
}

void why_begin(struct why *why)
{
    strbuf_clear(&why->evidence);
    json_open(&why->evidence, NULL, '{');
}

void why_end(struct why *why, bool decided)
{
    if (!decided)
        why_say(why, WHY_SETTLING, "it is about to change by itself");
    json_close(&why->evidence, '}');
}

const char *why_duration(int64_t us, char text[static PARSE_DURATION_TEXT_SIZE])
{
    duration_format(MAX(us, (int64_t)0) / 1000000 * 1000, text);
    return text;
}

void why_add_fleet(struct why *why, const struct why_fleet *fleet)
{
    if (*fleet->queue)
        json_text(&why->evidence, "queue", fleet->queue);
    json_text(&why->evidence, "runtime", *fleet->runtime ? fleet->runtime : NULL);
    json_raw(&why->evidence, "labels", fleet->labels);
    json_i64(&why->evidence, "workers", fleet->workers);
    json_i64(&why->evidence, "with_queue", fleet->with_queue);
    json_i64(&why->evidence, "with_runtime", fleet->with_runtime);
    json_i64(&why->evidence, "with_labels", fleet->with_labels);
    json_i64(&why->evidence, "accepting", fleet->accepting);
    if (fleet->trouble)
        json_text(&why->evidence, "trouble", fleet->trouble);
}

void why_add_tasks(struct why *why, const struct why_view *view)
{
    json_i64(&why->evidence, "ready", view->ready);
    json_i64(&why->evidence, "running", view->leased);
    json_i64(&why->evidence, "delayed", view->delayed);
    json_i64(&why->evidence, "held", view->held);
}
