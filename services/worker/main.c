// curfew-worker: one single-threaded event loop. Ends what a former life has left, registers, runs what it is given,
// and ends everything before it ends itself. Killed at any moment, the shims end what it ran.
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/log.h"
#include "services/common/base/loop.h"
#include "services/common/base/pulse.h"
#include "services/common/http/client_async.h"
#include "services/worker/agent.h"
#include "services/worker/logs.h"
#include "services/worker/recover.h"
#include "services/worker/runtime_process.h"
#include "services/worker/services.h"
#include "services/worker/settings.h"
#include "services/worker/survivors.h"
#include "services/worker/tasks.h"
#include "services/worker/workspace.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_SIZE 256
#define BOOT_SIZE 64
#define QUEUES_MAX 64
#define DEPLOYMENT_BYTES_MAX 256
#define END_LOOK_MS 50
#define LOG_TAIL_BYTES 65536
#define LOG_TOTAL_BYTES (32 << 20)
// After the drain timeout: what was asked to stop has its own grace; this is the end of all patience.
#define LAST_PATIENCE_MS 60000

struct worker {
    struct worker_settings settings;
    char host[HOST_SIZE], boot[BOOT_SIZE], shim[PATH_MAX];
    char *queues_json, *labels_json, *queue_texts;
    const char *queues[QUEUES_MAX + 1];
    char *deployment;      // NULL until it is known
    int64_t former_worker; // 0: there was none here
    int former_incarnation;
    struct pulse pulse; // healthy: the manager has answered within the lease
    struct loop *loop;
    struct http_async *http;
    struct runtime *runtime;
    struct workspaces *workspaces;
    struct logs *logs;
    struct tasks *tasks;
    struct services *services;
    struct agent *agent;
    struct recovery *recovery;
    struct survivors *survivors; // NULL: there was no former life
    struct loop_timer *end_timer;
    int64_t drain_until_ms, give_up_at_ms; // 0: not ending
    struct err failure;
    bool failed;
};

// ---- the parts' events

static void on_slice_done(void *context, const struct slice_outcome *outcome)
{
    agent_slice_done(((struct worker *)context)->agent, outcome);
}

static void on_look(void *context)
{
    agent_look(((struct worker *)context)->agent);
}

static void on_observation(void *context, const struct observation *observation)
{
    agent_observed(((struct worker *)context)->agent, observation);
}

static int make_runtime(struct worker *worker, struct err *err)
{
    const struct runtime_process_settings settings = {
        .loop = worker->loop,
        .shim_path = worker->shim,
        .state_directory = worker->settings.state_directory,
        .deployment = worker->deployment,
    };
    if (runtime_process_new(&settings, &worker->runtime, err) < 0)
        return -1;
    log_event(LOG_INFO, "process runtime", "boundary", runtime_process_boundary(worker->runtime), NULL);
    return 0;
}

static int make_logs(struct worker *worker, struct err *err)
{
    const struct logs_settings settings = {
        .head_bytes = worker->settings.log_head_bytes, .tail_bytes = LOG_TAIL_BYTES, .total_bytes = LOG_TOTAL_BYTES};
    if (logs_new(&settings, &worker->logs, err) < 0)
        return -1;
    logs_on_pending(worker->logs, on_look, worker);
    return 0;
}

static int make_tasks(struct worker *worker, struct err *err)
{
    const struct tasks_settings settings = {
        .slots = (int)worker->settings.slots,
        .secrets_directory = worker->settings.secrets_directory,
        .deployment = worker->deployment,
    };
    const struct tasks_events events = {.on_done = on_slice_done, .on_capacity = on_look};
    return tasks_new(worker->loop, worker->runtime, worker->workspaces, worker->logs, &settings, &events, worker,
                     &worker->tasks, err);
}

static int make_services(struct worker *worker, struct err *err)
{
    const struct services_settings settings = {
        .advertise = worker->settings.advertise,
        .secrets_directory = worker->settings.secrets_directory,
        .deployment = worker->deployment,
        .stuck_after_ms = worker->settings.stuck_after_ms,
        .most = (int)worker->settings.max_services,
    };
    const struct services_events events = {.on_observation = on_observation};
    return services_new(worker->loop, worker->runtime, worker->workspaces, worker->logs, worker->http, &settings,
                        &events, worker, &worker->services, err);
}

