// The commands, their options and what `--help` says of them: everything that the reference is printed from.
#include "services/cli/commands.h"

#include "services/cli/cli.h"

#define DIRECTORY {"--dir", NULL, "DIR", "where it lives: its database, its logs; made if it does not exist"}

const struct option global_options[GLOBAL_OPTIONS_MAX] = {
    {"--server", NULL, "URL", "the manager; otherwise CURFEW_SERVER, or " DEFAULT_SERVER},
    {"--token-file", NULL, "FILE", "file with the token for the manager; otherwise CURFEW_TOKEN_FILE"},
    {"--token-command", NULL, "COMMAND",
     "prints the token, run without a shell; otherwise CURFEW_TOKEN_COMMAND, unless there is a file"},
    {"--ca-file", NULL, "FILE", "certificates that an https:// manager is trusted by; otherwise CURFEW_CA_FILE"},
    {"--output", "-o", "json", "print JSON: one document, or one line per entry of a list"},
    {"--help", "-h", NULL, "print this"},
    {"--version", NULL, NULL, "print the version"},
};

const struct command commands[] = {
    {"up", NULL, "start a whole Curfew in a directory of this machine",
     "A private PostgreSQL, a job manager, a reaper and a worker. Returns when jobs can be submitted, and prints the "
     "manager's address, for --server or CURFEW_SERVER. What dies is started again, and its log says so. When it is up "
     "already, or being started, nothing is started "
     "twice.",
     false, cmd_up,
     .options = {DIRECTORY,
                 {"--port", NULL, "N", "of the manager on 127.0.0.1; a free one unless given"},
                 {"--slots", NULL, "N", "tasks that run at once; one per processor unless given"}},
     .is_local = true},
    {"down", NULL, "end it",
     "Returns when everything has ended, also what a guard that was killed has left behind. The directory stays: `up` "
     "goes on where it was.",
     false, cmd_down, .options = {{"--dir", NULL, "DIR", "the directory that `up` was given"}}, .is_local = true},
    {"run", "JOB.yaml", "run one job on a Curfew that exists for it alone",
     "Starts a Curfew, submits the job, follows it, prints its results and ends everything, whatever happens: also "
     "when this command is killed. The first Ctrl-C stops the job, a second one ends everything at once.",
     true, cmd_run,
     .options = {{"--dir", NULL, "DIR",
                  "where it lives; otherwise a temporary directory, which is removed at the end"}},
     .is_local = true},
    {"validate", "JOB.yaml", "check a job file without a manager",
     "Prints every fault with its line and column. With -o json the job is printed as the API takes it.", false,
     cmd_validate, .options = {{0}}, .is_local = true},
    {"submit", "JOB.yaml", "submit a job, and follow it to its end",
     "The file is YAML or JSON; `-` is standard input. When a command of the job names a file of the job file's "
     "directory, that directory goes along as its bundle, without hidden files. The first line is the job's id, then "
     "comes its history until it is closed; when nothing happens for a while, why. Ctrl-C ends the following only: the "
     "job goes on.",
     true, cmd_submit,
     .options = {{"--detach", "-d", NULL, "do not follow: print the job's id, exit with 0"},
                 {"--key", NULL, "KEY", "submitting again under the same key gives the job that is there"},
                 {"--quiet", "-q", NULL, "follow without printing its history"}}},
    {"list", NULL, "list jobs, newest first", NULL, false, cmd_list,
     .options = {{"--state", NULL, "STATE",
                  "only jobs that are queued, starting, running, paused, or have this outcome"},
                 {"--name", NULL, "NAME", "only jobs of this name"},
                 {"--label", NULL, "NAME[=VALUE]", "only jobs with this label"},
                 {"--namespace", NULL, "NAMESPACE", "only jobs in it"},
                 {"--limit", NULL, "N", "most entries; 50 unless given"}}},
    {"show", "JOB", "show a job", NULL, false, cmd_show, .options = {{0}}},
    {"wait", "JOB", "wait for a job; the exit status tells its outcome",
     "Returns when the job is closed: when it has its outcome and its services are gone, or kept because the job asks "
     "for that.",
     true, cmd_wait,
     .options = {{"--for", NULL, "outcome|closed", "wait for the outcome only; closed unless given"},
                 {"--timeout", NULL, "DURATION", "wait no longer than that, such as 30s; then exit with 5"}}},
    {"logs", "JOB", "print what its tasks and services wrote",
     "With --follow it goes on where it was when the manager is restarted.", false, cmd_logs,
     .options = {{"--follow", "-f", NULL, "go on until the job is closed"},
                 {"--source", NULL, "SOURCE", "one source: task/STAGE/INDEX/ATTEMPT or service/NAME/EPOCH"}}},
    {"events", "JOB", "print its history, one JSON value a line", NULL, false, cmd_events,
     .options = {{"--follow", "-f", NULL, "go on until the job is closed"}}},
    {"tasks", "JOB", "list its tasks", NULL, false, cmd_tasks,
     .options = {{"--stage", NULL, "STAGE", "only tasks of this stage"},
                 {"--state", NULL, "STATE",
                  "only tasks that are held, ready, leased, delayed, succeeded, failed or cancelled"},
                 {"--slices", NULL, NULL, "as they are stored: consecutive tasks of one state are one line"}}},
    {"services", "JOB", "list its service instances", NULL, false, cmd_services, .options = {{0}}},
    {"results", "JOB", "print its results, one JSON value a line",
     "The outputs of the stages that no other stage reads.", false, cmd_results,
     .options = {{"--follow", "-f", NULL, "go on until the job has ended"}}},
    {"stop", "JOB", "stop its tasks and services",
     "Works in every state, and twice is the same as once. Ends kept services too.", false, cmd_stop,
     .options =
         {{"--wait", NULL, NULL,
           "return when it is closed; exit with 0 whatever its outcome, with 5 when a service could not be stopped"}}},
    {"pause", "JOB", "start no more of its tasks", "What runs goes on, services stay.", false, cmd_pause,
     .options = {{0}}},
    {"resume", "JOB", "go on after a pause", NULL, false, cmd_resume, .options = {{0}}},
    {"retry", "JOB", "run its failed tasks again",
     "An outcome never changes: when the job has ended a new job does the rest, and its id is printed.", false,
     cmd_retry, .options = {{0}}},
    {"extend", "JOB", "keep its kept services longer", NULL, false, cmd_extend,
     .options = {{"--by", NULL, "DURATION", "so long from now, such as 1h; never shorter than before"}}},
    {"delete", "JOB", "delete a closed job", NULL, false, cmd_delete,
     .options = {{"--force", NULL, NULL, "stop it first; it is deleted as soon as it is closed"}}},
    {"cleanup", "JOB", "show the certificates of its services", NULL, false, cmd_cleanup, .options = {{0}}},
    {"why", "JOB", "say why it is not further, and what to do",
     "TASK is STAGE/INDEX, SERVICE the name of a service: why that one is not further. Every reason is in the "
     "reference.",
     false, cmd_why,
     .options = {{"--worker", NULL, "WORKER", "why a worker, by its number in `curfew workers`, does what it does"}},
     .second = "TASK|SERVICE", .instead = "--worker"},
    {"workers", NULL, "list the workers", NULL, false, cmd_workers, .options = {{0}}},
    {"drain", "WORKER", "give a worker nothing new", "WORKER is its number in `curfew workers`.", false, cmd_drain,
     .options = {{"--undo", NULL, NULL, "let it work again"}}},
    {"doctor", NULL, "look at the machine, the engine, the manager and its database, and say what is amiss",
     "Changes nothing without --drill. Exits with 8 when something is wrong, with 0 otherwise, warnings or not.", false,
     cmd_doctor,
     .options =
         {{"--engine", NULL, "URL",
           "a container engine, such as unix:/var/run/docker.sock, which is looked at when it is there"},
          {"--drill", NULL, NULL,
           "submit a canary with a service, have the worker that takes it kill itself, and prove that nothing of the "
           "canary is left; needs a token of role admin, and a worker with the queue default that has nothing else; "
           "the canary is processes, which workers run with an engine as well"},
          {"--force", NULL, NULL, "drill: also when the worker has something else"}}},
    {"leaks", NULL, "list services that outlive their job", "None is how it should be.", false, cmd_leaks,
     .options = {{0}}},
    {"token", "create|list|revoke", "make, list or revoke tokens",
     "Needs a token of role admin, once there is any. `create` prints the token, this once; several of one name may be "
     "valid at a time, so a new one can take over before the old one is revoked; in one namespace they share what they "
     "may have.",
     false, cmd_token,
     .options = {{"--name", NULL, "NAME", "create: whose it is; shown in lists, logs and histories"},
                 {"--role", NULL, "ROLE", "create: viewer, submitter, worker or admin"},
                 {"--expires-in", NULL, "DURATION", "create: after that it is not valid any more, such as 90d"},
                 {"--namespace", NULL, "NAMESPACE",
                  "create: a viewer's or submitter's sees and changes only the jobs in it"},
                 {"--max-jobs", NULL, "N",
                  "create: its open jobs at a time; 0: no limit; otherwise what the manager's settings say"},
                 {"--max-tasks", NULL, "N", "create: tasks of its open jobs together"},
                 {"--max-services", NULL, "N", "create: services of its open jobs together"},
                 {"--max-log-bytes", NULL, "SIZE", "create: log of all its jobs that are kept, such as 10Gi"},
                 {"--id", NULL, "TOKEN", "revoke: which one, as `curfew token list` names it"}}},
};
const size_t command_count = ARRAY_LEN(commands);
