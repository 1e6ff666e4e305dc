#include "services/worker/survivors.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/base/log.h"
#include "services/common/base/macros.h"
#include "services/common/base/parse.h"
#include "services/worker/runtime.h"
#include "services/worker/services.h"
#include "services/worker/tasks.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 5

enum survivor_kind { SURVIVOR_OTHER, SURVIVOR_SERVICE, SURVIVOR_TASK };

struct survivor {
    struct survivors *survivors;
    struct survivor *next;
    char *identity, *parts; // `parts` is the text that job and service point into
    const char *job, *service;
    enum survivor_kind kind;
    int64_t number;        // a service's epoch, a task's token
    int64_t task;          // in its stage
    int64_t begun_boot_ms; // of a task that could go on; 0: it cannot
    bool over;             // ended, or handed on
    struct runtime_instance *instance;
};

struct survivors {
    struct runtime *runtime;
    void (*changed)(void *context);
    void *context;
    struct survivor *first;
};

int survivors_new(struct runtime *runtime, void (*changed)(void *context), void *context, struct survivors **out,
                  struct err *err)
{
    struct survivors *survivors = calloc(1, sizeof *survivors);
    if (!survivors)
        return err_set(err, ERR_NO_MEMORY, "no memory for what has survived");
    *survivors = (struct survivors){.runtime = runtime, .changed = changed, .context = context};
    *out = survivors;
    return 0;
}

static void survivor_free(struct survivor *survivor)
{
    runtime_release(survivor->instance);
    free(survivor->identity);
    free(survivor->parts);
    free(survivor);
}

void survivors_free(struct survivors *survivors)
{
    if (!survivors)
        return;
    while (survivors->first) {
        struct survivor *survivor = survivors->first;
        survivors->first = survivor->next;
        survivor_free(survivor);
    }
    free(survivors);
}

// "JOB/SERVICE/EPOCH", "JOB/STAGE/TASK/TOKEN" or anything else: a probe, or what no manager would understand.
static void read_identity(struct survivor *survivor)
{
    const char *parts[PARTS_MAX];
    size_t count = 0;
    char *rest = survivor->parts;
    for (char *part = strsep(&rest, "/"); part && count < PARTS_MAX; part = strsep(&rest, "/"))
        parts[count++] = part;
    int64_t job, most = count == 3 ? INT32_MAX : INT64_MAX;
    survivor->kind = SURVIVOR_OTHER;
    if ((count != 3 && count != 4) || id_parse('j', parts[0], &job) < 0 || strlen(parts[1]) > SPEC_NAME_MAX ||
        parse_i64(parts[count - 1], 1, most, "number", &survivor->number, NULL) < 0)
        return;
    if (count == 4 && parse_i64(parts[2], 0, INT64_MAX, "number", &survivor->task, NULL) < 0)
        survivor->begun_boot_ms = 0;
    survivor->kind = count == 3 ? SURVIVOR_SERVICE : SURVIVOR_TASK;
    survivor->job = parts[0];
    survivor->service = parts[1];
}

bool survivors_tells(const char *identity)
{
    AUTO_FREE char *parts = strdup(identity);
    struct survivor survivor = {.parts = parts};
    if (!parts) // nothing is ended for want of memory: survivors_add() says so
        return true;
    read_identity(&survivor);
    return survivor.kind != SURVIVOR_OTHER;
}

static struct survivor *find(struct survivors *survivors, const char *identity)
{
    struct survivor *survivor = survivors->first;
    while (survivor && strcmp(survivor->identity, identity) != 0)
        survivor = survivor->next;
    return survivor;
}

int survivors_add(struct survivors *survivors, const char *identity, int64_t begun_boot_ms, struct err *err)
{
    struct survivor *survivor = find(survivors, identity);
    if (survivor) {
        survivor->over = false;
        return 0;
    }
    survivor = calloc(1, sizeof *survivor);
    if (survivor) {
        survivor->identity = strdup(identity);
        survivor->parts = strdup(identity);
    }
    if (!survivor || !survivor->identity || !survivor->parts) {
        if (survivor)
            survivor_free(survivor);
        return err_set(err, ERR_NO_MEMORY, "no memory for what has survived");
    }
    survivor->survivors = survivors;
    survivor->begun_boot_ms = begun_boot_ms;
    survivor->next = survivors->first;
    survivors->first = survivor;
    read_identity(survivor);
    return 0;
}