// ---- the deployment: known from the state directory, or from the first registration

static int state_path(const struct worker *worker, const char *name, char out[static PATH_MAX], struct err *err)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", worker->settings.state_directory, name);
    return length < PATH_MAX ? 0 : err_set(err, ERR_INVALID, "state-dir is too long");
}

// A file that is not there, or that makes no sense, proves nothing: the name is free when its lease is over.
static void read_registration(struct worker *worker)
{
    char path[PATH_MAX];
    AUTO_FREE char *text = NULL;
    size_t length;
    long long id;
    int incarnation;
    if (state_path(worker, "registration", path, NULL) < 0 ||
        file_read(path, DEPLOYMENT_BYTES_MAX, &text, &length, NULL) < 0)
        return;
    if (sscanf(text, "%lld %d", &id, &incarnation) != 2 || id < 1 || incarnation < 1)
        return;
    worker->former_worker = id;
    worker->former_incarnation = incarnation;
}

static int read_deployment(struct worker *worker, struct err *err)
{
    char path[PATH_MAX];
    size_t length;
    if (state_path(worker, "deployment", path, err) < 0)
        return -1;
    if (access(path, F_OK) < 0)
        return 0;
    if (file_read(path, DEPLOYMENT_BYTES_MAX, &worker->deployment, &length, err) < 0)
        return -1;
    worker->deployment[strcspn(worker->deployment, "\n")] = '\0';
    read_registration(worker);
    return 0;
}

static int keep_deployment(struct worker *worker, const char *deployment, struct err *err)
{
    char path[PATH_MAX];
    if (state_path(worker, "deployment", path, err) < 0 ||
        file_replace(path, deployment, strlen(deployment), 0600, err) < 0)
        return -1;
    worker->deployment = strdup(deployment);
    return worker->deployment ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for the deployment's name");
}

// What the next life has to prove that it has looked for; on disk before anything is run under it.
static int keep_registration(struct worker *worker, int64_t id, int incarnation, struct err *err)
{
    char path[PATH_MAX], text[64];
    int length = snprintf(text, sizeof text, "%lld %d\n", (long long)id, incarnation);
    if (state_path(worker, "registration", path, err) < 0)
        return -1;
    return file_replace(path, text, (size_t)length, 0600, err);
}

static int make_parts(struct worker *worker, const char *deployment, struct err *err)
{
    if (worker->tasks)
        return 0;
    if (!worker->deployment && keep_deployment(worker, deployment, err) < 0)
        return -1;
    if (!worker->runtime && make_runtime(worker, err) < 0)
        return -1;
    if (make_logs(worker, err) < 0 || make_tasks(worker, err) < 0 || make_services(worker, err) < 0)
        return -1;
    agent_attach(worker->agent, worker->runtime, worker->tasks, worker->services, worker->logs);
    return 0;
}

static int on_registered(void *context, const struct agent_registered *registered, struct err *err)
{
    struct worker *worker = context;
    if (worker->deployment && strcmp(worker->deployment, registered->deployment) != 0)
        return err_set(err, ERR_CONFLICT, "state-dir belongs to deployment '%.60s', the manager is of '%.60s'",
                       worker->deployment, registered->deployment);
    if (keep_registration(worker, registered->worker, registered->incarnation, err) < 0 ||
        make_parts(worker, registered->deployment, err) < 0)
        return -1;
    if (worker->survivors)
        survivors_settle(worker->survivors, worker->services, registered->kept, registered->kept_count);
    return 0;
}

static void on_lease(void *context, int64_t fence_at_ms)
{
    pulse_beat(&((struct worker *)context)->pulse, fence_at_ms);
}

static void fail(struct worker *worker, const struct err *err)
{
    worker->failure = *err;
    worker->failed = true;
    loop_stop(worker->loop);
}

static void on_failed(void *context, const struct err *err)
{
    fail(context, err);
}

static void on_survivor_gone(void *context)
{
    agent_holds_less(((struct worker *)context)->agent);
}

