#include "services/reaper/engine_watch.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/base/log.h"
#include "services/common/base/parse.h"
#include "services/common/base/strbuf.h"
#include "services/common/db/db.h"
#include "services/common/engine/forgotten.h"
#include "services/common/engine/network_removal.h"
#include "services/common/store/engine.h"
#include "services/common/store/installation.h"
#include "services/common/store/workers.h"
#include "services/reaper/leadership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEADER_PREFIX "engine/"
#define ID_SIZE 128
#define IDENTITY_SIZE 256
#define PARTS_MAX 5

// What was seen before and has to go: a container, or a network.
struct ending {
    struct ending *next;
    char id[ID_SIZE];
    int64_t first_seen_ms;
    int64_t asked_at_ms; // when the stop signal was sent; 0: not yet
    bool killed;
    bool was_said; // why it stays
    bool miscount_said;
    struct strbuf signals; // JSON array, open
    bool seen;             // in this round
};

struct engine_watch {
    struct engine_watch_settings settings;
    struct db *db;
    struct engine_client *client;
    struct leadership leadership;
    char leader_name[sizeof LEADER_PREFIX + ENGINE_SIZE];
    char engine[ENGINE_SIZE];
    char deployment[DEPLOYMENT_SIZE];
    struct ending *endings;
    bool refused;
};

// One round.
struct look {
    struct engine_watch *watch;
    struct arena *arena;
    struct engine_listing listing;
    struct engine_seen *seen; // per container
    struct sweep sweep;
    size_t unknown;
    int left, networks_kept;
    bool has_trouble;
    struct err trouble; // the first that concerns one object only
};

bool engine_guard_refuses(size_t unknown, size_t all)
{
    return all >= ENGINE_GUARD_MIN && unknown > all / 2;
}

int engine_watch_new(const struct engine_watch_settings *settings, struct db *db, struct engine_watch **out,
                     struct err *err)
{
    struct installation installation;
    struct engine_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_set(err, ERR_NO_MEMORY, "no memory to watch an engine");
    *watch = (struct engine_watch){.settings = *settings, .db = db};
    if (engine_client_new(settings->url, &watch->client, err) < 0 || installation_read(db, &installation, err) < 0) {
        engine_watch_free(watch);
        return -1;
    }
    snprintf(watch->deployment, sizeof watch->deployment, "%s", installation.deployment);
    *out = watch;
    return 0;
}

// ---- what has to go

static struct ending *ending_of(struct engine_watch *watch, const char *id)
{
    struct ending *ending = watch->endings;
    while (ending && strcmp(ending->id, id) != 0)
        ending = ending->next;
    if (!ending) {
        ending = calloc(1, sizeof *ending);
        if (!ending)
            return NULL;
        snprintf(ending->id, sizeof ending->id, "%s", id);
        ending->first_seen_ms = clock_boot_ms();
        ending->next = watch->endings;
        watch->endings = ending;
    }
    ending->seen = true;
    return ending;
}

// Those that this round has not seen are gone, or wanted after all.
static void forget_unseen(struct engine_watch *watch)
{
    struct ending **link = &watch->endings;
    while (*link) {
        struct ending *ending = *link;
        if (ending->seen) {
            ending->seen = false;
            link = &ending->next;
            continue;
        }
        *link = ending->next;
        strbuf_release(&ending->signals);
        free(ending);
    }
}

static void forget_all(struct engine_watch *watch)
{
    for (struct ending *ending = watch->endings; ending; ending = ending->next)
        ending->seen = false;
    forget_unseen(watch);
}

void engine_watch_free(struct engine_watch *watch)
{
    if (!watch)
        return;
    forget_all(watch);
    leadership_give_up(&watch->leadership, watch->db);
    engine_client_free(watch->client);
    free(watch);
}

static int send_signal(struct engine_watch *watch, struct ending *ending, const char *name, struct err *err)
{
    char at[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_us(), at);
    strbuf_add_format(&ending->signals, "%s{\"signal\":\"%s\",\"at\":\"%s\"}", ending->signals.length > 0 ? "," : "[",
                      name, at);
    return engine_client_signal(watch->client, ending->id, name, err);
}

