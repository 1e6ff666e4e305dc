// The fields of a job spec: one row each. Reading, writing, unknown-field checks and the reference come from here.
#include "services/common/model/job_spec_fields.h"
#include "services/common/base/macros.h"
#include "services/common/model/spec_text.h"

#include <string.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MEBIBYTE (INT64_C(1) << 20)
#define TEBIBYTE (INT64_C(1) << 40)

const char *const stage_mode_names[] = {[STAGE_EXEC] = "exec", [STAGE_STREAM] = "stream", [STAGE_PULL] = "pull", NULL};
const char *const stage_failure_names[] = {
    [STAGE_FAILURE_FAIL_JOB] = "fail_job", [STAGE_FAILURE_CONTINUE] = "continue", NULL};

static const struct spec_row resources_rows[] = {
    {.name = "cpus",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct run_spec, cpus_milli),
     .read = read_cpus,
     .write = write_cpus,
     .schema = "Cpus",
     .type = "number, 0.001 to 1024",
     .meaning = "How many CPUs it may use."},
    {.name = "memory",
     .kind = SPEC_SIZE,
     .offset = offsetof(struct run_spec, memory_bytes),
     .min = MEBIBYTE,
     .max = 16 * TEBIBYTE,
     .meaning = "How much memory it may use."},
};
static const struct spec_table resources_table = {.title = "resources",
                                                  .schema = "Resources",
                                                  .rows = resources_rows,
                                                  .count = ARRAY_LEN(resources_rows),
                                                  .absent = resources_are_absent};

static const char *runtime_problem(const char *text)
{
    static const char *const runtimes[] = {"process", "docker", "kubernetes"};
    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++) {
        if (strcmp(runtimes[i], text) == 0)
            return NULL;
    }
    return "has to be process, docker or kubernetes";
}

static const struct spec_row run_rows[] = {
    {.name = "command",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct run_spec, command),
     .read = read_command,
     .write = write_list,
     .schema = "Command",
     .type = "list of texts",
     .meaning = "The program and its arguments; never a shell string. In services `${PORT}` and `${PORT_NAME}` are "
                "replaced by the numbers of their ports."},
    {.name = "runtime",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct run_spec, runtime),
     .max = 16,
     .problem = runtime_problem,
     .schema = "Runtime",
     .type = "`process`, `docker` or `kubernetes`",
     .meaning =
         "How it is run; without it, as a container when there is an `image`, else by the worker's own default."},
    {.name = "image",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct run_spec, image),
     .max = 512,
     .problem = spec_image_problem,
     .schema = "Image",
     .meaning = "The container image, for `docker` and `kubernetes`, which need one."},
    {.name = "env",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct run_spec, env),
     .read = read_env,
     .write = write_pairs,
     .schema = "Environment",
     .type = "object of texts",
     .meaning = "Environment variables. Names must not begin with `CURFEW_`. References to ports as in `command`."},
    {.name = "secrets",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct run_spec, secrets),
     .read = read_secrets,
     .write = write_list,
     .schema = "Secrets",
     .type = "list of names",
     .meaning = "Environment variables whose values come from the worker's secret directory."},
    {.name = "resources", .kind = SPEC_OBJECT, .table = &resources_table, .meaning = "Limits; without them, none."},
    {.name = "where",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct run_spec, where),
     .read = read_labels,
     .write = write_pairs,
     .schema = "Labels",
     .type = "object of texts",
     .meaning = "Only workers with all of these labels run it."},
};
const struct spec_table run_table = {.rows = run_rows, .count = ARRAY_LEN(run_rows)};

static const struct spec_row retries_rows[] = {
    {.name = "max",
     .kind = SPEC_INTEGER,
     .offset = offsetof(struct retry_policy, max),
     .max = 1000,
     .fallback = "3",
     .meaning = "Retries after the first attempt. An exit with 75 does not count."},
    {.name = "backoff",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct retry_policy, backoff_ms),
     .max = DAY,
     .fallback = "1s",
     .meaning = "The wait before the first retry; doubles with each."},
    {.name = "backoff_max",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct retry_policy, backoff_max_ms),
     .max = DAY,
     .fallback = "1m",
     .meaning = "The longest wait."},
};
static const struct spec_table retries_table = {
    .title = "retries", .schema = "Retries", .rows = retries_rows, .count = ARRAY_LEN(retries_rows)};

