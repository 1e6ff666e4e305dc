// A single-threaded event loop over epoll: descriptors, timers, signals (signalfd), child processes (pidfd are plain
// descriptors).
//
// Callbacks run on the thread that calls loop_run(). A source may be removed, and the loop stopped, inside any
// callback.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_watch;

typedef void (*loop_fd_fn)(void *context, int fd, uint32_t events); // events: EPOLLIN, EPOLLOUT, EPOLLHUP, ...
typedef void (*loop_timer_fn)(void *context);
typedef void (*loop_signal_fn)(void *context, int signal_number);

int loop_new(struct loop **out, struct err *err) WARN_UNUSED;
void loop_free(struct loop *loop); // takes NULL; frees all sources, closes no descriptor of the caller's

// Watches a descriptor, which stays the caller's; remove the watch before closing it.
int loop_watch_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn function, void *context,
                   struct loop_watch **out, struct err *err) WARN_UNUSED;
int loop_watch_change(struct loop_watch *watch, uint32_t events, struct err *err) WARN_UNUSED;
void loop_watch_remove(struct loop_watch *watch); // takes NULL

// A timer exists from creation to removal and is armed or not. One-shot: arm it again inside the callback to repeat.
int loop_timer_add(struct loop *loop, loop_timer_fn function, void *context, struct loop_timer **out,
                   struct err *err) WARN_UNUSED;
void loop_timer_arm(struct loop_timer *timer, int64_t due_boot_ms); // absolute, CLOCK_BOOTTIME; arming again replaces
void loop_timer_disarm(struct loop_timer *timer);
void loop_timer_remove(struct loop_timer *timer); // takes NULL

// Blocks the signals in this thread and calls back for each that arrives. Call once, before other threads start.
int loop_signals(struct loop *loop, const int *signals, int count, loop_signal_fn function, void *context,
                 struct err *err) WARN_UNUSED;

int loop_run(struct loop *loop, struct err *err) WARN_UNUSED; // until loop_stop()
// Handles what is due and returns after at most timeout_ms (-1: waits for the next event). For embedding and tests.
int loop_step(struct loop *loop, int timeout_ms, struct err *err) WARN_UNUSED;
void loop_stop(struct loop *loop);
