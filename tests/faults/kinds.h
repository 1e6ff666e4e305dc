// The kinds of jobs of the mixed load, as specs that are quoted (quoted() of tests/support/system_calls.h) with the
// places NASTY-PROGRAM and STREAM-PROGRAM in them.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct job_kind {
    const char *name, *spec;
    int64_t results; // lines, each of them once
};
struct job_kinds {
    const struct job_kind *list;
    size_t count;
    const char *stream_program; // with its quotes as they are
};
extern const struct job_kinds kinds_of_processes, kinds_of_containers;