static const struct spec_row stage_work_rows[] = {
    {.kind = SPEC_INCLUDE, .offset = offsetof(struct stage_spec, run), .table = &run_table},
    {.name = "queue",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct stage_spec, queue),
     .max = SPEC_NAME_MAX,
     .problem = spec_name_problem,
     .schema = "Name",
     .fallback = "default",
     .type = "name",
     .meaning = "Workers say which queues they serve."},
    {.name = "mode",
     .kind = SPEC_CHOICE,
     .offset = offsetof(struct stage_spec, mode),
     .choices = stage_mode_names,
     .fallback = "exec",
     .meaning = "`exec`: one process per task. `stream`: one process per slot, lines of JSON in and out. `pull`: "
                "programs outside claim the tasks over HTTP; such a stage has no command."},
    {.name = "tasks",
     .kind = SPEC_CUSTOM,
     .read = read_task_list,
     .write = write_tasks,
     .schema = "Items|TaskCount",
     .type = "list of any values, or `{count: n}`",
     .meaning = "The items, one per task, or how many tasks there are whose item is null (each knows its number). "
                "Without `tasks` and `from` there is one task whose item is null."},
    {.name = "retries",
     .kind = SPEC_OBJECT,
     .offset = offsetof(struct stage_spec, retries),
     .table = &retries_table,
     .meaning = "What happens to a task that fails."},
    {.name = "slots",
     .kind = SPEC_INTEGER,
     .offset = offsetof(struct stage_spec, slots),
     .min = 1,
     .max = 1024,
     .fallback = "1",
     .meaning = "How many of the worker's slots a task (`stream`: a process) takes."},
    {.name = "max_parallel",
     .kind = SPEC_INTEGER,
     .offset = offsetof(struct stage_spec, max_parallel),
     .max = 1000000,
     .fallback = "0",
     .meaning = "How many tasks of it run at once, on all workers together; 0: no limit."},
    {.name = "on_failure",
     .kind = SPEC_CHOICE,
     .offset = offsetof(struct stage_spec, on_failure),
     .choices = stage_failure_names,
     .fallback = "fail_job",
     .meaning = "What a task that is out of retries means. `continue`: it is counted, the job goes on."},
};
const struct spec_table stage_work_table = {
    .rows = stage_work_rows, .count = ARRAY_LEN(stage_work_rows), .finish = finish_stage_work};

static const struct spec_row stage_rows[] = {
    {.name = "name",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct stage_spec, name),
     .max = SPEC_NAME_MAX,
     .problem = spec_name_problem,
     .schema = "Name",
     .required = true,
     .type = "name",
     .meaning = "Unique among the stages."},
    {.kind = SPEC_INCLUDE, .table = &stage_work_table},
    {.name = "after",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct stage_spec, after),
     .read = read_names,
     .write = write_list,
     .schema = "Name|Names",
     .type = "name or list of names",
     .meaning = "Stages that must be closed before its first task starts."},
    {.name = "from",
     .kind = SPEC_CUSTOM,
     .read = read_from,
     .write = write_from,
     .schema = "Name|FromAfter",
     .type = "name, or `{after: name}`",
     .meaning = "Its tasks are the outputs of this stage, as they come; with `{after: name}`, not before that stage "
                "is closed."},
    {.name = "timeout",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct stage_spec, timeout_ms),
     .min = 1,
     .max = 365 * DAY,
     .meaning = "How long one attempt at a task may take; without it, as long as it wants."},
};
const struct spec_table stage_table = {.title = "A stage",
                                       .schema = "StageSpec",
                                       .rows = stage_rows,
                                       .count = ARRAY_LEN(stage_rows),
                                       .finish = finish_stage};

