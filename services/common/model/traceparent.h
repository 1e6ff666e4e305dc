// W3C trace context: which trace a job belongs to, and who asked for it. No I/O.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TRACEPARENT_LENGTH 55 // "00-<trace, 32 hex digits>-<span, 16>-<flags, 2>"
#define TRACEPARENT_SIZE (TRACEPARENT_LENGTH + 1)
#define TRACE_ID_SIZE 33
#define SPAN_ID_SIZE 17

struct traceparent {
    char trace[TRACE_ID_SIZE];
    char span[SPAN_ID_SIZE];
    bool sampled;
};

// Reads a `traceparent` header. False when it is none: the standard has such a header ignored. What a later version
// puts behind the flags is left out.
bool traceparent_read(const char *text, struct traceparent *out);
// The header for who works for the job: in the same trace, its span being the job's.
void traceparent_of_job(const struct traceparent *parent, int64_t job, char out[static TRACEPARENT_SIZE]);
// The span of a job: its number, so that everybody who knows the job knows it.
void span_of_job(int64_t job, char out[static SPAN_ID_SIZE]);
