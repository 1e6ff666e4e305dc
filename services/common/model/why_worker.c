// The reason of a worker: why it does what it does, or nothing.
#include "services/common/model/why_internal.h"

static void add_worker(struct why *why, const struct why_worker *worker)
{
    json_text(&why->evidence, "worker", worker->name);
    json_text(&why->evidence, "state", worker_state_name(worker->state));
    json_time(&why->evidence, "lease_until", worker->lease_until_us);
    json_i64(&why->evidence, "slots", worker->slots);
    json_i64(&why->evidence, "running", worker->running);
    json_i64(&why->evidence, "services", worker->services);
    json_text(&why->evidence, "note", worker->note);
    json_text(&why->evidence, "trouble", worker->trouble);
}

static bool say_away(const struct why_worker *worker, struct why *why)
{
    char text[PARSE_DURATION_TEXT_SIZE];
    why_duration(worker->now_us - worker->lease_until_us, text);
    switch (worker->state) {
    case WORKER_LOST:
        return why_say(why, WHY_WORKER_LOST, "worker '%s' is lost: its lease ended %s ago (%.120s)", worker->name, text,
                       worker->note ? worker->note : "it did not renew it");
    case WORKER_GONE:
        return why_say(why, WHY_WORKER_GONE, "worker '%s' has gone", worker->name);
    case WORKER_SUSPECT:
        return why_say(why, WHY_WORKER_SILENT, "worker '%s' does not answer: its lease ended %s ago", worker->name,
                       text);
    case WORKER_QUARANTINED:
        return why_say(why, WHY_WORKER_QUARANTINED, "worker '%s' is quarantined: %.180s", worker->name,
                       worker->note ? worker->note : "something of it would not die");
    default:
        return false;
    }
}

static bool say_draining(const struct why_worker *worker, struct why *why)
{
    if (!worker->drain && worker->state != WORKER_DRAINING)
        return false;
    if (worker->running == 0 && worker->services == 0)
        return why_say(why, WHY_WORKER_DRAINED, "worker '%s' drains and has nothing left", worker->name);
    return why_say(why, WHY_WORKER_DRAINING, "worker '%s' drains: %lld tasks and %lld services are left", worker->name,
                   (long long)worker->running, (long long)worker->services);
}

static bool say_free(const struct why_worker *worker, struct why *why)
{
    if (worker->trouble)
        return why_say(why, WHY_WORKER_TROUBLE, "worker '%s': %.220s", worker->name, worker->trouble);
    if (worker->running > 0 || worker->services > 0)
        return why_say(why, WHY_WORKER_WORKING, "worker '%s' has %lld tasks and %lld services, and %lld free slots",
                       worker->name, (long long)worker->running, (long long)worker->services,
                       (long long)(worker->slots - worker->running));
    if (worker->something_for_it)
        return false;
    if (worker->other_demand) {
        json_raw(&why->evidence, "waits", worker->other_demand);
        return why_say(why, WHY_WORKER_NO_MATCH, "work waits that worker '%s' has not the %s for", worker->name,
                       worker->other_demand_is);
    }
    return why_say(why, WHY_WORKER_IDLE, "worker '%s' is idle: nothing waits", worker->name);
}

static bool decide(const struct why_worker *worker, struct why *why)
{
    add_worker(why, worker);
    if (say_away(worker, why) || say_draining(worker, why))
        return true;
    if (worker->slots > 0 && worker->running >= worker->slots)
        return why_say(why, WHY_WORKER_BUSY, "all %lld slots of worker '%s' are busy", (long long)worker->slots,
                       worker->name);
    return say_free(worker, why);
}

void why_decide_worker(const struct why_worker *worker, struct why *why)
{
    why_begin(why);
    why_end(why, decide(worker, why));
}