static void on_recovered(void *context, size_t ended, const struct err *err)
{
    struct worker *worker = context;
    worker->recovery = NULL;
    if (err) {
        fail(worker, err);
        return;
    }
    if (ended > 0)
        log_event(LOG_WARN, "a former life had left something, it is gone now", "instances", LOG_NUMBER(ended), NULL);
    agent_begin(worker->agent, worker->survivors);
}

// ---- the end

static void on_end_timer(void *context)
{
    struct worker *worker = context;
    int64_t now_ms = clock_boot_ms();
    if (worker->tasks && now_ms >= worker->drain_until_ms) {
        worker->drain_until_ms = INT64_MAX;
        tasks_cancel_all(worker->tasks);
        services_stop_all(worker->services);
    }
    if (agent_is_drained(worker->agent) || now_ms >= worker->give_up_at_ms)
        loop_stop(worker->loop);
    loop_timer_arm(worker->end_timer, now_ms + END_LOOK_MS);
}

static void on_signal(void *context, int signal_number)
{
    struct worker *worker = context;
    if (worker->give_up_at_ms != 0) { // asked twice
        loop_stop(worker->loop);
        return;
    }
    log_event(LOG_INFO, "draining", "signal", LOG_NUMBER(signal_number), NULL);
    worker->drain_until_ms = clock_boot_ms() + worker->settings.drain_timeout_ms;
    worker->give_up_at_ms = worker->drain_until_ms + LAST_PATIENCE_MS;
    agent_drain(worker->agent);
    if (worker->tasks)
        tasks_hand_back(worker->tasks);
    loop_timer_arm(worker->end_timer, clock_boot_ms());
}

// ---- start

static int find_shim(struct worker *worker, struct err *err)
{
    if (worker->settings.shim)
        return realpath(worker->settings.shim, worker->shim)
                   ? 0
                   : err_set(err, ERR_NOT_FOUND, "shim: there is no '%.180s'", worker->settings.shim);
    ssize_t length = readlink("/proc/self/exe", worker->shim, sizeof worker->shim - sizeof "curfew-shim");
    if (length < 0)
        return err_set(err, ERR_IO, "own path cannot be read");
    worker->shim[length] = '\0';
    memcpy(strrchr(worker->shim, '/') + 1, "curfew-shim", sizeof "curfew-shim");
    return 0;
}

static int find_identity(struct worker *worker, struct err *err)
{
    AUTO_FREE char *boot = NULL;
    size_t length;
    gethostname(worker->host, sizeof worker->host - 1);
    if (file_read("/proc/sys/kernel/random/boot_id", BOOT_SIZE, &boot, &length, err) < 0)
        return -1;
    boot[strcspn(boot, "\n")] = '\0';
    snprintf(worker->boot, sizeof worker->boot, "%s", boot);
    return 0;
}

// The names for `want`, cut out of a copy of the setting.
static int split_queues(struct worker *worker, struct err *err)
{
    worker->queue_texts = strdup(worker->settings.queues);
    if (!worker->queue_texts)
        return err_set(err, ERR_NO_MEMORY, "no memory for settings");
    size_t count = 0;
    char *rest = worker->queue_texts;
    for (char *part = strsep(&rest, ","); part; part = strsep(&rest, ",")) {
        if (*part == '\0')
            continue;
        if (count == QUEUES_MAX)
            return err_set(err, ERR_INVALID, "queues: more than %d", QUEUES_MAX);
        worker->queues[count++] = part;
    }
    return 0;
}

static int make_agent(struct worker *worker, struct err *err)
{
    const struct agent_settings settings = {
        .name = worker->settings.name ? worker->settings.name : worker->host,
        .host = worker->host,
        .boot = worker->boot,
        .queues_json = worker->queues_json,
        .labels_json = worker->labels_json,
        .queues = worker->queues,
        .slots = (int)worker->settings.slots,
        .runtimes_json = "[\"process\"]",
        .former_worker = worker->former_worker,
        .former_incarnation = worker->former_incarnation,
    };
    const struct agent_events events = {.on_registered = on_registered, .on_lease = on_lease, .on_failed = on_failed};
    return agent_new(worker->loop, worker->http, &settings, &events, worker, &worker->agent, err);
}

