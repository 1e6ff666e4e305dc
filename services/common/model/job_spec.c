#include "services/common/model/job_spec.h"
#include "services/common/base/arena.h"
#include "services/common/json/field.h"
#include "services/common/json/parse.h"
#include "services/common/model/job_spec_fields.h"
#include "services/common/model/spec_lift.h"

#include <string.h>

void job_spec_release(struct job_spec *spec)
{
    arena_free(spec->arena);
    *spec = (struct job_spec)JOB_SPEC_INIT;
}

// A job without `stages` that gives the fields of its one stage itself.
static void read_stage_at_top(struct spec_reader *reader, const struct field *root, struct job_spec *spec)
{
    spec->stages = spec_allocate(reader, 1, sizeof *spec->stages);
    if (!spec->stages)
        return;
    spec->stage_count = 1;
    spec->stages->name = spec_copy(reader, SPEC_MAIN_STAGE);
    spec_read_rows(reader, root, &stage_work_table, spec->stages);
    finish_stage_work(reader, root, spec->stages);
}

static bool has_any(const struct field *object, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (field_has(object, names[i]))
            return true;
    }
    return false;
}

// Where the fields of stages may stand: in `stages`, or at the top level. True: they stand at the top level.
static bool check_form(const struct field *root)
{
    const char *names[SPEC_NAMES_MAX];
    size_t work_count = spec_names(&stage_work_table, names, 0);
    bool has_stages = field_has(root, "stages"), has_work = has_any(root, names, work_count);
    for (size_t i = 0; has_stages && i < work_count; i++) {
        if (field_has(root, names[i]))
            field_fault_at(root, names[i], FAULT_CONFLICT, "belongs into a stage, as the job has `stages`");
    }
    if (!has_stages && !has_work)
        field_fault_at(root, "stages", FAULT_REQUIRED, "a job needs stages, or a command of its own");
    field_reject_unknown(root, names, spec_names(&job_table, names, work_count));
    return has_work && !has_stages;
}

static void read_job(struct spec_reader *reader, const struct field *root, struct job_spec *spec)
{
    spec_read_rows(reader, root, &job_table, spec);
    bool stage_at_top = check_form(root);
    struct field stages = field_member(root, "stages");
    if (stage_at_top)
        read_stage_at_top(reader, root, spec);
    else if (field_is_array(&stages) && !field_count(&stages))
        field_fault(&stages, FAULT_RANGE, "must not be empty");
    check_job(spec, root, stage_at_top);
}

static int refuse(const struct faults *faults, size_t before, const char *what, struct err *err)
{
    size_t count = faults_total(faults) - before;
    const struct fault *first = before < faults->count ? &faults->list[before] : NULL;
    if (count == 1 && first)
        return err_set(err, ERR_INVALID, "%s: %s: %s", what, first->pointer, first->detail);
    return err_set(err, ERR_INVALID, "%s has %zu faults%s%s%s%s", what, count, first ? ", the first at " : "",
                   first ? first->pointer : "", first ? ": " : "", first ? first->detail : "");
}

static int read_document(const struct json_document *document, const struct spec_lift *lift, struct job_spec *spec,
                         struct faults *faults, struct err *err)
{
    struct spec_reader reader = {.arena = spec->arena, .extra = lift};
    struct field root = field_root(document->root, faults);
    size_t before = faults_total(faults);
    read_job(&reader, &root, spec);
    if (reader.no_memory)
        return err_set(err, ERR_NO_MEMORY, "no memory for a job spec");
    return faults_total(faults) == before ? 0 : refuse(faults, before, "the job spec", err);
}

// The text is bounded in length, not in what a tree of it would take: most of it may be items, which are lifted out.
const struct json_limits job_spec_limits = {
    .bytes_max = SPEC_BYTES_MAX, .values_max = SPEC_BYTES_MAX, .heap_bytes_max = SIZE_MAX};

