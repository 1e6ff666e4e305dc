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
#include "services/worker/engine_wait.h"
#include "services/worker/logs.h"
#include "services/worker/recover.h"
#include "services/worker/runtime_choice.h"
#include "services/worker/runtime_docker.h"
#include "services/worker/runtime_process.h"
#include "services/worker/services.h"
#include "services/worker/settings.h"
#include "services/worker/state.h"
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
    struct state state;
    struct pulse pulse; // healthy: the manager has answered within the lease
    struct loop *loop;
    struct http_async *http;
    struct engine_wait *engine_wait; // NULL: there is to be no engine
    struct docker_engine *engine;    // NULL: it does not work
    char trouble[256];               // why it does not
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
    bool failed, begins_anew;
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

static const char *worker_name(const struct worker *worker)
{
    return worker->settings.name ? worker->settings.name : worker->host;
}

// What has an image runs at the engine, beside processes.
static int add_containers(struct worker *worker, struct err *err)
{
    struct runtime *containers = NULL;
    const struct worker_settings *own = &worker->settings;
    const struct runtime_docker_settings settings = {
        .loop = worker->loop,
        .engine = worker->engine,
        .deployment = worker->state.deployment,
        .worker = worker_name(worker),
        .owner = worker->state.owner,
        .address = own->engine_address ? own->engine_address : own->advertise,
        .image_timeout_ms = own->image_timeout_ms,
        .state_directory = own->state_directory,
        .boot = worker->boot,
    };
    if (runtime_docker_new(&settings, &containers, err) < 0)
        return -1;
    if (runtime_choice_new(worker->runtime, containers, &worker->runtime, err) < 0) {
        runtime_free(containers);
        return -1;
    }
    log_event(LOG_INFO, "docker runtime", "engine", docker_engine_id(worker->engine), NULL);
    return 0;
}

static void on_survivor_gone(void *context)
{
    agent_holds_less(((struct worker *)context)->agent);
}

// A container of a service that this incarnation may not speak for any more.
static void on_left(void *context, const char *identity)
{
    struct worker *worker = context;
    struct err err;
    if (!worker->survivors || survivors_add(worker->survivors, identity, 0, &err) < 0)
        log_event(LOG_ERROR, "a container was lost sight of", "identity", identity, NULL);
}

static int make_runtime(struct worker *worker, struct err *err)
{
    const struct runtime_process_settings settings = {
        .loop = worker->loop,
        .shim_path = worker->shim,
        .state_directory = worker->settings.state_directory,
        .deployment = worker->state.deployment,
    };
    if (runtime_process_new(&settings, &worker->runtime, err) < 0)
        return -1;
    log_event(LOG_INFO, "process runtime", "boundary", runtime_process_boundary(worker->runtime), NULL);
    return worker->engine ? add_containers(worker, err) : 0;
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
        .deployment = worker->state.deployment,
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
        .deployment = worker->state.deployment,
        .stuck_after_ms = worker->settings.stuck_after_ms,
        .most = (int)worker->settings.max_services,
    };
    const struct services_events events = {.on_observation = on_observation, .on_left = on_left};
    return services_new(worker->loop, worker->runtime, worker->workspaces, worker->logs, worker->http, &settings,
                        &events, worker, &worker->services, err);
}

// ---- the manager's answers

static int make_parts(struct worker *worker, const char *deployment, struct err *err)
{
    if (worker->tasks)
        return 0;
    if (!worker->state.deployment && state_keep_deployment(&worker->state, deployment, err) < 0)
        return -1;
    if (!worker->runtime && make_runtime(worker, err) < 0)
        return -1;
    if (!worker->survivors && survivors_new(worker->runtime, on_survivor_gone, worker, &worker->survivors, err) < 0)
        return -1;
    agent_tell_survivors(worker->agent, worker->survivors);
    if (make_logs(worker, err) < 0 || make_tasks(worker, err) < 0 || make_services(worker, err) < 0)
        return -1;
    agent_attach(worker->agent, worker->runtime, worker->tasks, worker->services, worker->logs);
    return 0;
}

static int on_register(void *context, int64_t *registrations, struct err *err)
{
    struct worker *worker = context;
    return state_count_registration(&worker->state, registrations, err);
}

