#include "services/jobmanager/watches.h"

#include "services/common/base/cleanup.h"
#include "services/jobmanager/alarm.h"

#include <stdatomic.h>

struct watches {
    struct alarm alarm; // its mutex guards everything below
    struct int_map jobs;
    _Atomic size_t count;
};

#define WATCH_OF(member, pointer) CONTAINER_OF(pointer, struct watch, member)

static void due_take(void *owner, struct deadline *deadline)
{
    UNUSED(owner);
    WATCH_OF(deadline, deadline)->resting = false;
}

static void due_fire(void *owner, struct deadline *deadline)
{
    UNUSED(owner);
    struct watch *watch = WATCH_OF(deadline, deadline);
    watch->fire(watch);
}

static const struct alarm_functions alarm_functions = {due_take, due_fire};

int watches_new(struct watches **out, struct err *err)
{
    AUTO_FREE struct watches *watches = calloc(1, sizeof(*watches));
    if (!watches)
        return err_set(err, ERR_NO_MEMORY, "no memory for watches");
    if (alarm_init(&watches->alarm, &alarm_functions, watches, err) < 0)
        return -1;
    *out = TAKE_PTR(watches);
    return 0;
}

void watches_free(struct watches *watches)
{
    if (!watches)
        return;
    alarm_release(&watches->alarm);
    int_map_release(&watches->jobs);
    free(watches);
}

int watches_add(struct watches *watches, struct watch *watch, int64_t job, struct err *err)
{
    watch->by_job.key = job;
    watch->resting = watch->woken = false;
    watch->deadline.place = 0;
    pthread_mutex_lock(&watches->alarm.mutex);
    int outcome = int_map_add(&watches->jobs, &watch->by_job, err);
    pthread_mutex_unlock(&watches->alarm.mutex);
    if (outcome == 0)
        atomic_fetch_add(&watches->count, 1);
    return outcome;
}

void watches_remove(struct watches *watches, struct watch *watch)
{
    pthread_mutex_lock(&watches->alarm.mutex);
    int_map_remove(&watches->jobs, &watch->by_job);
    pthread_mutex_unlock(&watches->alarm.mutex);
    atomic_fetch_sub(&watches->count, 1);
}

enum rest_outcome watches_rest(struct watches *watches, struct watch *watch, int64_t due_ms)
{
    pthread_mutex_lock(&watches->alarm.mutex);
    // Without memory for the alarm it looks again at once: slow, but it ends.
    bool again = watch->woken || alarm_arm(&watches->alarm, &watch->deadline, due_ms, NULL) < 0;
    watch->woken = false;
    watch->resting = !again;
    pthread_mutex_unlock(&watches->alarm.mutex);
    return again ? REST_AGAIN : REST_RESTS;
}

// With the mutex held: true when it rested and has to be fired.
static bool rouse(struct watches *watches, struct watch *watch)
{
    if (!watch->resting) {
        watch->woken = true;
        return false;
    }
    alarm_disarm(&watches->alarm, &watch->deadline);
    watch->resting = false;
    return true;
}

void watches_poke(struct watches *watches, struct watch *watch)
{
    pthread_mutex_lock(&watches->alarm.mutex);
    bool fires = rouse(watches, watch);
    pthread_mutex_unlock(&watches->alarm.mutex);
    if (fires)
        watch->fire(watch);
}

static void fire_list(struct watch *list)
{
    while (list) {
        struct watch *next = list->next_fired; // firing may free it
        list->fire(list);
        list = next;
    }
}

void watches_wake(struct watches *watches, int64_t job)
{
    struct watch *list = NULL;
    if (watches_count(watches) == 0)
        return;
    pthread_mutex_lock(&watches->alarm.mutex);
    for (struct int_node *node = int_map_find(&watches->jobs, job); node; node = node->next) {
        struct watch *watch = WATCH_OF(by_job, node);
        if (node->key == job && rouse(watches, watch)) {
            watch->next_fired = list;
            list = watch;
        }
    }
    pthread_mutex_unlock(&watches->alarm.mutex);
    fire_list(list);
}

void watches_wake_all(struct watches *watches)
{
    struct watch *list = NULL;
    pthread_mutex_lock(&watches->alarm.mutex);
    for (struct int_node *node = int_map_next(&watches->jobs, NULL); node; node = int_map_next(&watches->jobs, node)) {
        struct watch *watch = WATCH_OF(by_job, node);
        if (rouse(watches, watch)) {
            watch->next_fired = list;
            list = watch;
        }
    }
    pthread_mutex_unlock(&watches->alarm.mutex);
    fire_list(list);
}

size_t watches_count(const struct watches *watches)
{
    return atomic_load(&watches->count);
}
