// A private Docker engine for one test program: its own dockerd and containerd, with networks, mounts, processes and
// control groups that no other engine on this machine sees, ended and removed with the program, however that ends.
//
// engine_start() moves the calling process into a network namespace of its own, in which the engine's networks are:
// what it starts from then on, PostgreSQL and whole systems included, reaches containers, and nothing outside of the
// machine. So call it first, before there are threads, connections or other processes.
//
// Needs root and Debian's docker.io and busybox-static. What goes wrong in here ends the test program with a message
// and the engine's log. With CURFEW_TEST_LOGS=DIRECTORY the log is kept there.
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/macros.h"
#include "tests/support/engine_guard.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

// Images that every engine has. Both hold busybox and the service of tests/fixtures/nasty.c as /bin/nasty.
#define ENGINE_IMAGE "curfew-test:1"
#define ENGINE_IMAGE_UNHEALTHY "curfew-test:unhealthy" // with a HEALTHCHECK that never passes

// Of this machine: where its containers publish ports. Those of the loopback address go through a process of dockerd's
// and end with it; these do not.
#define ENGINE_ADDRESS "172.17.0.1"

struct engine_options {
    const char *const *arguments; // more of them for dockerd, ended by NULL; may be NULL
    bool on_disk;                 // its data; else they are in memory, which is for small images
    bool no_images;
};

// Returns when it answers and has its images. Options may be NULL. One at a time in a program.
struct engine *engine_start(const struct engine_options *options);
void engine_stop(struct engine *engine); // and everything that runs in it; takes NULL
DEFINE_CLEANUP(struct engine *, engine_stop);
#define AUTO_ENGINE CLEANUP(cleanup_engine_stop)

const char *engine_host(const struct engine *engine); // unix:///...
const char *engine_socket(const struct engine *engine);
const char *engine_log(struct engine *engine); // valid until the next call

// SIGKILL; false when it does not run. dockerd starts a containerd that has ended again by itself, after a moment, and
// takes its containerd with it when it ends.
bool engine_kill(struct engine *engine, enum engine_part part);
void engine_launch(struct engine *engine);  // dockerd again; does not wait
void engine_restart(struct engine *engine); // the same, and waits until it answers
void engine_wait(struct engine *engine);    // until it answers
// SIGSTOP and SIGCONT. dockerd without its containerd lists and inspects, and neither runs nor kills anything.
void engine_freeze(struct engine *engine, enum engine_part part);
void engine_thaw(struct engine *engine, enum engine_part part);

// ---- what there is in it, seen by Debian's client

// `docker ARGUMENTS...`, up to NULL: its standard output; NULL when it fails. Free with free().
char *engine_docker(struct engine *engine, const char *argument, ...) __attribute__((sentinel));
// The same, but dies when it fails.
char *engine_docker_ok(struct engine *engine, const char *argument, ...) __attribute__((sentinel));
// The same, but has to fail: what it says on standard error; NULL when it does not fail. Free with free().
char *engine_docker_refusal(struct engine *engine, const char *argument, ...) __attribute__((sentinel));

// How many containers (running or not), networks and volumes there are; `label` ("io.curfew.job=..."): with this label
// only. The networks that every engine has are not counted.
struct engine_census {
    int containers, running, networks, volumes;
};
struct engine_census engine_count(struct engine *engine, const char *label /* may be NULL */);
// Containers, networks and volumes together.
int engine_objects(struct engine *engine, const char *label);
// Waits until there are none with this label; returns how many there are then.
int engine_wait_none(struct engine *engine, const char *label, int64_t timeout_ms);
// All of them with their labels, on stderr.
void engine_print(struct engine *engine);