size_t survivors_count(const struct survivors *survivors)
{
    size_t count = 0;
    for (const struct survivor *survivor = survivors ? survivors->first : NULL; survivor; survivor = survivor->next)
        count += !survivor->over;
    return count;
}

// ---- what is said

static bool is_to_be_said(const struct survivor *survivor, const struct services *services)
{
    return survivor->kind == SURVIVOR_SERVICE && !survivor->over &&
           !(services && services_know(services, survivor->job, survivor->service, (int)survivor->number));
}

// Once something of a slice is being ended the slice is over.
static bool could_go_on(const struct survivor *survivor)
{
    if (survivor->kind != SURVIVOR_TASK || survivor->over || survivor->begun_boot_ms == 0)
        return false;
    for (const struct survivor *other = survivor->survivors->first; other; other = other->next)
        if (other->kind == SURVIVOR_TASK && other->number == survivor->number && other->instance)
            return false;
    return true;
}

// A manager of before that does not know this member refuses it: it is left out when it would say nothing.
static void write_adoptable(const struct survivors *survivors, struct strbuf *out)
{
    const char *separator = ",\"adoptable\":[";
    for (const struct survivor *survivor = survivors->first; survivor; survivor = survivor->next) {
        if (!could_go_on(survivor))
            continue;
        strbuf_add_format(out, "%s{\"token\":%lld,\"task\":%lld}", separator, (long long)survivor->number,
                          (long long)survivor->task);
        separator = ",";
    }
    if (strcmp(separator, ",") == 0)
        strbuf_add_char(out, ']');
}

void survivors_write(const struct survivors *survivors, const struct services *services, struct strbuf *out)
{
    const char *separator = "";
    strbuf_add_text(out, ",\"found\":[");
    for (const struct survivor *survivor = survivors->first; survivor; survivor = survivor->next) {
        if (!is_to_be_said(survivor, services))
            continue;
        strbuf_add_format(out, "%s{\"job\":\"%s\",\"service\":\"%s\",\"epoch\":%lld}", separator, survivor->job,
                          survivor->service, (long long)survivor->number);
        separator = ",";
    }
    strbuf_add_text(out, "],\"held\":[");
    separator = "";
    for (const struct survivor *survivor = survivors->first; survivor; survivor = survivor->next) {
        if (survivor->kind != SURVIVOR_TASK || survivor->over)
            continue;
        strbuf_add_format(out, "%s%lld", separator, (long long)survivor->number);
        separator = ",";
    }
    strbuf_add_char(out, ']');
    write_adoptable(survivors, out);
}

size_t survivors_held(const struct survivors *survivors, int64_t *tokens, size_t capacity)
{
    size_t count = 0;
    for (const struct survivor *survivor = survivors ? survivors->first : NULL; survivor; survivor = survivor->next)
        if (survivor->kind == SURVIVOR_TASK && !survivor->over && count < capacity)
            tokens[count++] = survivor->number;
    return count;
}

// ---- what is done

static void on_gone(void *context, struct runtime_instance *instance, const struct runtime_gone *gone)
{
    UNUSED(gone);
    struct survivor *survivor = context;
    survivor->instance = NULL;
    survivor->over = true;
    runtime_release(instance);
    survivor->survivors->changed(survivor->survivors->context);
}

// What cannot be ended now stays held; the next life, or whoever watches the engine, finds it again.
static void end(struct survivor *survivor)
{
    static const struct runtime_events events = {.gone = on_gone};
    struct err err = {0};
    if (survivor->instance)
        return;
    int outcome =
        runtime_adopt(survivor->survivors->runtime, survivor->identity, &events, survivor, &survivor->instance, &err);
    if (outcome < 0) {
        survivor->instance = NULL;
        survivor->over = err.code == ERR_NOT_FOUND;
    } else {
        outcome = runtime_kill(survivor->instance, &err);
    }
    if (outcome < 0 && !survivor->over)
        log_event(LOG_ERROR, "cannot end what a former life has left", "identity", survivor->identity, "error",
                  err.text, NULL);
}