static int make_http(struct worker *worker, struct err *err)
{
    const struct http_client_settings settings = {
        .base_url = worker->settings.server, .token = worker->settings.token, .user_agent = "curfew-worker"};
    return http_async_new(worker->loop, &settings, 0, &worker->http, err);
}

static int prepare(struct worker *worker, struct err *err)
{
    if (worker->settings.slots == 0)
        worker->settings.slots = sysconf(_SC_NPROCESSORS_ONLN);
    if (settings_queues_json(worker->settings.queues, &worker->queues_json, err) < 0 ||
        settings_labels_json(worker->settings.labels, &worker->labels_json, err) < 0 || split_queues(worker, err) < 0)
        return -1;
    if (find_shim(worker, err) < 0 || find_identity(worker, err) < 0)
        return -1;
    char health[PATH_MAX];
    if (dir_make(worker->settings.state_directory, 0711, err) < 0 || state_path(worker, "health", health, err) < 0 ||
        pulse_open(&worker->pulse, health, err) < 0)
        return -1;
    return read_deployment(worker, err);
}

static int worker_run(struct worker *worker, struct err *err)
{
    const int signals[] = {SIGTERM, SIGINT};
    if (loop_new(&worker->loop, err) < 0 ||
        loop_signals(worker->loop, signals, ARRAY_LEN(signals), on_signal, worker, err) < 0 ||
        loop_timer_add(worker->loop, on_end_timer, worker, &worker->end_timer, err) < 0 || make_http(worker, err) < 0)
        return -1;
    if (workspaces_new(worker->loop, worker->http, worker->settings.state_directory, &worker->workspaces, err) < 0 ||
        make_agent(worker, err) < 0)
        return -1;
    if (!worker->deployment)
        agent_begin(worker->agent, NULL); // a new state directory: there was no life before
    else if (make_runtime(worker, err) < 0 ||
             survivors_new(worker->runtime, on_survivor_gone, worker, &worker->survivors, err) < 0 ||
             recovery_start(worker->runtime, worker->survivors, on_recovered, worker, &worker->recovery, err) < 0)
        return -1;
    if (loop_run(worker->loop, err) < 0)
        return -1;
    if (worker->failed)
        *err = worker->failure;
    return worker->failed ? -1 : 0;
}

static void worker_release(struct worker *worker)
{
    recovery_free(worker->recovery);
    agent_free(worker->agent);
    survivors_free(worker->survivors);
    services_free(worker->services);
    tasks_free(worker->tasks);
    workspaces_free(worker->workspaces);
    logs_free(worker->logs);
    runtime_free(worker->runtime);
    http_async_free(worker->http);
    loop_free(worker->loop);
    pulse_close(&worker->pulse);
    free(worker->deployment);
    free(worker->queues_json);
    free(worker->labels_json);
    free(worker->queue_texts);
    config_release(&worker_settings_table, &worker->settings);
}

static int configure(struct worker *worker, int argc, char **argv, struct err *err)
{
    int outcome = config_load(&worker_settings_table, argc, argv, &worker->settings, NULL, err);
    if (outcome != 0)
        return outcome;
    return log_setup("curfew-worker", worker->settings.log_level, worker->settings.log_format, err);
}

static int health(const struct worker *worker, struct err *err)
{
    char path[PATH_MAX];
    return state_path(worker, "health", path, err) < 0 ? -1 : pulse_check(path, err);
}

int main(int argc, char **argv)
{
    static struct worker worker = {.pulse = PULSE_INIT};
    struct err err = {0};
    log_init("curfew-worker", LOG_INFO, LOG_KEY_VALUE);
    // The command takes the place of the program's name: what follows are settings.
    int is_health = argc > 1 && strcmp(argv[1], "health") == 0;
    int outcome = configure(&worker, argc - is_health, argv + is_health, &err);
    if (outcome == 0 && !is_health)
        outcome = prepare(&worker, &err);
    bool usage = outcome < 0;
    if (outcome == 0)
        outcome = is_health ? health(&worker, &err) : worker_run(&worker, &err);
    if (outcome < 0)
        log_event(LOG_ERROR, is_health ? "not healthy" : "ended", "error", err.text, NULL);
    worker_release(&worker);
    return outcome >= 0 ? 0 : usage ? 2 : 1;
}