static const struct spec_row autostop_rows[] = {
    {.name = "on",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct autostop_spec, on),
     .read = read_autostop_on,
     .write = write_autostop_on,
     .schema = "Outcomes",
     .fallback = "[succeeded, failed, stopped, timed_out]",
     .type = "list of outcomes",
     .meaning = "The outcomes after which services are stopped. After others they stay until `stop` or "
                "`max_lifetime`."},
    {.name = "linger",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct autostop_spec, linger_ms),
     .max = 30 * DAY,
     .fallback = "0s",
     .meaning = "So much longer they live after success."},
    {.name = "keep_on_failure",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct autostop_spec, keep_on_failure_ms),
     .max = 30 * DAY,
     .fallback = "0s",
     .meaning = "So much longer they live after `failed` or `timed_out`."},
};
const struct spec_table autostop_table = {
    .title = "autostop", .schema = "Autostop", .rows = autostop_rows, .count = ARRAY_LEN(autostop_rows)};

static const struct spec_row job_rows[] = {
    {.name = "name",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct job_spec, name),
     .max = SPEC_NAME_MAX,
     .problem = spec_name_problem,
     .schema = "Name",
     .required = true,
     .type = "name",
     .meaning = "What it is called: a to z, digits and `-`, up to 63. Need not be unique."},
    {.name = "autostop",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct job_spec, autostop),
     .read = read_autostop,
     .write = write_autostop,
     .schema = "boolean|Autostop",
     .fallback = "true",
     .type = "boolean, or an object",
     .meaning = "Whether its services are stopped when it is over. What is to be left running has to be asked for."},
    {.name = "bundle",
     .kind = SPEC_TEXT,
     .offset = offsetof(struct job_spec, bundle),
     .max = 71,
     .problem = spec_bundle_problem,
     .schema = "BundleName",
     .type = "`sha256:...`",
     .meaning = "The files that commands use, uploaded before. `curfew submit` does both."},
    {.name = "priority",
     .kind = SPEC_INTEGER,
     .offset = offsetof(struct job_spec, priority),
     .min = -100,
     .max = 100,
     .fallback = "0",
     .meaning = "Higher goes first."},
    {.name = "labels",
     .kind = SPEC_CUSTOM,
     .offset = offsetof(struct job_spec, labels),
     .read = read_labels,
     .write = write_pairs,
     .schema = "Labels",
     .type = "object of texts",
     .meaning = "For finding it again."},
    {.name = "timeout",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct job_spec, timeout_ms),
     .min = 1,
     .max = 365 * DAY,
     .meaning = "The whole job; then its outcome is `timed_out`. Without it, no limit."},
    {.name = "max_lifetime",
     .kind = SPEC_DURATION,
     .offset = offsetof(struct job_spec, max_lifetime_ms),
     .min = SECOND,
     .max = 365 * DAY,
     .fallback = "24h",
     .meaning = "No service of it outlives this, whatever `autostop` says."},
    {.name = "services",
     .kind = SPEC_LIST,
     .offset = offsetof(struct job_spec, services),
     .count_offset = offsetof(struct job_spec, service_count),
     .item_size = sizeof(struct service_spec),
     .table = &service_table,
     .max = SPEC_SERVICES_MAX,
     .meaning = "What it needs while it runs."},
    {.name = "stages",
     .kind = SPEC_LIST,
     .offset = offsetof(struct job_spec, stages),
     .count_offset = offsetof(struct job_spec, stage_count),
     .item_size = sizeof(struct stage_spec),
     .table = &stage_table,
     .max = SPEC_STAGES_MAX,
     .meaning = "Its steps. A job of one stage may give `command`, `tasks` and the like at the top level instead; that "
                "stage is called `main`."},
};
const struct spec_table job_table = {
    .title = "The job", .schema = "JobSpec", .rows = job_rows, .count = ARRAY_LEN(job_rows)};
