// Custom rows of services and of stages.
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/spec_lift.h"
#include "services/common/model/spec_text.h"

#include <string.h>

void read_service_failure(struct spec_reader *reader, const struct field *member, void *at)
{
    struct service_spec *service = at;
    const char *text = "fail_job";
    if (field_is_object(member)) {
        static const char *const names[] = {"restart"};
        struct field restart = field_member(member, "restart");
        service->on_failure = SERVICE_RESTART;
        field_require(member, "restart");
        field_reject_unknown(member, names, ARRAY_LEN(names));
        spec_read(reader, &restart, &restart_table, &service->restart);
        return;
    }
    if (field_as_text(member, 32, &text) == FIELD_WRONG)
        return;
    if (strcmp(text, "fail_job") == 0)
        service->on_failure = SERVICE_FAIL_JOB;
    else if (strcmp(text, "ignore") == 0)
        service->on_failure = SERVICE_IGNORE;
    else
        field_fault(member, FAULT_CHOICE, "has to be fail_job, ignore or {restart: {max, window, backoff}}");
}

static char *read_checked(struct spec_reader *reader, const struct field *member, size_t bytes_max,
                          const char *(*problem)(const char *))
{
    const char *text = NULL;
    if (field_as_text(member, bytes_max, &text) != FIELD_READ)
        return NULL;
    const char *what = problem(text);
    if (what) {
        field_fault(member, FAULT_FORMAT, "%s", what);
        return NULL;
    }
    return spec_copy(reader, text);
}

void read_ready_tcp(struct spec_reader *reader, const struct field *member, void *at)
{
    struct ready_spec *ready = at;
    if (!member->value)
        return;
    ready->kind = READY_TCP;
    ready->port = read_checked(reader, member, SPEC_NAME_MAX, spec_name_problem);
}

void read_ready_http(struct spec_reader *reader, const struct field *member, void *at)
{
    struct ready_spec *ready = at;
    if (!member->value)
        return;
    ready->kind = READY_HTTP;
    ready->http_path = read_checked(reader, member, 1024, spec_http_path_problem);
}

void read_ready_port(struct spec_reader *reader, const struct field *member, void *at)
{
    struct ready_spec *ready = at;
    if (member->value)
        ready->port = read_checked(reader, member, SPEC_NAME_MAX, spec_name_problem);
}

void read_ready_exec(struct spec_reader *reader, const struct field *member, void *at)
{
    struct ready_spec *ready = at;
    if (!member->value)
        return;
    ready->kind = READY_EXEC;
    read_command(reader, member, &ready->exec);
}

void read_ready_log(struct spec_reader *reader, const struct field *member, void *at)
{
    struct ready_spec *ready = at;
    if (!member->value)
        return;
    ready->kind = READY_LOG;
    ready->log_pattern = read_checked(reader, member, SPEC_PATTERN_BYTES_MAX, spec_pattern_problem);
}

// The number of the stage that a member of it belongs to; -1 when it stands at the top level.
static long stage_number(const struct field *member)
{
    return member->parent->parent ? (long)member->parent->index : -1;
}

static void read_listed(struct spec_reader *reader, const struct field *member, struct stage_spec *stage)
{
    const struct spec_lift *lift = reader->extra;
    const struct spec_lifted *list = lift ? spec_lift_find(lift, stage_number(member)) : NULL;
    stage->tasks = TASKS_LISTED;
    if (!list) {
        field_fault(member, FAULT_CONFLICT, "a list of tasks can only be given in a whole job");
        return;
    }
    reader->no_memory |= !spec_items_read(list, member, reader->arena, &stage->items);
    stage->task_count = (int64_t)stage->items.count;
}

void read_task_list(struct spec_reader *reader, const struct field *member, void *at)
{
    static const char *const names[] = {"count"};
    struct stage_spec *stage = at;
    stage->task_count = 1;
    if (field_is_array(member)) {
        read_listed(reader, member, stage);
    } else if (field_is_object(member)) {
        stage->tasks = TASKS_COUNT;
        field_require(member, "count");
        field_i64(member, "count", 0, SPEC_TASKS_COUNT_MAX, &stage->task_count);
        field_reject_unknown(member, names, ARRAY_LEN(names));
    } else if (member->value) {
        field_fault(member, FAULT_TYPE, "has to be a list of items or {count: n}");
    }
}

static bool is_listed(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

static void add_after(struct spec_reader *reader, struct stage_spec *stage, char *name)
{
    if (is_listed(&stage->after, name))
        return;
    char **items = spec_allocate(reader, stage->after.count + 1, sizeof *items);
    if (!items)
        return;
    if (stage->after.count)
        memcpy(items, stage->after.items, stage->after.count * sizeof *items);
    items[stage->after.count++] = name;
    stage->after.items = items;
}

static void read_from_after(struct spec_reader *reader, const struct field *member, struct stage_spec *stage)
{
    static const char *const names[] = {"after"};
    struct field after = field_member(member, "after");
    field_require(member, "after");
    field_reject_unknown(member, names, ARRAY_LEN(names));
    stage->from = read_checked(reader, &after, SPEC_NAME_MAX, spec_name_problem);
    if (stage->from)
        add_after(reader, stage, stage->from);
}

void read_from(struct spec_reader *reader, const struct field *member, void *at)
{
    struct stage_spec *stage = at;
    if (!member->value)
        return;
    if (field_has(member->parent, "tasks"))
        field_fault(member, FAULT_CONFLICT,
                    "a stage has its own tasks or those from another stage, not both; to wait "
                    "for a stage say `after`");
    stage->tasks = TASKS_FROM;
    stage->task_count = 0;
    if (field_is_object(member))
        read_from_after(reader, member, stage);
    else
        stage->from = read_checked(reader, member, SPEC_NAME_MAX, spec_name_problem);
}
