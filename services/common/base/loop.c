// The event loop: epoll for descriptors, one timerfd on CLOCK_BOOTTIME for the earliest timer, one signalfd.
//
// A watch that is removed while callbacks run stays allocated until the outermost step ends, because the kernel's
// answer of this step may still name it. The timerfd, unlike epoll's timeout, counts the time that the machine was
// suspended.
#include "services/common/base/loop.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/timer_heap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_PER_STEP 64

struct loop_watch {
    struct loop *loop;
    int fd;
    bool removed;
    loop_fd_fn function;
    void *context;
    struct loop_watch *previous, *next; // among loop->watches; `next` alone among loop->removed
};

struct loop {
    int epoll_fd;
    int timer_fd;
    int signal_fd;
    bool stopped;
    unsigned depth; // steps that are running: a callback may call loop_step()
    struct loop_watch *watches;
    struct loop_watch *removed;
    struct timer_heap heap;
    int64_t timer_fd_due_ms; // what timer_fd is set to, 0 when it is not
    loop_signal_fn signal_function;
    void *signal_context;
};

static void free_removed(struct loop *loop)
{
    while (loop->removed) {
        struct loop_watch *watch = loop->removed;
        loop->removed = watch->next;
        free(watch);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->watches)
        loop_watch_remove(loop->watches);
    free_removed(loop);
    timer_heap_release(&loop->heap);
    cleanup_close(&loop->signal_fd);
    cleanup_close(&loop->timer_fd);
    cleanup_close(&loop->epoll_fd);
    free(loop);
}

DEFINE_CLEANUP(struct loop *, loop_free);

// The timerfd only ends the wait; which timers are due, the clock decides.
static void on_timer_fd(void *context, int fd, uint32_t events)
{
    UNUSED(events);
    struct loop *loop = context;
    uint64_t expirations = 0;
    if (read(fd, &expirations, sizeof expirations) > 0)
        loop->timer_fd_due_ms = 0;
}

int loop_new(struct loop **out, struct err *err)
{
    CLEANUP(cleanup_loop_free) struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a loop");
    loop->signal_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->timer_fd < 0)
        return err_errno(err, ERR_IO, errno, "create a loop");
    struct loop_watch *watch = NULL;
    if (loop_watch_add(loop, loop->timer_fd, EPOLLIN, on_timer_fd, loop, &watch, err) < 0)
        return -1;
    *out = TAKE_PTR(loop);
    return 0;
}

int loop_watch_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn function, void *context,
                   struct loop_watch **out, struct err *err)
{
    AUTO_FREE struct loop_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a watch");
    *watch = (struct loop_watch){.loop = loop, .fd = fd, .function = function, .context = context};
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_errno(err, ERR_IO, errno, "watch descriptor %d", fd);
    watch->next = loop->watches;
    if (watch->next)
        watch->next->previous = watch;
    loop->watches = watch;
    *out = TAKE_PTR(watch);
    return 0;
}

int loop_watch_change(struct loop_watch *watch, uint32_t events, struct err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
        return err_errno(err, ERR_IO, errno, "change the watch of descriptor %d", watch->fd);
    return 0;
}

void loop_watch_remove(struct loop_watch *watch)
{
    if (!watch || watch->removed)
        return;
    struct loop *loop = watch->loop;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        loop->watches = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    watch->removed = true;
    watch->next = loop->removed;
    loop->removed = watch;
    if (loop->depth == 0)
        free_removed(loop);
}

int loop_timer_add(struct loop *loop, loop_timer_fn function, void *context, struct loop_timer **out, struct err *err)
{
    AUTO_FREE struct loop_timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a timer");
    *timer = (struct loop_timer){.function = function, .context = context};
    if (timer_heap_add(&loop->heap, timer, err) < 0)
        return -1;
    *out = TAKE_PTR(timer);
    return 0;
}

void loop_timer_arm(struct loop_timer *timer, int64_t due_boot_ms)
{
    timer_heap_arm(timer, due_boot_ms);
}

void loop_timer_disarm(struct loop_timer *timer)
{
    timer_heap_disarm(timer);
}

void loop_timer_remove(struct loop_timer *timer)
{
    if (timer)
        timer_heap_remove(timer);
}

static void on_signal_fd(void *context, int fd, uint32_t events)
{
    UNUSED(events);
    struct loop *loop = context;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
        loop->signal_function(loop->signal_context, (int)info.ssi_signo);
}

int loop_signals(struct loop *loop, const int *signals, int count, loop_signal_fn function, void *context,
                 struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++)
        sigaddset(&set, signals[i]);
    int errnum = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (errnum != 0)
        return err_errno(err, ERR_IO, errnum, "block signals");
    loop->signal_function = function;
    loop->signal_context = context;
    loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signal_fd < 0)
        return err_errno(err, ERR_IO, errno, "create a signalfd");
    struct loop_watch *watch = NULL;
    return loop_watch_add(loop, loop->signal_fd, EPOLLIN, on_signal_fd, loop, &watch, err);
}

// Sets timer_fd for the earliest timer, unless it ends the wait early enough already. True when a timer is due now.
static bool prepare_timers(struct loop *loop)
{
    const struct loop_timer *earliest = timer_heap_earliest(&loop->heap);
    if (!earliest)
        return false;
    int64_t due_ms = earliest->due_ms;
    if (due_ms <= clock_boot_ms())
        return true;
    if (loop->timer_fd_due_ms != 0 && loop->timer_fd_due_ms <= due_ms)
        return false;
    struct itimerspec setting = {.it_value = {.tv_sec = due_ms / 1000, .tv_nsec = (due_ms % 1000) * 1000000}};
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &setting, NULL);
    loop->timer_fd_due_ms = due_ms;
    return false;
}

// Calls back the timers that were due when this began. One that is armed again for a past time waits for the next step,
// so that descriptors get their turn.
static void run_timers(struct loop *loop)
{
    int64_t now_ms = clock_boot_ms();
    for (size_t left = loop->heap.armed; left > 0 && !loop->stopped; left--) {
        struct loop_timer *timer = timer_heap_earliest(&loop->heap);
        if (!timer || timer->due_ms > now_ms)
            return;
        timer_heap_disarm(timer);
        timer->function(timer->context);
    }
}

static void run_watches(struct loop *loop, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count && !loop->stopped; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (!watch->removed)
            watch->function(watch->context, watch->fd, events[i].events);
    }
}

int loop_step(struct loop *loop, int timeout_ms, struct err *err)
{
    struct epoll_event events[EVENTS_PER_STEP];
    int wait_ms = prepare_timers(loop) ? 0 : timeout_ms;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_STEP, wait_ms);
    if (count < 0 && errno != EINTR)
        return err_errno(err, ERR_IO, errno, "wait for events");
    loop->depth++;
    run_watches(loop, events, count);
    run_timers(loop);
    loop->depth--;
    if (loop->depth == 0)
        free_removed(loop);
    return 0;
}

int loop_run(struct loop *loop, struct err *err)
{
    while (!loop->stopped) {
        if (loop_step(loop, -1, err) < 0)
            return -1;
    }
    loop->stopped = false;
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
