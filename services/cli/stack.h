// The embedded stack: a private PostgreSQL, a job manager, a reaper and a worker in one directory, for one machine.
//
// A guard process starts them, starts again what dies, and ends them all, in order, when it is asked to. When the guard
// itself is killed, the kernel tells its children to end, and the next stack_up() or stack_down() sees to it. The
// database is reached through a socket in the directory alone.
//
//   DIR/pg        the cluster            DIR/run/server       the server's address, while it is up
//   DIR/run/pg    its socket             DIR/run/guard        process id, start time and boot of the guard
//   DIR/worker    the worker's state     DIR/run/*.process    the same of its programs
//   DIR/log       what they say          DIR/run/lock         held while it is being started, is up, or ends
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
    bool is_temporary;     // the guard removes the directory at its end
};

enum stack_up_outcome { STACK_STARTED, STACK_WAS_UP };
enum stack_down_outcome { STACK_ENDED, STACK_WAS_DOWN, STACK_WAS_NEVER };

// Returns when jobs can be submitted and would run. A stack that is up already is left as it is, one that is being
// started or ended by another call is waited for. Failure: nothing is left running, and err says which program failed
// and where its log is. Nothing is left either when the calling process ends before it returns.
int stack_up(const struct stack_settings *settings, char url[static STACK_URL_SIZE], struct err *err) WARN_UNUSED;

// Ends everything and waits until it has ended: also what a guard that was killed has left behind, which counts as
// STACK_WAS_DOWN. STACK_WAS_NEVER: in this directory there is nothing of a stack.
int stack_down(const char *directory, struct err *err) WARN_UNUSED;

// The address of a stack that is up; ERR_NOT_FOUND when it is not.
int stack_url(const char *directory, char url[static STACK_URL_SIZE], struct err *err) WARN_UNUSED;
