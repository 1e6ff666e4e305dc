#include "tests/faults/containers.h"

#include "services/common/model/engine_labels.h"
#include "tests/support/containers.h"
#include "tests/support/die.h"
#include "tests/support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- strangers

#define STRANGER "stranger=1"

struct strangers {
    struct engine *engine;
    char *seen;
};

// Everything that is no stranger's own doing would show: ids, and when each container was started.
static char *see(struct engine *engine)
{
    char *text = NULL;
    static const char filter[] = "--filter=label=" STRANGER;
    AUTO_FREE char *containers = engine_docker_ok(engine, "ps", "-aq", "--no-trunc", filter, NULL);
    AUTO_FREE char *networks = engine_docker_ok(engine, "network", "ls", "-q", "--no-trunc", filter, NULL);
    AUTO_FREE char *volumes = engine_docker_ok(engine, "volume", "ls", "-q", filter, NULL);
    AUTO_FREE char *started = engine_docker_ok(
        engine, "inspect", "--format={{.State.StartedAt}} {{.State.Running}} {{len .NetworkSettings.Networks}}",
        "stranger-0", "stranger-1", NULL);
    if (asprintf(&text, "%s%s%s%s", containers, networks, volumes, started) < 0)
        die("out of memory");
    return text;
}

struct strangers *strangers_start(struct engine *engine)
{
    static const char label[] = "--label=" STRANGER;
    static const char another[] = "--label=" ENGINE_LABEL_DEPLOYMENT "=another";
    struct strangers *strangers = calloc(1, sizeof *strangers);
    if (!strangers)
        die("out of memory");
    free(engine_docker_ok(engine, "network", "create", label, "curfew-stranger", NULL));
    free(engine_docker_ok(engine, "volume", "create", label, "curfew-stranger", NULL));
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name=stranger-0", label, "--net=curfew-stranger",
                          "--volume=curfew-stranger:/mine", ENGINE_IMAGE, "nasty", "tree", NULL));
    free(engine_docker_ok(engine, "run", "-d", "--init", "--name=stranger-1", label, another,
                          "--label=" ENGINE_LABEL_IDENTITY "=j0cnv6bv2mqe4m/store/1", ENGINE_IMAGE, "nasty", "tree",
                          NULL));
    strangers->engine = engine;
    strangers->seen = see(engine);
    return strangers;
}

int strangers_check(const struct strangers *strangers)
{
    AUTO_FREE char *now = see(strangers->engine);
    if (strcmp(now, strangers->seen) == 0)
        return 0;
    fprintf(stderr, "faults: what is not ours was touched; it was\n%sand is\n%s", strangers->seen, now);
    return 1;
}

void strangers_free(struct strangers *strangers)
{
    free(strangers->seen);
    free(strangers);
}

// ---- ours

static int check_running(struct engine *engine, const char *job)
{
    char filter[128];
    snprintf(filter, sizeof filter, "--filter=label=" ENGINE_LABEL_JOB "=%s", job);
    AUTO_FREE char *running = engine_docker_ok(engine, "ps", filter, "--format={{.Names}} {{.Status}}", NULL);
    if (!*running)
        return 0;
    fprintf(stderr, "faults: job %s is closed, and this of it still runs:\n%s", job, running);
    return 1;
}

// A service that was ready once ends when its job does, and not before.
static int check_services(struct system *system, const char *job)
{
    int64_t lost = system_sql(system,
                              "SELECT count(*) FROM curfew.instance i WHERE job = %lld AND ready_at IS NOT NULL AND "
                              "(failed OR EXISTS (SELECT FROM curfew.instance n WHERE n.job = i.job AND n.service = "
                              "i.service AND n.epoch > i.epoch))",
                              (long long)system_job_number(job));
    if (lost > 0)
        fprintf(stderr, "faults: job %s has lost %lld services that it needed\n", job, (long long)lost);
    return (int)lost;
}

int containers_check_closed(struct engine *engine, struct system *system, const char *job)
{
    return check_running(engine, job) + check_services(system, job);
}

static char *list_networks(struct engine *engine, const char *label)
{
    char filter[160];
    snprintf(filter, sizeof filter, "--filter=label=%s", label);
    return engine_docker_ok(engine, "network", "ls", "-q", "--no-trunc", filter, NULL);
}

// What is in those that are left, and why the engine keeps them.
static void print_networks(struct engine *engine, const char *label)
{
    AUTO_FREE char *networks = list_networks(engine, label);
    char *rest = networks;
    for (char *id; (id = strsep(&rest, "\n")) && *id;) {
        AUTO_FREE char *inside = engine_docker(engine, "network", "inspect", id, NULL);
        AUTO_FREE char *refusal = engine_docker_refusal(engine, "network", "rm", id, NULL);
        fprintf(stderr, "%s\n%s", inside ? inside : id, refusal ? refusal : "the engine removes it when it is asked\n");
    }
}

// The engine lists nothing in it, and refuses to remove it for what is in it.
static bool is_miscounted(struct engine *engine, const char *network)
{
    AUTO_FREE char *inside = engine_docker(engine, "network", "inspect", "--format={{len .Containers}}", network, NULL);
    if (!inside || strcmp(inside, "0\n") != 0)
        return false;
    AUTO_FREE char *refusal = engine_docker_refusal(engine, "network", "rm", network, NULL);
    return refusal && strstr(refusal, "has active endpoints");
}

// Whether all that is left are such networks.
static bool are_miscounted(struct engine *engine, const char *label, int left)
{
    AUTO_FREE char *networks = list_networks(engine, label);
    char *rest = networks;
    int count = 0;
    for (char *id; (id = strsep(&rest, "\n")) && *id; count++)
        if (!is_miscounted(engine, id))
            return false;
    return count == left;
}

struct wanted_word {
    struct system *system;
    int networks;
};

static bool is_said(void *context)
{
    const struct wanted_word *wanted = context;
    return system_sql(wanted->system, "SELECT coalesce(sum(networks_kept), 0) FROM curfew.engine") == wanted->networks;
}

// The engine counts anew when it is started; until then the reaper has to say what it is kept from. Returns how many
// violations there are.
static int recount(struct engine *engine, struct system *system, const char *label, int networks)
{
    int violations = 0;
    printf("faults: %d networks of ours are left; the engine lists nothing in them, and says that they have active "
           "endpoints: it is killed and started, to count anew\n",
           networks);
    fflush(stdout);
    if (!wait_until(is_said, &(struct wanted_word){system, networks}, CONTAINERS_SWEEP_MS)) {
        fprintf(stderr, "faults: no reaper says that the engine has lost count of %d networks\n", networks);
        violations++;
    }
    engine_kill(engine, ENGINE_DOCKERD);
    engine_restart(engine);
    return violations + engine_wait_none(engine, label, CONTAINERS_SWEEP_MS);
}

int containers_check_end(struct engine *engine, struct system *system, int *miscounted)
{
    char label[128];
    snprintf(label, sizeof label, ENGINE_LABEL_DEPLOYMENT "=%s", system_deployment(system));
    int left = engine_wait_none(engine, label, CONTAINERS_SWEEP_MS);
    *miscounted = left > 0 && are_miscounted(engine, label, left) ? left : 0;
    if (*miscounted > 0)
        left = recount(engine, system, label, *miscounted);
    if (left > 0) {
        fprintf(stderr, "faults: %d containers, networks and volumes of ours are left\n",
                engine_objects(engine, label));
        engine_print(engine);
        print_networks(engine, label);
        system_print_logs(system);
    }
    return left;
}
