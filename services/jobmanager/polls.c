#include "services/jobmanager/polls.h"

#include "services/common/base/cleanup.h"
#include "services/jobmanager/alarm.h"

#include <stdatomic.h>

// Which wakes came when is kept by slots, not by identifiers: two that share one cause a look too many, nothing else.
#define SLOTS 4096

#define SLACK_PART 10 // of its wait; a poll may end so much earlier

struct demand_queue {
    struct int_node by_demand;
    struct poll_link *first, *last; // the longest waiting first
};

// A poll in the queue of one demand.
struct poll_link {
    struct poll_link *next, *previous;
    struct parked_poll *poll;
    struct demand_queue *queue;
};

struct polls {
    struct alarm alarm; // its mutex guards everything below
    struct int_map workers;
    struct int_map demands;
    _Atomic uint64_t sequence; // of wakes; read without the mutex
    uint64_t everything_at;    // sequence of the last polls_wake_all
    uint64_t demand_at[SLOTS], worker_at[SLOTS];
    bool stopping;
    _Atomic size_t count;
};

#define POLL_OF(member, pointer) CONTAINER_OF(pointer, struct parked_poll, member)

// ---- tables, all with the mutex held

static struct demand_queue *queue_of(struct polls *polls, int64_t demand, struct err *err)
{
    struct int_node *node = int_map_find(&polls->demands, demand);
    if (node)
        return CONTAINER_OF(node, struct demand_queue, by_demand);
    AUTO_FREE struct demand_queue *queue = calloc(1, sizeof(*queue));
    if (!queue) {
        err_set(err, ERR_NO_MEMORY, "no memory for a demand");
        return NULL;
    }
    queue->by_demand.key = demand;
    return int_map_add(&polls->demands, &queue->by_demand, err) < 0 ? NULL : TAKE_PTR(queue);
}

static void link_append(struct poll_link *link)
{
    struct demand_queue *queue = link->queue;
    link->previous = queue->last;
    *(queue->last ? &queue->last->next : &queue->first) = link;
    queue->last = link;
}

static void link_remove(struct poll_link *link)
{
    struct demand_queue *queue = link->queue;
    *(link->previous ? &link->previous->next : &queue->first) = link->next;
    *(link->next ? &link->next->previous : &queue->last) = link->previous;
}

static void links_drop(struct parked_poll *poll)
{
    for (size_t i = 0; i < poll->link_count; i++)
        link_remove(&poll->links[i]);
    free(poll->links);
    poll->links = NULL;
    poll->link_count = 0;
}

static int links_make(struct polls *polls, struct parked_poll *poll, struct err *err)
{
    poll->link_count = 0;
    poll->links = calloc(MAX(poll->demand_count, (size_t)1), sizeof(*poll->links));
    if (!poll->links)
        return err_set(err, ERR_NO_MEMORY, "no memory for a parked poll");
    for (size_t i = 0; i < poll->demand_count; i++) {
        struct demand_queue *queue = queue_of(polls, poll->demands[i], err);
        if (!queue) {
            links_drop(poll);
            return -1;
        }
        poll->links[i] = (struct poll_link){.poll = poll, .queue = queue};
        link_append(&poll->links[i]);
        poll->link_count++;
    }
    return 0;
}

static void unpark(struct polls *polls, struct parked_poll *poll, enum poll_end end)
{
    alarm_disarm(&polls->alarm, &poll->deadline);
    int_map_remove(&polls->workers, &poll->by_worker);
    links_drop(poll);
    poll->parked = false;
    poll->end = end;
    poll->next_taken = NULL;
    atomic_fetch_sub(&polls->count, 1);
}

// ---- the alarm

static void due_take(void *owner, struct deadline *deadline)
{
    unpark(owner, POLL_OF(deadline, deadline), POLL_DUE);
}

static void due_fire(void *owner, struct deadline *deadline)
{
    UNUSED(owner);
    struct parked_poll *poll = POLL_OF(deadline, deadline);
    poll->ended(poll, POLL_DUE);
}

static const struct alarm_functions alarm_functions = {due_take, due_fire};

int polls_new(struct polls **out, struct err *err)
{
    AUTO_FREE struct polls *polls = calloc(1, sizeof(*polls));
    if (!polls)
        return err_set(err, ERR_NO_MEMORY, "no memory for parked polls");
    if (alarm_init(&polls->alarm, &alarm_functions, polls, err) < 0)
        return -1;
    *out = TAKE_PTR(polls);
    return 0;
}

void polls_free(struct polls *polls)
{
    if (!polls)
        return;
    alarm_release(&polls->alarm);
    struct int_node *node;
    while ((node = int_map_next(&polls->demands, NULL))) {
        int_map_remove(&polls->demands, node);
        free(CONTAINER_OF(node, struct demand_queue, by_demand));
    }
    int_map_release(&polls->demands);
    int_map_release(&polls->workers);
    free(polls);
}

// ---- parking

int64_t polls_due_ms(int64_t now_ms, int64_t wait_ms)
{
    int64_t slack_ms = wait_ms / SLACK_PART, due_ms = now_ms + wait_ms;
    return slack_ms > 0 ? due_ms - due_ms % slack_ms : due_ms;
}

uint64_t polls_mark(const struct polls *polls)
{
    return atomic_load(&polls->sequence);
}

