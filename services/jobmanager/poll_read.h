// The members of a poll: the body of the poll call, and the `poll` member of a report.
#pragma once

#include "services/common/json/wire.h"
#include "services/jobmanager/observation_read.h"
#include "services/jobmanager/work_read.h"

// What is being read: a body and the lists that grow meanwhile.
struct work_reading {
    struct work_body *body;
    struct observation_list observations;
    struct queue_want *wants;
    size_t want_capacity;
    int64_t *held;
    size_t held_capacity;
    void *slices; // of report_read.c
    int64_t incarnation, poll_incarnation;
};

// The value at hand as the name of a queue: the same rule for what a worker registers and for what it polls for.
void queue_name_read(struct wire *wire, const struct wire_place *place, const char **out);
// The value at hand as a poll within a report.
void poll_member_read(struct wire *wire, const struct wire_place *place, void *reading);
// Puts the lists into the operation.
void work_reading_finish(struct work_reading *reading);
