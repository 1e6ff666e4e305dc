// Jobs and what belongs to them.
#include "services/jobmanager/api_schemas.h"

#include "services/common/model/job_spec.h"
#include "services/common/model/states.h"
#include "services/common/model/why.h"
#include "services/common/store/read.h"

static const char *why_word(int number)
{
    return why_code_name((enum why_code)number);
}

static const char *const stage_states[] = {"waiting", "open", "closed", NULL};
static const char *const waits[] = {"closed", "outcome", NULL};
static const char *const log_formats[] = {"raw", "json", NULL};

static const struct schema_field created[] = {
    FIELD("id", "JobId", "Of the job."),
    FIELD("name", "Name", "As submitted."),
    FIELD("created", "boolean", "False: the key was known, and this is the job that it made."),
};

static const struct schema_field reason[] = {
    FIELD("code", "Word", "Such as `task_failed`.", .example = "\"task_failed\""),
    FIELD("message", "Message", "Why the job ended so."),
};

static const struct schema_field stage[] = {
    FIELD("name", "Name", "As in the spec.", .example = "\"count\""),
    FIELD("state", "StageState", "`waiting` for others, `open`, or `closed`: nothing of it is left to do.",
          .example = "\"closed\""),
    FIELD("total", "Count", "Tasks so far; those of a stage with `from` grow."),
    FIELD("ready", "Count", "Tasks that wait for a worker.", .example = "0"),
    FIELD("running", "Count", "Tasks that workers have.", .example = "0"),
    FIELD("delayed", "Count", "Tasks that wait for their next attempt.", .example = "0"),
    FIELD("succeeded", "Count", "Tasks that succeeded."),
    FIELD("failed", "Count", "Tasks that are out of retries.", .example = "0"),
    FIELD("cancelled", "Count", "Tasks that will not be run.", .example = "0"),
};

static const struct schema_field job_service[] = {
    FIELD("name", "Name", "As in the spec.", .example = "\"cache\""),
    FIELD("epoch", "Epoch", "Of its latest instance."),
    FIELD("runtime", "Word?", "How it is run."),
    FIELD("state", "InstanceState", "Of its latest instance.", .example = "\"verified\""),
    FIELD("host", "Host?", "Where it listens."),
    FIELD("ports", "Port{}", "On which ports, by their names.", .max = SPEC_PORTS_MAX),
};

static const struct schema_field job[] = {
    FIELD("id", "JobId", "Its id."),
    FIELD("name", "Name", "As submitted."),
    FIELD("namespace", "Namespace", "Where it was submitted."),
    FIELD("labels", "Labels", "As submitted."),
    FIELD("priority", "Priority", "Higher goes first."),
    FIELD("autostop", "boolean|Autostop", "Whether its services are stopped when it is over."),
    FIELD("bundle", "BundleName?", "The files that its commands use."),
    FIELD("state", "JobState", "What it does, then how it ended.", .example = "\"succeeded\""),
    FIELD("outcome", "Outcome?", "How its work ended; null: not yet."),
    FIELD("cleanup", "CleanupState", "What became of its services.", .example = "\"clean\""),
    FIELD("reason", "Reason?", "Why it did not succeed.", .example = "null"),
    FIELD("deleting", "boolean", "It is deleted as soon as it is closed.", .example = "false"),
    FIELD("created_at", "Time", "When it was submitted."),
    FIELD("started_at", "Time?", "When its first task could start."),
    FIELD("finished_at", "Time?", "When it had its outcome."),
    FIELD("closed_at", "Time?", "When its services were gone, too."),
    FIELD("stop_requested_at", "Time?", "When somebody asked for its stop.", .example = "null"),
    FIELD("keep_until", "Time?", "How long its services are kept.", .example = "null"),
    FIELD("stages", "Stage[]", "Its stages.", .max = SPEC_STAGES_MAX),
    FIELD("services", "JobService[]", "Its services.", .max = SPEC_SERVICES_MAX),
};

