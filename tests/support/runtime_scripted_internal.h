// What the files of the scripted runtime share: runtime_scripted.c is what the supervisor calls and what a test looks
// at, runtime_scripted_drive.c is what a test does.
#pragma once

#include "services/common/base/strbuf.h"
#include "tests/support/runtime_scripted.h"

enum request_kind { REQUEST_INSPECT, REQUEST_EXEC, REQUEST_LIST };

struct request {
    enum request_kind kind;
    union {
        runtime_inspect_fn inspect;
        runtime_exec_fn exec;
        runtime_list_fn list;
    } function;
    void *context;
    struct request *next;
};

struct scripted_instance {
    struct runtime_instance base;
    struct runtime_events events;
    void *context;
    char identity[RUNTIME_IDENTITY_SIZE];
    char **argv, **env;
    char *directory;
    struct strbuf stdin_text;
    struct runtime_exit exit;
    int ports[8];
    struct scripted_instance *next;
};

struct scripted {
    struct runtime base;
    struct strbuf log;
    struct scripted_instance *instances;
    struct request *requests;
    bool fail_start;
    enum err_code fail_code;
    int64_t write_limit;
    int64_t resists_since_ms;
    struct err resists_why;
    int next_port;
};

static inline struct scripted *scripted_of(struct runtime *runtime)
{
    return (struct scripted *)(void *)runtime;
}

static inline struct scripted_instance *scripted_instance_of(struct runtime_instance *instance)
{
    return (struct scripted_instance *)(void *)instance;
}

// The oldest of this kind, out of the list; free() it. Aborts when there is none.
struct request *scripted_request_take(struct runtime *runtime, enum request_kind kind);