static int on_registered(void *context, const struct agent_registered *registered, struct err *err)
{
    struct worker *worker = context;
    if (worker->state.deployment && strcmp(worker->state.deployment, registered->deployment) != 0)
        return err_set(err, ERR_CONFLICT, "state-dir belongs to deployment '%.60s', the manager is of '%.60s'",
                       worker->state.deployment, registered->deployment);
    if (worker->survivors)
        survivors_end_others(worker->survivors, &registered->survivors);
    if (state_keep_registration(&worker->state, registered->worker, registered->incarnation,
                                worker->engine ? docker_engine_id(worker->engine) : NULL, err) < 0 ||
        make_parts(worker, registered->deployment, err) < 0)
        return -1;
    if (worker->survivors)
        survivors_settle(worker->survivors, worker->services, worker->tasks, &registered->survivors);
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
    engine_wait_registers(worker->engine_wait);
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
    if (!worker->agent) { // the engine has not answered yet, and nothing was begun
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
        .name = worker_name(worker),
        .host = worker->host,
        .boot = worker->boot,
        .queues_json = worker->queues_json,
        .labels_json = worker->labels_json,
        .queues = worker->queues,
        .slots = (int)worker->settings.slots,
        .runtimes_json = worker->engine ? "[\"process\",\"docker\"]" : "[\"process\"]",
        .engine = worker->engine ? docker_engine_id(worker->engine) : NULL,
        .trouble = worker->trouble[0] ? worker->trouble : NULL,
        .former_worker = worker->state.former_worker,
        .former_incarnation = worker->state.former_incarnation,
        .owner = worker->state.owner,
    };
    const struct agent_events events = {
        .on_register = on_register, .on_registered = on_registered, .on_lease = on_lease, .on_failed = on_failed};
    return agent_new(worker->loop, worker->http, &settings, &events, worker, &worker->agent, err);
}

static int make_http(struct worker *worker, struct err *err)
{
    const struct http_client_settings settings = {.base_url = worker->settings.server,
                                                  .token = worker->settings.token,
                                                  .user_agent = "curfew-worker",
                                                  .ca_file = worker->settings.ca_file};
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
    if (state_open(worker->settings.state_directory, &worker->state, err) < 0 ||
        state_path(&worker->state, "health", health, err) < 0)
        return -1;
    return pulse_open(&worker->pulse, health, err);
}

// ---- the engine

static int begin(struct worker *worker, struct err *err)
{
    if (workspaces_new(worker->loop, worker->http, worker->settings.state_directory, &worker->workspaces, err) < 0 ||
        make_agent(worker, err) < 0)
        return -1;
    if (!worker->state.deployment)
        agent_begin(worker->agent, NULL); // a new state directory: there was no life before
    else if (make_runtime(worker, err) < 0 ||
             survivors_new(worker->runtime, on_survivor_gone, worker, &worker->survivors, err) < 0 ||
             recovery_start(worker->runtime, worker->survivors, on_recovered, worker, &worker->recovery, err) < 0)
        return -1;
    return 0;
}

// It works now, and did not: this worker begins anew as soon as it has nothing to lose.
static void on_engine_works_again(void *context)
{
    struct worker *worker = context;
    worker->begins_anew = worker->give_up_at_ms == 0 && agent_is_drained(worker->agent);
    if (worker->begins_anew) {
        log_event(LOG_INFO, "the container engine works now, beginning anew", NULL);
        loop_stop(worker->loop);
    }
}

static void on_engine(void *context, const struct err *error)
{
    struct worker *worker = context;
    struct err err = {0};
    if (error) {
        snprintf(worker->trouble, sizeof worker->trouble, "docker: %.240s", error->text);
        log_event(LOG_ERROR, "no containers can be run", "error", error->text, NULL);
    } else {
        worker->engine = engine_wait_engine(worker->engine_wait);
    }
    if (begin(worker, &err) < 0)
        fail(worker, &err);
}

static int begin_with_engine(struct worker *worker, struct err *err)
{
    const struct engine_wait_settings settings = {
        .loop = worker->loop, .http = worker->http, .url = worker->settings.engine, .state = &worker->state};
    const struct engine_wait_events events = {.over = on_engine, .works_again = on_engine_works_again};
    return engine_wait_start(&settings, &events, worker, &worker->engine_wait, err);
}

static int worker_run(struct worker *worker, struct err *err)
{
    const int signals[] = {SIGTERM, SIGINT};
    if (loop_new(&worker->loop, err) < 0 ||
        loop_signals(worker->loop, signals, ARRAY_LEN(signals), on_signal, worker, err) < 0 ||
        loop_timer_add(worker->loop, on_end_timer, worker, &worker->end_timer, err) < 0 || make_http(worker, err) < 0 ||
        (worker->settings.engine ? begin_with_engine(worker, err) : begin(worker, err)) < 0 ||
        loop_run(worker->loop, err) < 0)
        return -1;
    return worker->failed ? err_set(err, worker->failure.code, "%s", worker->failure.text) : 0;
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
    engine_wait_free(worker->engine_wait);
    http_async_free(worker->http);
    loop_free(worker->loop);
    pulse_close(&worker->pulse);
    state_release(&worker->state);
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
    const struct state state = {.directory = worker->settings.state_directory};
    return state_path(&state, "health", path, err) < 0 ? -1 : pulse_check(path, err);
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
    bool again = outcome == 0 && worker.begins_anew;
    worker_release(&worker);
    if (again)
        execv("/proc/self/exe", argv);
    return outcome >= 0 ? 0 : usage ? 2 : 1;
}
