// A thread that rings when deadlines are due, for an owner whose state they are part of: both share one mutex.
#pragma once

#include "services/common/base/err.h"
#include "services/jobmanager/deadlines.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct alarm_functions {
    // With the mutex held: the deadline is due and disarmed; the owner takes it out of its tables.
    void (*take)(void *owner, struct deadline *deadline);
    // Afterwards, without the mutex.
    void (*fire)(void *owner, struct deadline *deadline);
};

struct alarm {
    pthread_mutex_t mutex; // the owner's as well
    pthread_cond_t changed;
    pthread_t thread;
    struct deadlines deadlines;
    const struct alarm_functions *functions;
    void *owner;
    bool stopping;
};

// Starts the thread; `functions` is static.
int alarm_init(struct alarm *alarm, const struct alarm_functions *functions, void *owner, struct err *err) WARN_UNUSED;
void alarm_release(struct alarm *alarm); // ends the thread; what is armed never rings

// With the mutex held.
int alarm_arm(struct alarm *alarm, struct deadline *deadline, int64_t due_ms, struct err *err) WARN_UNUSED;
void alarm_disarm(struct alarm *alarm, struct deadline *deadline);
