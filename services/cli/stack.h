// The embedded stack: a private PostgreSQL, a job manager, a reaper and a worker in one directory, for one machine.
//
// A guard process starts them, starts again what dies, and ends them all, in order, when it is asked to. When the guard
// itself is killed, the kernel tells its children to end. The database is reached through a socket in the directory
// alone.
//
//   DIR/pg          the cluster            DIR/run/server   the server's address, while it is up
//   DIR/run/pg      its socket             DIR/run/guard    process id and start time of the guard
//   DIR/worker      the worker's state     DIR/log/*.log    what the programs say
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define STACK_URL_SIZE 64

struct stack_settings {
    const char *directory; // made if it does not exist
    int port;              // 0: a free one
    int slots;             // of the worker; 0: one per processor
    bool foreground_ends;  // the stack ends with the calling process, however that ends; else it goes on until
                           // stack_down()
};

enum stack_outcome { STACK_STARTED, STACK_WAS_UP };

// Returns when jobs can be submitted and would run. A stack that is up already is left as it is. Failure: nothing is
// left running, and err says which program failed and where its log is.
int stack_up(const struct stack_settings *settings, char url[static STACK_URL_SIZE], struct err *err) WARN_UNUSED;

// Ends everything and waits until it has ended. 0: it was up; 1: it was not.
int stack_down(const char *directory, struct err *err) WARN_UNUSED;

// The address of a stack that is up; ERR_NOT_FOUND when it is not.
int stack_url(const char *directory, char url[static STACK_URL_SIZE], struct err *err) WARN_UNUSED;
