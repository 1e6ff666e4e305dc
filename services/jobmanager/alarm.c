#include "services/jobmanager/alarm.h"

#include "services/common/base/clock.h"
#include "services/jobmanager/condition.h"

// Takes all that is due; a list in the order of their times.
static struct deadline *take_due(struct alarm *alarm, int64_t now_ms)
{
    struct deadline *list = NULL, **end = &list;
    struct deadline *first;
    while ((first = deadlines_first(&alarm->deadlines)) && first->due_ms <= now_ms) {
        deadlines_disarm(&alarm->deadlines, first);
        alarm->functions->take(alarm->owner, first);
        first->next = NULL;
        *end = first;
        end = &first->next;
    }
    return list;
}

static void *alarm_main(void *context)
{
    struct alarm *alarm = context;
    pthread_mutex_lock(&alarm->mutex);
    while (!alarm->stopping) {
        struct deadline *due = take_due(alarm, clock_boot_ms());
        if (!due) {
            struct deadline *first = deadlines_first(&alarm->deadlines);
            int64_t delay_ms = first ? MAX(first->due_ms - clock_boot_ms(), (int64_t)1) : -1;
            condition_wait(&alarm->changed, &alarm->mutex, delay_ms);
            continue;
        }
        pthread_mutex_unlock(&alarm->mutex);
        while (due) {
            struct deadline *next = due->next; // firing may free it
            alarm->functions->fire(alarm->owner, due);
            due = next;
        }
        pthread_mutex_lock(&alarm->mutex);
    }
    pthread_mutex_unlock(&alarm->mutex);
    return NULL;
}

int alarm_init(struct alarm *alarm, const struct alarm_functions *functions, void *owner, struct err *err)
{
    *alarm = (struct alarm){.functions = functions, .owner = owner};
    pthread_mutex_init(&alarm->mutex, NULL);
    condition_init(&alarm->changed);
    int failed = pthread_create(&alarm->thread, NULL, alarm_main, alarm);
    if (!failed)
        return 0;
    pthread_cond_destroy(&alarm->changed);
    pthread_mutex_destroy(&alarm->mutex);
    return err_errno(err, ERR_UNAVAILABLE, failed, "cannot start the alarm thread");
}

void alarm_release(struct alarm *alarm)
{
    pthread_mutex_lock(&alarm->mutex);
    alarm->stopping = true;
    pthread_cond_signal(&alarm->changed);
    pthread_mutex_unlock(&alarm->mutex);
    pthread_join(alarm->thread, NULL);
    deadlines_release(&alarm->deadlines);
    pthread_cond_destroy(&alarm->changed);
    pthread_mutex_destroy(&alarm->mutex);
}

int alarm_arm(struct alarm *alarm, struct deadline *deadline, int64_t due_ms, struct err *err)
{
    if (deadlines_arm(&alarm->deadlines, deadline, due_ms, err) < 0)
        return -1;
    if (deadlines_first(&alarm->deadlines) == deadline)
        pthread_cond_signal(&alarm->changed);
    return 0;
}

void alarm_disarm(struct alarm *alarm, struct deadline *deadline)
{
    deadlines_disarm(&alarm->deadlines, deadline);
}
