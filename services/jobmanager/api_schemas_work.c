// Workers, their polls and their reports. The numbers are those that the readers of the bodies check.
#include "services/jobmanager/api_schemas.h"

#include "services/common/model/job_spec.h"
#include "services/common/model/states.h"
#include "services/common/store/read.h"
#include "services/jobmanager/work_read.h"

static const char *const retry_words[] = {"counted", "uncounted", "never", NULL};
static const char *const reported_states[] = {"ready",  "starting", "unhealthy", "killing", "stopped",
                                              "failed", "stuck",    "verified",  NULL};
static const char *const reported_grades[] = {"exit", "absent", "verified", NULL};

static const struct schema_field worker[] = {
    FIELD("id", "WorkerId", "Its id."),
    FIELD("name", "WorkerName", "Its name."),
    FIELD("state", "WorkerState", "What is known of it."),
    FIELD("host", "Host", "Where it is."),
    FIELD("incarnation", "Incarnation", "Its latest registration."),
    FIELD("runtimes", "RuntimeName[]", "How it can run commands."),
    FIELD("queues", "Name[]", "Whose tasks it takes.", .example = "[\"default\"]"),
    FIELD("labels", "Labels", "What jobs may ask for."),
    FIELD("slots", "Count", "How many tasks it runs at once."),
    FIELD("running", "Count", "Tasks that it has."),
    FIELD("services", "Count", "Services that it has."),
    FIELD("registered_at", "Time", "When it registered."),
    FIELD("lease_until", "Time", "Until when it may run what it has."),
    FIELD("drain", "boolean", "It is given nothing new.", .example = "false"),
    FIELD("note", "Message?", "What is to be said of it.", .example = "null"),
};
static const struct schema_field workers[] = {
    FIELD("workers", "Worker[]", "In the order in which they came first.", .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};
static const struct schema_field drill[] = {
    FIELD("job", "JobId", "The canary: the worker has to have something of it."),
    FIELD("force", "boolean", "Also when it has something of other jobs.", .optional = true, .example = "false"),
};
static const struct schema_field drain[] = {
    FIELD("drain", "boolean", "False takes it back.", .optional = true),
};

static const struct schema_field found[] = {
    FIELD("job", "JobId", "Of the service's job."),
    FIELD("service", "Name", "The service.", .example = "\"cache\""),
    FIELD("epoch", "StartedEpoch", "Which start of it."),
};
static const struct schema_field registration[] = {
    FIELD("name", "WorkerName", "Unique among the workers that live."),
    FIELD("host", "Host", "The address that others reach its services at."),
    FIELD("boot", "Host", "Which boot of the machine: another one means that its processes are gone."),
    FIELD("runtimes", "RuntimeName[]", "At least one.", .max = 64),
    FIELD("slots", "Slots", "How many tasks it runs at once."),
    FIELD("queues", "Name[]", "Whose tasks it takes.", .max = WORK_QUEUES_MAX, .example = "[\"default\"]"),
    FIELD("labels", "Labels", "What jobs may ask for.", .optional = true),
    FIELD("former_worker", "WorkerId", "Who it was before.", .optional = true),
    FIELD("former_incarnation", "Incarnation", "The incarnation that it had then.", .optional = true),
    FIELD("owner", "Word", "A random name of the directory in which it notes who it was.", .optional = true,
          .example = "\"5d2f09c7a1e04b3e\""),
    FIELD("registrations", "Count", "How often it has asked to be registered from there.", .optional = true),
    FIELD("engine", "Word", "Which container engine it uses.", .optional = true),
    FIELD("trouble", "Message", "Why it cannot offer a runtime.", .optional = true),
    FIELD("found", "FoundService[]", "Containers of services that have outlived it.", .optional = true, .max = 1024),
    FIELD("held", "FencingToken[]", "Tokens of slices whose containers are still there.", .optional = true,
          .max = 10000),
    FIELD("adoptable", "AdoptableTask[]", "Tasks of these slices that can go on as they are.", .optional = true,
          .max = 10000),
};
static const struct schema_field adoptable[] = {
    FIELD("token", "FencingToken", "Of its slice, one of `held`."),
    FIELD("task", "TaskIndex", "The task."),
};
static const struct schema_field adopted_task[] = {
    FIELD("task", "TaskIndex", "The task."),
    FIELD("logged", "Count", "How many bytes of its log have come."),
};
static const struct schema_field adopted[] = {
    FIELD("slice", "SliceName", "What it is called in reports."),
    FIELD("token", "FencingToken", "Proves that it is leased to this worker, as before."),
    FIELD("job", "JobId", "Its job."),
    FIELD("stage", "Name", "Its stage.", .example = "\"count\""),
    FIELD("first", "TaskIndex", "Its first task."),
    FIELD("count", "Count", "How many tasks it has."),
    FIELD("attempt", "Attempt", "Which attempt at them."),
    FIELD("run", "any", "How they are run.", .example = "{\"command\":[\"./count.sh\"]}"),
    FIELD("adopted", "AdoptedTask[]", "Those that go on; the others go back with the report."),
};
static const struct schema_field registered[] = {
    FIELD("worker", "WorkerId", "Its id."),
    FIELD("incarnation", "Incarnation", "This registration; goes into every poll and report."),
    FIELD("lease_ms", "Milliseconds", "How long it may go on without an answer to a poll."),
    FIELD("poll_ms", "Milliseconds", "How long a poll should wait at most."),
    FIELD("fence_ms", "Milliseconds", "After so long without an answer it stops everything."),
    FIELD("deployment", "Word", "Stands in the names of its objects.", .example = "\"a1b2c3\""),
    FIELD("kept", "FoundService[]", "Those of `found` that are still wanted."),
    FIELD("adopted", "AdoptedSlice[]", "Slices of which `adoptable` tasks go on; what else is held is to be ended."),
};

static const struct schema_field exit_reported[] = {
    FIELD("code", "ExitCode", "Of a process that ended by itself.", .optional = true),
    FIELD("signal", "SignalNumber|SignalName", "Of one that a signal ended.", .optional = true),
};
static const struct schema_field signal_reported[] = {
    FIELD("signal", "SignalWord", "Its name.", .example = "\"SIGTERM\""),
    FIELD("at", "SignalTime", "When, RFC 3339."),
};
static const struct schema_field observation[] = {
    FIELD("job", "JobId", "Of the service's job."),
    FIELD("service", "Name", "The service.", .example = "\"cache\""),
    FIELD("epoch", "StartedEpoch", "Which start of it."),
    FIELD("state", "ReportedState", "What the worker sees."),
    FIELD("object", "ObjectName", "What the runtime calls it.", .optional = true),
    FIELD("host", "Host", "Where it listens.", .optional = true),
    FIELD("ports", "Port{}", "On which ports, by their names.", .optional = true, .max = SPEC_PORTS_MAX),
    FIELD("boundary", "Boundary", "What it cannot leave.", .optional = true),
    FIELD("error", "Line", "What went wrong; a long text is cut.", .optional = true),
    FIELD("exit", "ExitReported", "How its process ended.", .optional = true, .example = "{\"code\":0}"),
    FIELD("signals", "SignalReported[]", "What it was sent.", .optional = true, .max = 64),
    FIELD("grade", "ReportedGrade", "How good the evidence is that it is gone.", .optional = true),
};

#define SAID_BY_POLL                                                                                                \
    FIELD("wait_ms", "WaitMilliseconds", "How long to wait for something to do.", .optional = true),                \
        FIELD("want", "Want{}", "How many tasks, by queue.", .optional = true, .max = WORK_QUEUES_MAX,              \
              .example = "{\"default\":4}"),                                                                        \
        FIELD("want_services", "Want", "How many services.", .optional = true),                                     \
        FIELD("held", "FencingToken[]", "Tokens of all slices that it has: others that were leased to it go back.", \
              .optional = true, .max = WORK_HELD_MAX),                                                              \
        FIELD("instances", "Observation[]", "What has changed.", .optional = true, .max = WORK_INSTANCES_MAX),      \
        FIELD("draining", "boolean", "It takes nothing new.", .optional = true, .example = "false")

static const struct schema_field poll[] = {
    FIELD("incarnation", "Incarnation", "Of the registration."),
    SAID_BY_POLL,
};
static const struct schema_field poll_within[] = {
    FIELD("incarnation", "Incarnation", "As that of the report.", .optional = true),
    SAID_BY_POLL,
};

#define FOUND_BY_POLL(IS_OPTIONAL)                                                                            \
    FIELD("lease_ms", "Milliseconds", "The lease, renewed.", .optional = (IS_OPTIONAL)),                      \
        FIELD("slices", "Grant[]", "Tasks to run.", .optional = (IS_OPTIONAL)),                               \
        FIELD("start", "StartOrder[]", "Services to start, or to take over.", .optional = (IS_OPTIONAL)),     \
        FIELD("stop", "Order[]", "Services to stop.", .optional = (IS_OPTIONAL)),                             \
        FIELD("verify", "Order[]", "Services to look for again.", .optional = (IS_OPTIONAL)),                 \
        FIELD("cancel", "CancelOrder[]", "Tasks to end.", .optional = (IS_OPTIONAL)),                         \
        FIELD("drain", "boolean", "It is given nothing new.", .optional = (IS_OPTIONAL), .example = "false"), \
        FIELD("drill", "boolean", "It is to kill itself, as if by SIGKILL.", .optional = true, .example = "false")

static const struct schema_field work[] = {FOUND_BY_POLL(false)};
static const struct schema_field reported[] = {
    FIELD("stale", "SliceName[]", "Slices that have moved on: nothing of them was recorded.", .example = "[]"),
    FOUND_BY_POLL(true),
};

static const struct schema_field grant[] = {
    FIELD("slice", "SliceName", "What it is called in reports."),
    FIELD("token", "FencingToken", "Proves that it is leased to this worker."),
    FIELD("job", "JobId", "Its job."),
    FIELD("stage", "Name", "Its stage.", .example = "\"count\""),
    FIELD("first", "TaskIndex", "Its first task."),
    FIELD("count", "Count", "How many tasks it has."),
    FIELD("attempt", "Attempt", "Which attempt at them."),
    FIELD("items", "any", "The inputs, a list; null: all are null.", .example = "[{\"file\":\"a.txt\"}]"),
    FIELD("run", "any", "How they are run; null for a stage that outside workers pull from.",
          .example = "{\"command\":[\"./count.sh\"]}"),
    FIELD("services", "any", "The addresses of the services that they may use.", .example = "[]"),
    FIELD("bundle", "Sha256?", "Of the bundle that they use: GET /v1/bundles/{sha256}."),
    FIELD("traceparent", "Word",
          "For a stage that outside workers pull from, when its job was submitted with one: the W3C trace context in "
          "which they work, the job's own span as parent.",
          .optional = true, .example = "\"00-4bf92f3577b34da6a3ce929d0e0e4736-018d5f2a3b4c5d6e-01\""),
};
static const struct schema_field start_order[] = {
    FIELD("job", "JobId", "Of the service's job."),
    FIELD("service", "Name", "The service.", .example = "\"cache\""),
    FIELD("epoch", "Epoch", "Which start of it."),
    FIELD("run", "any", "How it is run; null when it is to be taken over.",
          .example = "{\"command\":[\"redis-server\"]}"),
    FIELD("services", "any", "The addresses of the services that it may use.", .example = "[]"),
    FIELD("bundle", "Sha256?", "Of the bundle that it uses: GET /v1/bundles/{sha256}."),
    FIELD("object", "Word", "What to call it.", .example = "\"curfew-a1b2c3-j0d5n3rf8w2c4g.cache.1\""),
    FIELD("adopt", "boolean", "It runs: take it over.", .optional = true, .example = "false"),
    FIELD("ready", "boolean", "It was ready.", .optional = true, .example = "false"),
};
static const struct schema_field order[] = {
    FIELD("job", "JobId", "Of the service's job."),
    FIELD("service", "Name", "The service.", .example = "\"cache\""),
    FIELD("epoch", "Epoch", "Which start of it."),
    FIELD("reason", "Word", "Why.", .optional = true, .example = "\"job_ended\""),
};
static const struct schema_field cancel_order[] = {
    FIELD("slice", "SliceName", "What it is called in reports."),
    FIELD("token", "FencingToken", "Proves that it was leased to this worker."),
};

static const struct schema_field task_failure[] = {
    FIELD("task", "TaskIndex", "The task."),
    FIELD("error", "Line", "What it said last; a long text is cut."),
    FIELD("exit", "ExitCode", "The exit code of its process.", .optional = true, .example = "1"),
    FIELD("retry", "Retry", "`counted` unless said; `uncounted`: it asked for another attempt; `never`.",
          .optional = true),
};
static const struct schema_field task_output[] = {
    FIELD("task", "TaskIndex", "The task."),
    FIELD("output", "any", "At most 65536 bytes of JSON; null when it is absent.", .optional = true),
};
static const struct schema_field slice_result[] = {
    FIELD("slice", "SliceName", "As it was granted."),
    FIELD("token", "FencingToken", "As it was granted."),
    FIELD("succeeded", "\"all\"|Ranges", "Tasks that succeeded.", .optional = true),
    FIELD("failed", "TaskFailure[]", "Tasks that failed.", .optional = true, .max = WORK_TASKS_MAX, .example = "[]"),
    FIELD("outputs", "TaskOutput[]", "What the tasks wrote.", .optional = true, .max = WORK_TASKS_MAX),
};
static const struct schema_field log_chunk[] = {
    FIELD("job", "JobId", "The job."),
    FIELD("source", "LogSource", "Who wrote it."),
    FIELD("position", "Count",
          "Where it begins in what this source wrote, in bytes. What has come already is left out."),
    FIELD("data", "Line", "What was written, 1 MiB at most.", .optional = true),
    FIELD("data64", "Base64", "The same in base64, where it is not UTF-8.", .optional = true,
          .example = "\"aGVsbG8K\""),
};
static const struct schema_field report[] = {
    FIELD("incarnation", "Incarnation", "Of the registration."),
    FIELD("slices", "SliceResult[]", "Slices that are done.", .optional = true, .max = WORK_SLICES_MAX),
    FIELD("instances", "Observation[]", "What has changed.", .optional = true, .max = WORK_INSTANCES_MAX,
          .example = "[]"),
    FIELD("logs", "LogChunk[]", "What was written.", .optional = true, .max = WORK_LOGS_MAX, .example = "[]"),
    FIELD("poll", "PollWithin", "A poll in the same round trip.", .optional = true, .example = "{\"wait_ms\":5000}"),
};

static const struct schema schemas[] = {
    REPLY("Worker", worker, "a worker"),
    REPLY("Workers", workers, "the fleet"),
    BODY("Drill", drill, "the canary of a drill"),
    BODY("Drain", drain, "whether a worker is given nothing new"),
    BODY("FoundService", found, "an instance of a service"),
    BODY("Registration", registration, "a worker that registers"),
    BODY("AdoptableTask", adoptable, "a task in a container that has outlived its worker"),
    REPLY("AdoptedTask", adopted_task, "a task that goes on"),
    REPLY("AdoptedSlice", adopted, "a slice of which tasks go on"),
    REPLY("Registered", registered, "what a worker has to know"),
    BODY("ExitReported", exit_reported, "how a process ended"),
    BODY("SignalReported", signal_reported, "a signal that was sent"),
    BODY("Observation", observation, "what a worker sees of a service"),
    BODY("Poll", poll, "a heartbeat, and what a worker could do"),
    BODY("PollWithin", poll_within, "a poll within a report"),
    REPLY("Work", work, "what a worker is to do"),
    REPLY("Grant", grant, "tasks that are leased to a worker"),
    REPLY("StartOrder", start_order, "a service to start"),
    REPLY("Order", order, "a service to do something about"),
    REPLY("CancelOrder", cancel_order, "tasks to end"),
    BODY("TaskFailure", task_failure, "a task that failed"),
    BODY("TaskOutput", task_output, "an output of a task"),
    BODY("SliceResult", slice_result, "how the tasks of a slice went"),
    BODY("LogChunk", log_chunk, "a piece of a log; it has one of `data` and `data64`"),
    BODY("Report", report, "what a worker has done"),
    REPLY("Reported", reported, "what became of a report, and what its poll found"),
    WORD_OF("WorkerState", worker_state_name, WORKER_STATE_COUNT, "what is known of a worker"),
    ONE_OF("ReportedState", reported_states, "what a worker sees of a service"),
    ONE_OF("ReportedGrade", reported_grades, "how good the evidence is that a service is gone"),
    ONE_OF("Retry", retry_words, "whether a task is tried again"),
    INTEGER("Incarnation", 1, INT32_MAX, "1", "which registration of a worker"),
    INTEGER("StartedEpoch", 1, INT32_MAX, "1", "which start of the service"),
    INTEGER("Slots", 0, 1000000, "4", "how many tasks at once"),
    INTEGER("Want", 0, WORK_WANT_MAX, "4", "how many are wanted"),
    INTEGER("WaitMilliseconds", 0, 60000, "5000", "how long to wait"),
    INTEGER("FencingToken", 1, INT64_MAX, "4711", "the proof of a lease"),
    TEXT("SliceName", 1, 96, "^j[0-9a-z]{13}/[0-9]{1,5}/[0-9]{1,19}$", "\"j0d5n3rf8w2c4g/0/0\"",
         "job, number of the stage and first task"),
    TEXT("RuntimeName", 1, SPEC_NAME_MAX, NULL, "\"process\"", "the name of a runtime"),
    TEXT("ObjectName", 0, 512, NULL, "\"curfew-a1b2c3-j0d5n3rf8w2c4g.cache.1\"", "what a runtime calls an instance"),
    TEXT("Boundary", 0, 64, NULL, "\"cgroup\"", "what a process cannot leave"),
    TEXT("SignalWord", 0, 32, NULL, "\"SIGTERM\"", "the name of a signal"),
    TEXT("SignalTime", 0, 40, NULL, "\"2026-01-31T12:00:00.123456Z\"", "a time"),
    TEXT("Base64", 0, 1 << 20, NULL, "\"aGVsbG8K\"", "bytes in base64"),
    LIST("Range", "TaskIndex[]", 2, "`[from, to]`: the tasks from `from` on, up to the one before `to`"),
    LIST("Ranges", "Range[]", WORK_TASKS_MAX, "ranges of tasks"),
};
const struct schema_set api_schemas_work = {schemas, ARRAY_LEN(schemas)};