static bool is_kept(const struct survivor *survivor, const struct survivors_answer *answer)
{
    for (size_t i = 0; i < answer->kept_count; i++) {
        const struct instance_name *kept = &answer->kept[i];
        if (kept->epoch == survivor->number && strcmp(kept->job, survivor->job) == 0 &&
            strcmp(kept->service, survivor->service) == 0)
            return true;
    }
    return false;
}

static void settle_service(struct survivor *survivor, struct services *services, bool kept)
{
    log_event(LOG_INFO, kept ? "a service has outlived a former life, it goes on" : "a service has outlived its job",
              "identity", survivor->identity, NULL);
    if (kept)
        return;
    survivor->over = true;
    services_stop(services, survivor->job, survivor->service, (int)survivor->number);
}

static void forget_over(struct survivors *survivors)
{
    struct survivor **link = &survivors->first;
    while (*link) {
        struct survivor *survivor = *link;
        if (!survivor->over) {
            link = &survivor->next;
            continue;
        }
        *link = survivor->next;
        survivor_free(survivor);
    }
}

// ---- tasks

static bool is_of(const struct survivor *survivor, const struct slice_order *order)
{
    return survivor->kind == SURVIVOR_TASK && !survivor->over && !survivor->instance && order &&
           survivor->number == order->token && strcmp(survivor->job, order->job) == 0;
}

static bool goes_on(const struct survivor *survivor, const struct survivors_answer *answer)
{
    for (size_t i = 0; i < answer->adopted_count; i++)
        if (is_of(survivor, answer->adopted[i]))
            return true;
    return false;
}

void survivors_end_others(struct survivors *survivors, const struct survivors_answer *answer)
{
    for (struct survivor *survivor = survivors->first; survivor; survivor = survivor->next)
        if (survivor->kind == SURVIVOR_TASK && !survivor->over && !goes_on(survivor, answer))
            end(survivor);
}

// What is not taken over stays here, and is ended.
static void hand_on(struct survivors *survivors, struct tasks *tasks, struct slice_order *order)
{
    size_t count = 0, total = survivors_count(survivors);
    struct task_survivor *given = calloc(total + 1, sizeof *given);
    struct survivor **origins = calloc(total + 1, sizeof *origins);
    struct err err;
    for (struct survivor *survivor = survivors->first; survivor && given && origins; survivor = survivor->next) {
        if (!is_of(survivor, order))
            continue;
        given[count] = (struct task_survivor){
            .task = survivor->task, .identity = survivor->identity, .begun_boot_ms = survivor->begun_boot_ms};
        origins[count++] = survivor;
    }
    if (count == 0)
        slice_order_free(order);
    else if (tasks_adopt(tasks, order, given, count, &err) < 0)
        log_event(LOG_ERROR, "tasks that have outlived a former life cannot go on", "error", err.text, NULL);
    for (size_t i = 0; i < count; i++) {
        origins[i]->over = given[i].taken;
        if (given[i].taken)
            log_event(LOG_INFO, "a task has outlived a former life", "identity", origins[i]->identity, NULL);
    }
    free(given);
    free(origins);
}

// ---- the whole

void survivors_settle(struct survivors *survivors, struct services *services, struct tasks *tasks,
                      const struct survivors_answer *answer)
{
    for (size_t i = 0; i < answer->adopted_count; i++)
        hand_on(survivors, tasks, TAKE_PTR(answer->adopted[i]));
    for (struct survivor *survivor = survivors->first; survivor; survivor = survivor->next) {
        if (survivor->over)
            continue;
        if (survivor->kind != SURVIVOR_SERVICE)
            end(survivor);
        else if (is_to_be_said(survivor, services))
            settle_service(survivor, services, is_kept(survivor, answer));
        else
            survivor->over = true;
    }
    forget_over(survivors);
}
