// A process of stream mode and the tasks that it has been given: the parts that task_stream.c (the process) and
// task_stream_lines.c (what goes in and comes out) share.
#pragma once

#include "services/worker/tasks_internal.h"

#define STREAM_WINDOW 2                         // tasks that a process has at most: one at work, one that waits for it
#define STREAM_LINE_BYTES_MAX ((size_t)2 << 20) // of an answer

struct stream_task {
    struct slice_run *slice; // NULL: it was abandoned
    int64_t task;
    bool cancelled;
};

struct stream_process {
    struct tasks *tasks;
    char *key, *job, *stage;
    char name[64]; // of this process, within the stage and for ever
    int slots;
    int64_t timeout_ms; // of a task; 0: none
    struct workspace_request *request;
    char *directory;
    struct runtime_instance *instance;
    struct log_source *log;
    struct last_line errors;
    bool started;
    bool ending;                             // it gets no more tasks
    bool orphan;                             // it was abandoned
    bool timed_out;                          // the first of its tasks has
    char fault[TASK_ERROR_SIZE];             // what it did against the protocol; "": nothing
    struct stream_task given[STREAM_WINDOW]; // the first is being worked on
    size_t given_count;
    int64_t work_us;        // since when the first is being worked on
    struct strbuf to_write; // lines that the pipe had no room for yet
    struct strbuf partial;  // of a line that has not ended yet
    struct loop_timer *timeout, *idle;
    struct stream_process *previous, *next;
};

// ---- the process (task_stream.c)

void stream_break(struct stream_process *process, const char *format, ...) PRINTF_LIKE(2, 3); // kills it: a fault
void stream_begin_work(struct stream_process *process); // its first task is another one now, or there is none

// ---- lines (task_stream_lines.c)

void stream_write_task(struct stream_process *process, const struct stream_task *given);
void stream_flush(struct stream_process *process);
void stream_read(struct stream_process *process, const char *bytes, size_t length);
