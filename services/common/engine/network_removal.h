// How a job's network is removed, as questions to the engine and what their answers mean: the same for a worker, which
// asks on its loop, and a reaper, which waits for each answer.
//
// An engine that was killed keeps endpoints of containers that are gone, and refuses to remove their network for good.
// So a refusal is looked into: endpoints whose container does not exist are taken out, by force, and the removal is
// tried again. A container that exists, whoever's it is, keeps the network.
//
// An engine (Docker 20.10) can also lose count of the endpoints of a network, when it fails to start many containers at
// once: it refuses for good, and lists nothing. Nobody can do anything about that until it counts anew, at its start.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"
#include "services/common/engine/reply.h"

enum network_removal_step { REMOVAL_DELETE, REMOVAL_INSPECT, REMOVAL_LOOK, REMOVAL_DISCONNECT };

struct network_removal {
    char network[ENGINE_ID_SIZE];
    enum network_removal_step step; // that is asked next
    char endpoint[ENGINE_ID_SIZE];
    int taken_out, refusals;
};

enum network_removal_outcome {
    REMOVAL_GOES_ON,    // there is another question
    REMOVAL_DONE,       // there is no such network any more
    REMOVAL_IN_USE,     // it stays: something uses it, or the engine does not want to; later it may
    REMOVAL_MISCOUNTED, // it stays: the engine says again and again that something is in it, and lists nothing
};

// What is logged of that.
#define NETWORK_MISCOUNTED \
    "the engine says that something is in a network and lists nothing; it counts anew when it is started again"

void network_removal_begin(struct network_removal *removal, const char *network);
// The next question: its method, path and (for POST) body; both are cleared first.
const char *network_removal_ask(const struct network_removal *removal, struct strbuf *path, struct strbuf *body);
// `text` is terminated. Returns an enum network_removal_outcome; negative when the answer cannot be read.
int network_removal_answered(struct network_removal *removal, int status, const char *text, size_t length,
                             struct err *err) WARN_UNUSED;