// Stop signal, grace, SIGKILL; nobody waits here, the next round goes on.
static int press(struct engine_watch *watch, struct ending *ending, const struct engine_container *container,
                 bool at_once, struct err *err)
{
    int64_t now_ms = clock_boot_ms();
    if (ending->asked_at_ms == 0 && !at_once) {
        ending->asked_at_ms = now_ms;
        return send_signal(watch, ending, container->stop_signal, err);
    }
    if (!at_once && now_ms < ending->asked_at_ms + container->stop_grace_ms)
        return 0;
    if (ending->killed)
        return engine_client_signal(watch->client, ending->id, "SIGKILL", err);
    ending->killed = true;
    return send_signal(watch, ending, "SIGKILL", err);
}

static int record(const struct look *look, const struct engine_seen *seen, struct ending *ending,
                  const struct engine_container *container, struct err *err)
{
    if (seen->verdict != ENGINE_FINISH || seen->token != 0)
        return 0;
    if (ending->signals.length > 0)
        strbuf_add_char(&ending->signals, ']');
    const struct engine_end end = {
        .job = seen->job,
        .service = seen->service,
        .epoch = seen->epoch,
        .exit_code = container->exited ? (int)container->exit_code : -1,
        .signals = ending->signals.length > 0 ? strbuf_text(&ending->signals) : NULL,
        .error = container->out_of_memory ? "it was out of memory" : NULL,
    };
    if (strbuf_ok(&ending->signals, err) < 0)
        return -1;
    int outcome = engine_ended(&look->sweep, &end, err);
    strbuf_clear(&ending->signals); // recorded; a removal that has to be tried again records nothing
    return outcome;
}

// What the engine has forgotten of a container that does not run, as it says. Returns how many processes are there:
// they will be gone soon, or when somebody has ended them who may. That is said once, and stands with the instance.
static int end_forgotten(struct look *look, struct ending *ending, const struct engine_container *listed,
                         const struct engine_seen *seen, struct err *err)
{
    struct engine_forgotten left;
    if (engine_forgotten_end(listed->id, &left, err) < 0)
        return -1;
    if (left.refused > 0 && !ending->was_said)
        log_event(LOG_ERROR, ENGINE_FORGOTTEN_REFUSED, "container", listed->id, "identity", listed->identity, "pid",
                  LOG_NUMBER(left.refused_pid), NULL);
    else if (left.found > 0 && left.refused == 0)
        log_event(LOG_WARN, ENGINE_FORGOTTEN_ENDED, "container", listed->id, "identity", listed->identity, "processes",
                  LOG_NUMBER(left.found), NULL);
    ending->was_said |= left.refused > 0;
    bool is_instance = seen->verdict == ENGINE_FINISH && seen->token == 0;
    if (left.refused > 0 && is_instance && engine_remains(&look->sweep, seen, left.text, err) < 0)
        return -1;
    return left.found;
}

// Takes a container one step further. It is looked at by its id first: what is listed may be long gone.
static int end_container(struct look *look, const struct engine_container *listed, const struct engine_seen *seen,
                         struct err *err)
{
    struct engine_watch *watch = look->watch;
    struct engine_container container;
    struct ending *ending = ending_of(watch, listed->id);
    if (!ending)
        return err_set(err, ERR_NO_MEMORY, "no memory for what has to go");
    look->left++;
    bool at_once = seen->verdict == ENGINE_FINISH;
    if (!at_once && clock_boot_ms() < ending->first_seen_ms + watch->settings.patience_ms)
        return 0;
    int found = engine_client_inspect(watch->client, listed->id, look->arena, &container, err);
    if (found < 0 || found == ENGINE_ABSENT)
        return found < 0 ? -1 : 0;
    if (strcmp(container.deployment, watch->deployment) != 0 || strcmp(container.identity, listed->identity) != 0)
        return 0;
    if (container.running)
        return press(watch, ending, &container, seen->token != 0, err);
    int forgotten = end_forgotten(look, ending, listed, seen, err);
    if (forgotten != 0)
        return forgotten < 0 ? -1 : 0;
    if (record(look, seen, ending, &container, err) < 0)
        return -1;
    if (engine_client_remove(watch->client, listed->id, err) < 0)
        return err->code == ERR_CONFLICT ? 0 : -1;
    log_event(LOG_WARN, at_once ? "container of a lost worker removed" : "container that nobody wants removed",
              "container", listed->id, "identity", listed->identity, NULL);
    return 0;
}

// ---- what is there