static int scan(const char *text, size_t length, struct faults *faults, struct err *err)
{
    struct json_scanned scanned;
    struct err local;
    struct err *why = err ? err : &local;
    if (json_scan(text, length, &job_spec_limits, &scanned, why) == 0)
        return 0;
    if (why->code == ERR_INVALID || why->code == ERR_TOO_LARGE)
        faults_add(faults, why->code == ERR_INVALID ? FAULT_SYNTAX : FAULT_RANGE, scanned.pointer.text, "%s",
                   why->text);
    return -1;
}

int job_spec_parse(const char *text, size_t length, struct job_spec *out, struct faults *faults, struct err *err)
{
    struct job_spec spec AUTO_JOB_SPEC = {.arena = arena_new(4096)};
    struct spec_lift lift AUTO_SPEC_LIFT = SPEC_LIFT_INIT;
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    if (!spec.arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a job spec");
    if (scan(text, length, faults, err) < 0 || spec_lift(text, length, &lift, err) < 0 ||
        json_parse(strbuf_text(&lift.skeleton), lift.skeleton.length, NULL, &document, faults, err) < 0 ||
        read_document(&document, &lift, &spec, faults, err) < 0)
        return -1;
    *out = spec;
    spec = (struct job_spec)JOB_SPEC_INIT;
    return 0;
}

static int read_part(const struct field *field, const struct spec_table *table, struct arena *arena, void *out,
                     struct err *err)
{
    struct spec_reader reader = {.arena = arena};
    size_t before = faults_total(field->faults);
    if (!field->value)
        field_fault(field, FAULT_REQUIRED, "is required");
    spec_read(&reader, field, table, out);
    if (reader.no_memory)
        return err_set(err, ERR_NO_MEMORY, "no memory for a spec");
    return faults_total(field->faults) == before ? 0 : refuse(field->faults, before, table->title, err);
}

int stage_spec_read(const struct field *field, struct arena *arena, struct stage_spec *out, struct err *err)
{
    *out = (struct stage_spec){0};
    return read_part(field, &stage_table, arena, out, err);
}

int service_spec_read(const struct field *field, struct arena *arena, struct service_spec *out, struct err *err)
{
    *out = (struct service_spec){0};
    return read_part(field, &service_table, arena, out, err);
}

int job_spec_service(const struct job_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->service_count; i++) {
        if (strcmp(spec->services[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

int job_spec_stage(const struct job_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->stage_count; i++) {
        if (strcmp(spec->stages[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

const char *spec_items_range(const struct spec_items *items, size_t first, size_t count, size_t *length)
{
    *length = items->starts[first + count] - items->starts[first];
    return items->text + items->starts[first];
}

int job_spec_fingerprint(const char *body, size_t length, char out[static SHA256_HEX_SIZE], struct err *err)
{
    return sha256_hex(body, length, out, err);
}

const char *run_spec_runtime(const struct run_spec *run)
{
    return run->runtime ? run->runtime : run->image ? "docker" : "";
}

bool run_spec_in_container(const struct run_spec *run)
{
    const char *runtime = run_spec_runtime(run);
    return *runtime && strcmp(runtime, "process") != 0;
}

const char *stage_mode_name(enum stage_mode mode)
{
    return stage_mode_names[mode];
}

const char *stage_failure_name(enum stage_failure failure)
{
    return stage_failure_names[failure];
}

const char *service_failure_name(enum service_failure failure)
{
    static const char *const names[] = {
        [SERVICE_FAIL_JOB] = "fail_job", [SERVICE_RESTART] = "restart", [SERVICE_IGNORE] = "ignore"};
    return names[failure];
}

const char *ready_kind_name(enum ready_kind kind)
{
    static const char *const names[] = {[READY_STARTED] = "started",
                                        [READY_TCP] = "tcp",
                                        [READY_HTTP] = "http",
                                        [READY_EXEC] = "exec",
                                        [READY_LOG] = "log"};
    return names[kind];
}