static bool woken_since(const struct polls *polls, const struct parked_poll *poll, uint64_t mark)
{
    if (polls->everything_at > mark || polls->worker_at[(uint64_t)poll->worker % SLOTS] > mark)
        return true;
    for (size_t i = 0; i < poll->demand_count; i++)
        if (polls->demand_at[(unsigned)poll->demands[i] % SLOTS] > mark)
            return true;
    return false;
}

static int park_locked(struct polls *polls, struct parked_poll *poll, uint64_t mark, struct parked_poll **displaced,
                       struct err *err)
{
    if (polls->stopping)
        return PARK_STOPPING;
    if (woken_since(polls, poll, mark))
        return PARK_AGAIN;
    struct int_node *node = int_map_find(&polls->workers, poll->worker);
    struct parked_poll *other = node ? POLL_OF(by_worker, node) : NULL;
    if (other && other->serial > poll->serial)
        return PARK_DISPLACED;
    if (links_make(polls, poll, err) < 0)
        return -1;
    poll->by_worker.key = poll->worker;
    poll->deadline.place = 0;
    if (alarm_arm(&polls->alarm, &poll->deadline, poll->due_ms, err) < 0 ||
        int_map_add(&polls->workers, &poll->by_worker, err) < 0) {
        alarm_disarm(&polls->alarm, &poll->deadline);
        links_drop(poll);
        return -1;
    }
    if (other)
        unpark(polls, other, POLL_DISPLACED);
    poll->parked = true;
    atomic_fetch_add(&polls->count, 1);
    *displaced = other;
    return PARK_PARKED;
}

int polls_park(struct polls *polls, struct parked_poll *poll, uint64_t mark, struct err *err)
{
    struct parked_poll *displaced = NULL;
    pthread_mutex_lock(&polls->alarm.mutex);
    int outcome = park_locked(polls, poll, mark, &displaced, err);
    pthread_mutex_unlock(&polls->alarm.mutex);
    if (displaced)
        displaced->ended(displaced, POLL_DISPLACED);
    return outcome;
}

void polls_stop(struct polls *polls)
{
    pthread_mutex_lock(&polls->alarm.mutex);
    polls->stopping = true;
    pthread_mutex_unlock(&polls->alarm.mutex);
}

void polls_end(struct polls *polls, struct parked_poll *poll, enum poll_end end)
{
    pthread_mutex_lock(&polls->alarm.mutex);
    bool was_parked = poll->parked;
    if (was_parked)
        unpark(polls, poll, end);
    pthread_mutex_unlock(&polls->alarm.mutex);
    if (was_parked)
        poll->ended(poll, end);
}

// ---- waking

static void end_list(struct parked_poll *list)
{
    while (list) {
        struct parked_poll *next = list->next_taken; // ending may free it
        list->ended(list, list->end);
        list = next;
    }
}

// With the mutex held: as many of those who wait for the demand as it takes to cover the tasks.
static struct parked_poll *take_for_demand(struct polls *polls, int64_t demand, int64_t tasks, size_t most)
{
    struct int_node *node = int_map_find(&polls->demands, demand);
    struct demand_queue *queue = node ? CONTAINER_OF(node, struct demand_queue, by_demand) : NULL;
    struct parked_poll *list = NULL, **end = &list;
    for (; queue && queue->first && tasks > 0 && most > 0; most--) {
        struct parked_poll *poll = queue->first->poll;
        tasks -= MAX(poll->capacity, (int64_t)1);
        unpark(polls, poll, POLL_WOKEN);
        *end = poll;
        end = &poll->next_taken;
    }
    return list;
}

static struct parked_poll *take_worker(struct polls *polls, int64_t worker)
{
    struct int_node *node = int_map_find(&polls->workers, worker);
    struct parked_poll *poll = node ? POLL_OF(by_worker, node) : NULL;
    if (poll)
        unpark(polls, poll, POLL_WOKEN);
    return poll;
}

void polls_wake(struct polls *polls, const struct wake *wake)
{
    struct parked_poll *list = NULL;
    pthread_mutex_lock(&polls->alarm.mutex);
    uint64_t sequence = atomic_fetch_add(&polls->sequence, 1) + 1;
    if (wake->kind == WAKE_DEMAND) {
        polls->demand_at[(unsigned)wake->id % SLOTS] = sequence;
        list = take_for_demand(polls, wake->id, wake->tasks, SIZE_MAX);
    } else if (wake->kind == WAKE_WORKER) {
        polls->worker_at[(uint64_t)wake->id % SLOTS] = sequence;
        list = take_worker(polls, wake->id);
    }
    pthread_mutex_unlock(&polls->alarm.mutex);
    end_list(list);
}

struct parked_poll *polls_take(struct polls *polls, int64_t demand, int64_t tasks, size_t most)
{
    pthread_mutex_lock(&polls->alarm.mutex);
    struct parked_poll *list = take_for_demand(polls, demand, tasks, most);
    pthread_mutex_unlock(&polls->alarm.mutex);
    return list;
}

void polls_wake_all(struct polls *polls)
{
    struct parked_poll *list = NULL;
    struct int_node *node;
    pthread_mutex_lock(&polls->alarm.mutex);
    polls->everything_at = atomic_fetch_add(&polls->sequence, 1) + 1;
    while ((node = int_map_next(&polls->workers, NULL))) {
        struct parked_poll *poll = POLL_OF(by_worker, node);
        unpark(polls, poll, POLL_WOKEN);
        poll->next_taken = list;
        list = poll;
    }
    pthread_mutex_unlock(&polls->alarm.mutex);
    end_list(list);
}

size_t polls_count(const struct polls *polls)
{
    return atomic_load(&polls->count);
}
