// How the services and tasks of a test's jobs run: what differs between suites that run the same tables of cases
// (endings.h, keepings.h, nasty_cases.h).
#pragma once

#include <stdbool.h>

struct system;

struct flavour {
    // A whole system with one worker of this many slots; end_system() frees it.
    struct system *(*start_system)(int slots);
    void (*end_system)(struct system *system);
    // The spec as this flavour runs it; takes `json` over, the result is freed with free().
    char *(*adapt)(char *json);
    // system_leftovers(), and what else can be left of a closed job; prints it.
    int (*leftovers)(struct system *system, const char *id);
    // Whatever a service has left behind ends with it, so that nothing is left to be killed.
    bool daemons_end_with_service;
};

extern const struct flavour flavour_processes;
extern const struct flavour flavour_containers; // with a private engine (engine.h)
