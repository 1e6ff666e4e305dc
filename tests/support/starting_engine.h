// A container engine that a test plays, for the starts of containers: a thread answers as Docker 20.10 does whose
// containerd dies now and then. The first start of a container is refused, or is the last that it does before it dies.
//
// A connection per call, one after the other; those of streams stay open. What goes wrong in the helper itself ends the
// test program. A test changes what is set here before it plays, the atomics at any time.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define STARTING_ENGINE_LABELS "{\"io.curfew.deployment\":\"d\",\"io.curfew.identity\":\"j1/main/0/1\"}"

struct starting_engine {
    int listener;
    pthread_t thread;
    bool plays;
    atomic_bool listens; // the thread is through with its start
    // what the first start is answered with
    int refusal_status;
    const char *refusal;
    bool loses_create;          // the first create is not answered
    bool holds_start;           // the second start is not answered before `released`
    bool dies;                  // with the first start, which goes well; at the second one it is there again
    bool runs;                  // the container: until it is killed
    atomic_bool has_containerd; // as it says
    bool miscounts;             // it does not remove the network, and lists nothing in it
    int waits;                  // who waits for its end
    atomic_bool released;
    atomic_int versions, creates, starts, removals, network_removals; // how often they were asked for
    _Atomic int64_t first_start_ms;
    atomic_int attached; // how often
    int streams[8];
    int stream_count; // open ones
};

// Binds the socket; whoever connects waits until it plays. Forgets all that was.
void starting_engine_listen(struct starting_engine *engine, const char *socket_path);
void starting_engine_play(struct starting_engine *engine); // twice is once
void starting_engine_stop(struct starting_engine *engine); // it has played