static const struct schema_field jobs_page[] = {
    FIELD("jobs", "Job[]", "Newest first. A page may have fewer than `limit`, or none, and a `next`.",
          .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};

static const struct schema_field slice[] = {
    FIELD("stage", "Name", "Its stage.", .example = "\"count\""),
    FIELD("first", "TaskIndex", "Its first task."),
    FIELD("count", "Count", "How many tasks it has."),
    FIELD("state", "SliceState", "Of all its tasks."),
    FIELD("attempt", "Attempt", "The one that is, or was last."),
    FIELD("failures", "Count", "How often it failed."),
    FIELD("worker", "WorkerName?", "Who has it."),
    FIELD("due_at", "Time?", "When it is tried again."),
};
static const struct schema_field slices_page[] = {
    FIELD("slices", "Slice[]", "By stage and first task.", .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};

static const struct schema_field task_error[] = {
    FIELD("attempt", "Attempt", "The attempt that failed."),
    FIELD("error", "Message", "What it, or its worker, said."),
    FIELD("exit", "ExitCode?", "The exit code of its process."),
    FIELD("at", "Time", "When."),
};
static const struct schema_field task_entry[] = {
    FIELD("task", "TaskName", "Job, stage and number."),
    FIELD("stage", "Name", "Its stage.", .example = "\"count\""),
    FIELD("index", "TaskIndex", "Its number there."),
    FIELD("state", "SliceState", "What it does."),
    FIELD("attempt", "Attempt", "The one that is, or was last."),
    FIELD("worker", "WorkerName?", "Who has it."),
    FIELD("error", "TaskError?", "Its last failure."),
};
static const struct schema_field tasks_page[] = {
    FIELD("tasks", "TaskEntry[]", "By stage and number.", .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};
static const struct schema_field task[] = {
    FIELD("task", "TaskName", "Job, stage and number."),
    FIELD("stage", "Name", "Its stage.", .example = "\"count\""),
    FIELD("index", "TaskIndex", "Its number there."),
    FIELD("state", "SliceState", "What it does."),
    FIELD("attempt", "Attempt", "The one that is, or was last."),
    FIELD("failures", "Count", "How often it failed."),
    FIELD("worker", "WorkerName?", "Who has it."),
    FIELD("due_at", "Time?", "When it is tried again."),
    FIELD("error", "TaskError?", "Its last failure."),
    FIELD("item", "any", "Its input."),
};

static const struct schema_field exit_status[] = {
    FIELD("code", "ExitCode?", "Of a process that ended by itself."),
    FIELD("signal", "SignalNumber?", "Of one that a signal ended.", .example = "null"),
};

static const struct schema_field instance[] = {
    FIELD("job", "JobId", "The job that it is for."),
    FIELD("name", "Name", "The service.", .example = "\"cache\""),
    FIELD("epoch", "Epoch", "Which start of it."),
    FIELD("state", "InstanceState", "What it does.", .example = "\"ready\""),
    FIELD("runtime", "Word?", "How it is run."),
    FIELD("object", "ObjectName?", "What the runtime calls it."),
    FIELD("worker", "WorkerName?", "Who runs it."),
    FIELD("host", "Host?", "Where it listens."),
    FIELD("ports", "Port{}", "On which ports, by their names.", .max = SPEC_PORTS_MAX),
    FIELD("created_at", "Time", "When it was wanted."),
    FIELD("placed_at", "Time?", "When a worker was told to start it."),
    FIELD("started_at", "Time?", "When it was started."),
    FIELD("ready_at", "Time?", "When it was ready."),
    FIELD("stop_requested_at", "Time?", "When it was no longer wanted.", .example = "null"),
    FIELD("stop_reason", "Word?", "Why it was stopped.", .example = "null"),
    FIELD("stopped_at", "Time?", "When it was gone.", .example = "null"),
    FIELD("verified_at", "Time?", "When a second look showed that it was gone.", .example = "null"),
    FIELD("exit", "Exit?", "How its process ended.", .example = "null"),
    FIELD("failed", "boolean", "It ended without being asked, or was never ready.", .example = "false"),
    FIELD("error", "Message?", "Why.", .example = "null"),
};
static const struct schema_field instances[] = {
    FIELD("services", "Instance[]", "All epochs of all services of the job."),
};
static const struct schema_field instances_page[] = {
    FIELD("services", "Instance[]", "What may be running.", .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};
static const struct schema_field leaks[] = {
    FIELD("leaks", "Instance[]", "What outlives its job; empty when all is well.", .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};

static const struct schema_field signal_sent[] = {
    FIELD("signal", "SignalWord", "Its name."),
    FIELD("at", "SignalTime", "When, RFC 3339."),
};
static const struct schema_field certificate[] = {
    FIELD("service", "Name", "The service.", .example = "\"cache\""),
    FIELD("epoch", "Epoch", "Which start of it."),
    FIELD("state", "InstanceState", "`verified` or `presumed_gone` when all is done.", .example = "\"verified\""),
    FIELD("runtime", "Word?", "How it was run."),
    FIELD("object", "ObjectName?", "What the runtime called it."),
    FIELD("worker", "WorkerName?", "Who ran it."),
    FIELD("requested_at", "Time?", "When it was no longer wanted."),
    FIELD("reason", "Word?", "Why it was stopped.", .example = "\"job_ended\""),
    FIELD("signals", "SignalSent[]", "What it was sent.", .max = 64),
    FIELD("exit", "Exit?", "How its process ended."),
    FIELD("grade", "Grade?", "How good the evidence is; null: not yet."),
    FIELD("boundary", "Boundary?", "What it could not leave."),
    FIELD("failed", "boolean", "It ended without being asked, or was never ready.", .example = "false"),
    FIELD("error", "Message?", "Why.", .example = "null"),
    FIELD("stopped_at", "Time?", "When it was gone."),
    FIELD("verified_at", "Time?", "When a second look showed that it was gone."),
    FIELD("seconds", "ServiceSeconds", "What its time went into."),
};
static const struct schema_field service_seconds[] = {
    FIELD("warming", "SecondsSpent", "Until it was ready."),
    FIELD("useful", "SecondsSpent", "While the job worked."),
    FIELD("idle", "SecondsSpent", "From the outcome on: kept, waiting for others to stop, and its grace."),
    FIELD("leaked", "SecondsSpent", "More than 60 s after its stop was asked for."),
};
static const struct schema_field cleanup[] = {
    FIELD("cleanup", "CleanupState", "What became of the services.", .example = "\"clean\""),
    FIELD("certificates", "Certificate[]", "One for each instance that was started."),
    FIELD("seconds", "ServiceSeconds", "What the time of all of them went into."),
};

static const struct schema_field why[] = {
    FIELD("code", "WhyCode", "The one reason that counts."),
    FIELD("message", "Message", "The same for people."),
    FIELD("evidence", "object", "What it was seen by: names, times, numbers.", .example = "{\"queue\":\"gpu\"}"),
    FIELD("advice", "Message?", "What to do; null: nothing."),
};

static const struct schema_field event[] = {
    FIELD("seq", "EventNumber", "Its number within the job, from 1, without gaps."),
    FIELD("at", "Time", "When."),
    FIELD("kind", "Word", "What happened.", .example = "\"job_submitted\""),
    FIELD("data", "object", "To what, by whom, why.", .example = "{}"),
};
static const struct schema_field result[] = {
    FIELD("stage", "Name", "The stage whose output it is.", .example = "\"count\""),
    FIELD("task", "TaskIndex", "The task."),
    FIELD("output", "any", "What it wrote."),
};
static const struct schema_field log_line[] = {
    FIELD("offset", "Count", "Where it begins in the whole log, in bytes."),
    FIELD("at", "Time", "When it arrived."),
    FIELD("source", "LogSource", "Who wrote it."),
    FIELD("position", "Count", "Where it begins in what this source wrote, in bytes."),
    FIELD("text", "Line", "What was written; bytes that are not UTF-8 have become U+FFFD."),
};

static const struct schema_field stream_end[] = {
    FIELD("outcome", "Outcome?", "How its work ended."),
    FIELD("cleanup", "CleanupState", "What became of its services."),
};

static const struct schema_field extension[] = {
    FIELD("for", "Duration", "So long from now.", .example = "\"1h\""),
};

static const struct schema schemas[] = {
    REPLY("Created", created, "a submission"),
    REPLY("Job", job, "a job"),
    REPLY("JobsPage", jobs_page, "a page of jobs"),
    REPLY("Reason", reason, "why a job ended as it did"),
    REPLY("Stage", stage, "a stage of a job"),
    REPLY("JobService", job_service, "a service of a job"),
    REPLY("Slice", slice, "consecutive tasks of one stage in one state"),
    REPLY("SlicesPage", slices_page, "a page of slices"),
    REPLY("TaskError", task_error, "a failure of a task"),
    REPLY("TaskEntry", task_entry, "a task in a list"),
    REPLY("TasksPage", tasks_page, "a page of tasks"),
    REPLY("Task", task, "a task"),
    REPLY("Exit", exit_status, "how a process ended"),
    REPLY("Instance", instance, "one start of a service"),
    REPLY("Instances", instances, "the services of a job"),
    REPLY("InstancesPage", instances_page, "a page of services of all jobs"),
    REPLY("Leaks", leaks, "services that outlive their job"),
    REPLY("SignalSent", signal_sent, "a signal that was sent"),
    REPLY("Certificate", certificate, "the record that an instance is gone"),
    REPLY("ServiceSeconds", service_seconds, "what the time of services went into"),
    {.name = "SecondsSpent",
     .kind = SCHEMA_NUMBER,
     .min = 0,
     .max = INT64_C(1000000000000000),
     .example = "4.2",
     .meaning = "seconds"},
    REPLY("Cleanup", cleanup, "the proof that services are gone"),
    REPLY("Why", why, "why something is not further"),
    REPLY("Event", event, "something that happened to a job"),
    REPLY("Result", result, "a result of a job"),
    REPLY("LogLine", log_line, "a piece of a log, as it arrived"),
    REPLY("StreamEnd", stream_end, "the data of the last of server-sent events: the job is closed, nothing follows"),
    BODY("Extension", extension, "how long services are kept"),
    {.name = "Nothing", .kind = SCHEMA_OBJECT, .closed = true, .meaning = "an empty object"},
    WORD_OF("JobState", job_state_name, JOB_STATE_COUNT, "what a job does, or how it ended"),
    WORD_OF("CleanupState", cleanup_name, CLEANUP_COUNT, "what became of the services of a job"),
    ONE_OF("StageState", stage_states, "what a stage does"),
    WORD_OF("SliceState", slice_state_name, SLICE_STATE_COUNT, "what tasks do, or how they ended"),
    WORD_OF("InstanceState", instance_state_name, INSTANCE_STATE_COUNT, "what an instance does, or how it ended"),
    WORD_OF("Grade", grade_name, GRADE_COUNT, "how good the evidence of a certificate is"),
    WORD_OF("WhyCode", why_word, WHY_COUNT, "why something is not further"),
    ONE_OF("Wait", waits, "what to wait for"),
    ONE_OF("LogFormat", log_formats, "how a log is written"),
    INTEGER("Priority", -100, 100, "0", "higher goes first"),
    INTEGER("ExitCode", 0, 255, "0", "the exit code of a process"),
    INTEGER("SignalNumber", 0, 128, "15", "the number of a signal"),
    TEXT("TaskName", 1, 128, "^j[0-9a-z]{13}/[a-z0-9-]+/[0-9]+$", "\"j0d5n3rf8w2c4g/count/0\"", "a task"),
    TEXT("LogSource", 0, 255, NULL, "\"service/cache/1\"", "`service/NAME/EPOCH` or `task/STAGE/INDEX/ATTEMPT`"),
    TEXT("LabelQuery", 1, 319, NULL, "\"team=search\"", "`name=value`, or `name` for one without a value"),
};
const struct schema_set api_schemas_jobs = {schemas, ARRAY_LEN(schemas)};
