// What all handlers share. Made by serve.c before the server starts, ended after it has drained.
#pragma once

#include "services/jobmanager/lanes.h"
#include "services/jobmanager/meters.h"
#include "services/jobmanager/polls.h"
#include "services/jobmanager/pool.h"
#include "services/jobmanager/settings.h"
#include "services/jobmanager/told.h"
#include "services/jobmanager/waiters.h"
#include "services/jobmanager/wakeup.h"
#include "services/jobmanager/watches.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct http_server;
struct keyring;
struct rates;
struct refusals;
struct stops;

// Whether the database could be used when it was last looked at, and when that look ended (clock_boot_ms()).
struct readiness_look {
    int64_t ended_ms;
    bool failed;
    struct err err;
};

struct app {
    const struct settings *settings;
    const char *deployment; // names the objects of this installation
    struct lanes *lanes;
    struct pool *pool;
    struct pool *probes;             // one thread, which hangs with the database for two seconds at most: for /readyz
    struct readiness_look last_look; // of that thread alone
    struct polls *polls;
    struct watches *watches;
    struct waiters *waiters;
    struct wakeup *wakeup;
    struct meters *meters;
    struct keyring *keyring;
    struct refusals *refusals;
    struct rates *rates;
    struct stops *stops;
    struct told told;
    _Atomic(struct http_server *) server; // NULL until it has started
    _Atomic bool draining;
    _Atomic uint64_t arrivals; // numbers polls as they come
};