// "JOB/SERVICE/EPOCH", "JOB/STAGE/TASK/TOKEN" or "JOB/STAGE/stream/NAME"; anything else is nobody's.
static void read_identity(struct arena *arena, const struct engine_container *container, struct engine_seen *seen)
{
    const char *parts[PARTS_MAX];
    size_t count = 0;
    int64_t number;
    *seen = (struct engine_seen){.service = "", .holder = container->worker};
    char *rest = arena_copy(arena, container->identity, strlen(container->identity) + 1);
    for (char *part = strsep(&rest, "/"); part && count < PARTS_MAX; part = strsep(&rest, "/"))
        parts[count++] = part;
    bool is_stream = count == 4 && strcmp(parts[2], "stream") == 0;
    if ((count != 3 && count != 4) || id_parse('j', parts[0], &seen->job) < 0 ||
        (!is_stream && parse_i64(parts[count - 1], 1, INT64_MAX, "number", &number, NULL) < 0)) {
        seen->job = 0;
        return;
    }
    seen->service = parts[1];
    if (is_stream) {
        seen->token = ENGINE_TOKEN_STREAM;
        return;
    }
    seen->epoch = count == 3 ? (int)number : 0;
    seen->token = count == 4 ? number : 0;
}

static int judge(struct look *look, struct err *err)
{
    const struct engine_listing *listing = &look->listing;
    look->seen = arena_alloc_zero(look->arena, listing->container_count + 1, sizeof *look->seen);
    if (!look->seen)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu containers", listing->container_count);
    for (size_t i = 0; i < listing->container_count; i++)
        read_identity(look->arena, &listing->containers[i], &look->seen[i]);
    if (engine_judge(look->watch->db, look->watch->engine, look->seen, listing->container_count, err) < 0)
        return -1;
    for (size_t i = 0; i < listing->container_count; i++)
        look->unknown += look->seen[i].verdict == ENGINE_ORPHAN && look->seen[i].worker == 0;
    return 0;
}

static void note_refusal(struct look *look)
{
    bool refused = engine_guard_refuses(look->unknown, look->listing.container_count);
    if (refused && !look->watch->refused)
        log_event(LOG_ERROR, "most containers are unknown to the database, none of them is removed; was it restored?",
                  "engine", look->watch->engine, "unknown", LOG_NUMBER(look->unknown), "all",
                  LOG_NUMBER(look->listing.container_count), NULL);
    look->watch->refused = refused;
}

// 1 when something may be ended still. A round that takes longer than the term keeps its leadership: the next leader
// would begin patience and grace anew.
static int still_leads(struct look *look, struct err *err)
{
    struct leadership *leadership = &look->watch->leadership;
    if (leadership_keep(leadership, look->watch->db, err) < 0)
        return -1;
    look->sweep.epoch = leadership->epoch;
    return leadership_holds(leadership);
}

// What the engine refuses or does not manage for one object holds up no others.
static int go_on(struct look *look, int outcome, const struct err *err)
{
    if (outcome >= 0 || (err->code != ERR_IO && err->code != ERR_TIMEOUT))
        return outcome;
    if (!look->has_trouble)
        look->trouble = *err;
    look->has_trouble = true;
    return 0;
}

static int end_containers(struct look *look, struct err *err)
{
    for (size_t i = 0; i < look->listing.container_count; i++) {
        const struct engine_seen *seen = &look->seen[i];
        bool unknown = seen->verdict == ENGINE_ORPHAN && seen->worker == 0;
        if (seen->verdict == ENGINE_LEAVE)
            continue;
        int leads = still_leads(look, err);
        if (leads <= 0)
            return leads;
        if (unknown && look->watch->refused)
            look->left++;
        else if (go_on(look, end_container(look, &look->listing.containers[i], seen, err), err) < 0)
            return -1;
    }
    return 0;
}

static bool has_left(const struct look *look, int64_t worker)
{
    for (size_t i = 0; i < look->listing.container_count; i++)
        if (look->seen[i].worker == worker && look->seen[i].verdict != ENGINE_LEAVE)
            return true;
    return false;
}

// What lost workers have in the database and not at the engine any more.
static int settle_debts(struct look *look, struct err *err)
{
    AUTO_FREE int64_t *workers = NULL;
    int count = engine_debtors(&look->sweep, look->watch->engine, &workers, err);
    for (int i = 0; i < count; i++)
        if (!has_left(look, workers[i]) && engine_gone(&look->sweep, look->watch->engine, workers[i], err) < 0)
            return -1;
    return count < 0 ? -1 : 0;
}

// ---- networks

static void note_miscount(struct look *look, struct ending *ending, const struct engine_network *network)
{
    look->networks_kept++;
    if (!ending->miscount_said)
        log_event(LOG_WARN, NETWORK_MISCOUNTED, "network", network->id, "job", network->job, NULL);
    ending->miscount_said = true;
}

