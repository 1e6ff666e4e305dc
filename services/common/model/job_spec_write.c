// Custom rows: writing. And whole specs, stages and services as JSON.
#include "services/common/base/parse.h"
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/signal_name.h"

#include <string.h>

void write_list(const void *at, struct strbuf *out)
{
    const struct text_list *list = at;
    for (size_t i = 0; i < list->count; i++) {
        strbuf_add_char(out, i ? ',' : '[');
        spec_write_text(list->items[i], out);
    }
    if (list->count)
        strbuf_add_char(out, ']');
}

void write_pairs(const void *at, struct strbuf *out)
{
    const struct text_pairs *pairs = at;
    if (!pairs->count)
        return;
    strbuf_add_char(out, '{');
    for (size_t i = 0; i < pairs->count; i++) {
        spec_write_key(pairs->items[i].name, out);
        spec_write_text(pairs->items[i].value, out);
    }
    strbuf_add_char(out, '}');
}

void write_cpus(const void *at, struct strbuf *out)
{
    int64_t milli = *(const int64_t *)at;
    if (milli)
        strbuf_add_format(out, "%lld.%03lld", (long long)(milli / 1000), (long long)(milli % 1000));
}

void write_signal(const void *at, struct strbuf *out)
{
    spec_write_text(signal_name(*(const int *)at), out);
}

void write_autostop_on(const void *at, struct strbuf *out)
{
    unsigned on = *(const unsigned *)at;
    char before = '[';
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        if (!(on & AUTOSTOP_ON(outcome)))
            continue;
        strbuf_add_char(out, before);
        spec_write_text(outcome_name(outcome), out);
        before = ',';
    }
    if (before == ',')
        strbuf_add_char(out, ']');
}

void write_autostop(const void *at, struct strbuf *out)
{
    const struct autostop_spec *autostop = at;
    if (autostop->on == 0)
        strbuf_add_text(out, "false");
    else if (autostop->on == AUTOSTOP_ALWAYS && !autostop->linger_ms && !autostop->keep_on_failure_ms)
        strbuf_add_text(out, "true");
    else
        spec_write(&autostop_table, autostop, out);
}

void write_service_failure(const void *at, struct strbuf *out)
{
    const struct service_spec *service = at;
    if (service->on_failure != SERVICE_RESTART) {
        spec_write_text(service_failure_name(service->on_failure), out);
        return;
    }
    strbuf_add_text(out, "{\"restart\":");
    spec_write(&restart_table, &service->restart, out);
    strbuf_add_char(out, '}');
}

static void write_items(const struct spec_items *items, struct strbuf *out)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < items->count; i++) {
        size_t length = 0;
        const char *item = spec_items_range(items, i, 1, &length);
        if (i)
            strbuf_add_char(out, ',');
        strbuf_add(out, item, length - 1);
    }
    strbuf_add_char(out, ']');
}

void write_tasks(const void *at, struct strbuf *out)
{
    const struct stage_spec *stage = at;
    switch (stage->tasks) {
    case TASKS_LISTED:
        write_items(&stage->items, out);
        break;
    case TASKS_COUNT:
        strbuf_add_format(out, "{\"count\":%lld}", (long long)stage->task_count);
        break;
    case TASKS_SINGLE:
    case TASKS_FROM:
        break;
    }
}

void write_from(const void *at, struct strbuf *out)
{
    const struct stage_spec *stage = at;
    if (stage->from)
        spec_write_text(stage->from, out);
}

static void write_ready_text(const void *at, enum ready_kind kind, const char *text, struct strbuf *out)
{
    const struct ready_spec *ready = at;
    if (ready->kind == kind && text)
        spec_write_text(text, out);
}

void write_ready_tcp(const void *at, struct strbuf *out)
{
    write_ready_text(at, READY_TCP, ((const struct ready_spec *)at)->port, out);
}

void write_ready_http(const void *at, struct strbuf *out)
{
    write_ready_text(at, READY_HTTP, ((const struct ready_spec *)at)->http_path, out);
}

void write_ready_port(const void *at, struct strbuf *out)
{
    write_ready_text(at, READY_HTTP, ((const struct ready_spec *)at)->port, out);
}

void write_ready_exec(const void *at, struct strbuf *out)
{
    write_list(&((const struct ready_spec *)at)->exec, out);
}

void write_ready_log(const void *at, struct strbuf *out)
{
    write_ready_text(at, READY_LOG, ((const struct ready_spec *)at)->log_pattern, out);
}

bool ready_is_absent(const void *at)
{
    return ((const struct ready_spec *)at)->kind == READY_STARTED;
}

bool resources_are_absent(const void *at)
{
    const struct run_spec *run = at;
    return !run->cpus_milli && !run->memory_bytes;
}

void service_spec_write(const struct service_spec *service, struct strbuf *out)
{
    spec_write(&service_table, service, out);
}

static void write_stage(const struct stage_spec *stage, bool with_items, struct strbuf *out)
{
    struct stage_spec copy = *stage;
    if (copy.tasks == TASKS_LISTED && !with_items)
        copy.tasks = TASKS_COUNT;
    spec_write(&stage_table, &copy, out);
}

void stage_spec_write(const struct stage_spec *stage, struct strbuf *out)
{
    write_stage(stage, false, out);
}

void job_spec_write(const struct job_spec *spec, bool with_items, struct strbuf *out)
{
    struct job_spec copy = *spec;
    copy.stage_count = 0; // written here
    strbuf_add_char(out, '{');
    spec_write_rows(&job_table, &copy, out);
    spec_write_key("stages", out);
    for (size_t i = 0; i < spec->stage_count; i++) {
        strbuf_add_char(out, i ? ',' : '[');
        write_stage(&spec->stages[i], with_items, out);
    }
    strbuf_add_text(out, "]}");
}