static int end_network(struct look *look, const struct engine_network *network, struct err *err)
{
    struct ending *ending = ending_of(look->watch, network->id);
    if (!ending)
        return err_set(err, ERR_NO_MEMORY, "no memory for what has to go");
    look->left++;
    if (clock_boot_ms() < ending->first_seen_ms + look->watch->settings.patience_ms)
        return 0;
    int outcome = engine_client_remove_network(look->watch->client, network->id, err);
    if (outcome == ENGINE_MISCOUNTED)
        note_miscount(look, ending, network);
    if (outcome >= 0)
        return 0;
    if (err->code != ERR_CONFLICT)
        return -1;
    if (!ending->was_said) // something is attached: it goes first
        log_event(LOG_WARN, "network of a job that is over cannot be removed yet", "network", network->id, "job",
                  network->job, "error", err->text, NULL);
    ending->was_said = true;
    return 0;
}

// Networks of jobs that are closed or unknown. A network that is in use cannot be removed, so no guard is needed.
static int end_networks(struct look *look, struct err *err)
{
    size_t count = look->listing.network_count;
    int64_t *jobs = arena_alloc_zero(look->arena, count + 1, sizeof *jobs);
    bool *open = arena_alloc_zero(look->arena, count + 1, sizeof *open);
    if (!jobs || !open)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu networks", count);
    for (size_t i = 0; i < count; i++)
        if (id_parse('j', look->listing.networks[i].job, &jobs[i]) < 0)
            jobs[i] = 0;
    if (count > 0 && engine_jobs_open(look->watch->db, jobs, open, count, err) < 0)
        return -1;
    for (size_t i = 0; i < count && !look->watch->refused; i++) {
        int leads = open[i] ? 0 : still_leads(look, err);
        if (leads < 0 || (leads > 0 && go_on(look, end_network(look, &look->listing.networks[i], err), err) < 0))
            return -1;
    }
    return 0;
}

// ---- a round

static int say_hello(struct engine_watch *watch, struct err *err)
{
    const char *id;
    if (engine_client_hello(watch->client, &id, err) < 0)
        return -1;
    if (strcmp(watch->engine, id) == 0)
        return 0;
    leadership_give_up(&watch->leadership, watch->db);
    snprintf(watch->engine, sizeof watch->engine, "%s", id);
    snprintf(watch->leader_name, sizeof watch->leader_name, LEADER_PREFIX "%s", id);
    log_event(LOG_INFO, "watching a container engine", "engine", watch->engine, NULL);
    return leadership_init(&watch->leadership, watch->leader_name, watch->settings.term_ms, err);
}

static int do_round(struct look *look, struct err *err)
{
    struct engine_watch *watch = look->watch;
    if (say_hello(watch, err) < 0 ||
        engine_client_list(watch->client, watch->deployment, look->arena, &look->listing, err) < 0)
        return -1;
    if (leadership_renew(&watch->leadership, watch->db, err) < 0)
        return -1;
    if (!leadership_holds(&watch->leadership)) {
        forget_all(watch);
        return 0;
    }
    look->sweep.leader = watch->leader_name;
    look->sweep.epoch = watch->leadership.epoch;
    if (judge(look, err) < 0)
        return -1;
    note_refusal(look);
    if (end_containers(look, err) < 0 || settle_debts(look, err) < 0 || end_networks(look, err) < 0)
        return -1;
    if (leadership_holds(&watch->leadership)) // else it did not look at all of them
        forget_unseen(watch);
    const struct engine_sight sight = {.engine = watch->engine,
                                       .containers = (int)look->listing.container_count,
                                       .orphans = (int)look->unknown,
                                       .networks_kept = look->networks_kept,
                                       .refused = watch->refused};
    return engine_note(&look->sweep, &sight, err);
}

int engine_watch_round(struct engine_watch *watch, struct wakes *wakes, struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory to look at an engine");
    struct look look = {
        .watch = watch,
        .arena = arena,
        .sweep = {.db = watch->db, .limit = watch->settings.limit, .wakes = wakes},
    };
    int outcome = do_round(&look, err);
    if (outcome < 0 && err->code == ERR_STALE)
        leadership_drop(&watch->leadership);
    if (outcome >= 0 && look.has_trouble) {
        *err = look.trouble;
        return -1;
    }
    return outcome < 0 ? -1 : look.left;
}
