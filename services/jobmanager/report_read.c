#include "services/common/base/base64.h"
#include "services/common/base/id.h"
#include "services/common/base/parse.h"
#include "services/jobmanager/poll_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_TEXT_MAX 96
#define LOG_SOURCE_MAX 255
#define LOG_BYTES_MAX ((size_t)1 << 20)

// The lists of a report as they grow.
struct report_lists {
    struct slice_result *results;
    size_t result_capacity;
    struct log_chunk *logs;
    size_t log_capacity;
};

struct result_reading {
    struct slice_result result;
    struct slice_range *succeeded;
    struct task_failure *failed;
    struct task_output *outputs;
    size_t succeeded_capacity, failed_capacity, output_capacity;
};

// Room for one more element behind `count`; NULL and no_memory set when there is none.
static void *room(struct wire *wire, void *items, size_t count, size_t *capacity, size_t size)
{
    void *grown = arena_grow(wire->arena, items, count, capacity, size);
    wire->no_memory |= !grown;
    return grown;
}

// ---- slices

// "<job>/<stage>/<first>"
static bool slice_text_parse(const char *text, int64_t *job)
{
    char id[ID_TEXT_SIZE + 1];
    int64_t number;
    const char *stage = strchr(text, '/');
    if (!stage || (size_t)(stage - text) >= sizeof(id))
        return false;
    snprintf(id, sizeof(id), "%.*s", (int)(stage - text), text);
    const char *first = strchr(stage + 1, '/');
    char digits[8];
    if (!first || (size_t)(first - stage - 1) >= sizeof(digits))
        return false;
    snprintf(digits, sizeof(digits), "%.*s", (int)(first - stage - 1), stage + 1);
    return id_parse('j', id, job) == 0 && parse_i64(digits, 0, INT16_MAX, "stage", &number, NULL) == 0 &&
           parse_i64(first + 1, 0, INT64_MAX, "first", &number, NULL) == 0;
}

static void slice_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct result_reading *reading = object;
    if (wire_text(wire, place, SLICE_TEXT_MAX, &reading->result.slice) &&
        !slice_text_parse(reading->result.slice, &reading->result.job))
        wire_fault(wire, place, FAULT_FORMAT, "is not the name of a slice");
}

struct range_reading {
    int64_t bounds[2];
    size_t count;
};

static void bound_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct range_reading *range = object;
    wire_i64(wire, place, 0, INT64_MAX, &range->bounds[range->count++]);
}

static void range_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct result_reading *reading = object;
    struct range_reading range = {0};
    size_t count;
    wire_array(wire, place, 2, bound_read, &range, &count);
    if (count != 2 || range.bounds[0] >= range.bounds[1]) {
        wire_fault(wire, place, FAULT_FORMAT, "must be [from, to] with from below to");
        return;
    }
    reading->succeeded = room(wire, reading->succeeded, reading->result.succeeded_count, &reading->succeeded_capacity,
                              sizeof(*reading->succeeded));
    if (reading->succeeded)
        reading->succeeded[reading->result.succeeded_count++] = (struct slice_range){range.bounds[0], range.bounds[1]};
}

static void succeeded_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct result_reading *reading = object;
    const char *word;
    size_t count;
    if (!wire_is_text(wire)) {
        wire_array(wire, place, WORK_TASKS_MAX, range_read, object, &count);
        return;
    }
    reading->result.all_succeeded = wire_text(wire, place, 64, &word) && strcmp(word, "all") == 0;
    if (!reading->result.all_succeeded)
        wire_fault(wire, place, FAULT_CHOICE, "must be \"all\" or an array of ranges");
}

static void retry_read(struct wire *wire, const struct wire_place *place, void *object)
{
    static const char *const names[] = {
        [SLICE_RETRY_COUNTED] = "counted", [SLICE_RETRY_UNCOUNTED] = "uncounted", [SLICE_RETRY_NEVER] = "never"};
    struct task_failure *failure = object;
    const char *word;
    if (!wire_text(wire, place, 64, &word))
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], word) == 0) {
            failure->retry = (enum slice_retry)i;
            return;
        }
    wire_fault(wire, place, FAULT_CHOICE, "must be counted, uncounted or never");
}

static const struct wire_field failure_fields[] = {
    {"task", WIRE_I64, true, offsetof(struct task_failure, task), 0, INT64_MAX, NULL},
    {"error", WIRE_CUT, true, offsetof(struct task_failure, error), 0, WORK_ERROR_BYTES_MAX, NULL},
    {"exit", WIRE_INT, false, offsetof(struct task_failure, exit), 0, 255, NULL},
    {"retry", WIRE_CUSTOM, false, 0, 0, 0, retry_read},
};

static void failure_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct result_reading *reading = object;
    struct task_failure failure = {.exit = -1, .retry = SLICE_RETRY_COUNTED, .error = ""};
    wire_object(wire, place, failure_fields, ARRAY_LEN(failure_fields), &failure);
    reading->failed =
        room(wire, reading->failed, reading->result.failed_count, &reading->failed_capacity, sizeof(*reading->failed));
    if (reading->failed)
        reading->failed[reading->result.failed_count++] = failure;
}

static void failed_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, WORK_TASKS_MAX, failure_read, object, &count);
}

static void output_json_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct task_output *output = object;
    wire_raw(wire, place, WORK_OUTPUT_BYTES_MAX, &output->json, &output->length);
}

static const struct wire_field output_fields[] = {
    {"task", WIRE_I64, true, offsetof(struct task_output, task), 0, INT64_MAX, NULL},
    {"output", WIRE_CUSTOM, false, 0, 0, 0, output_json_read},
};

static void output_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct result_reading *reading = object;
    struct task_output output = {.json = "null", .length = 4}; // null is a value here
    wire_object(wire, place, output_fields, ARRAY_LEN(output_fields), &output);
    reading->outputs = room(wire, reading->outputs, reading->result.output_count, &reading->output_capacity,
                            sizeof(*reading->outputs));
    if (reading->outputs)
        reading->outputs[reading->result.output_count++] = output;
}

static void outputs_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, WORK_TASKS_MAX, output_read, object, &count);
}

static const struct wire_field result_fields[] = {
    {"slice", WIRE_CUSTOM, true, 0, 0, 0, slice_read},
    {"token", WIRE_I64, true, offsetof(struct result_reading, result.token), 1, INT64_MAX, NULL},
    {"succeeded", WIRE_CUSTOM, false, 0, 0, 0, succeeded_read},
    {"failed", WIRE_CUSTOM, false, 0, 0, 0, failed_read},
    {"outputs", WIRE_CUSTOM, false, 0, 0, 0, outputs_read},
};

struct placed_output {
    struct task_output output;
    size_t place;
};

static int compare_outputs(const void *left, const void *right)
{
    const struct placed_output *a = left, *b = right;
    if (a->output.task != b->output.task)
        return a->output.task < b->output.task ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

// By rising task; the outputs of one task stay in their order.
static void outputs_sort(struct wire *wire, struct task_output *outputs, size_t count)
{
    size_t i = 1;
    while (i < count && outputs[i - 1].task <= outputs[i].task)
        i++;
    if (i >= count)
        return;
    struct placed_output *placed = arena_alloc_zero(wire->arena, count, sizeof(*placed));
    wire->no_memory |= !placed;
    if (!placed)
        return;
    for (i = 0; i < count; i++)
        placed[i] = (struct placed_output){outputs[i], i};
    qsort(placed, count, sizeof(*placed), compare_outputs);
    for (i = 0; i < count; i++)
        outputs[i] = placed[i].output;
}

static void result_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *work = object;
    struct report_lists *lists = work->slices;
    struct work_operation *operation = &work->body->operation;
    struct result_reading reading = {0};
    wire_object(wire, place, result_fields, ARRAY_LEN(result_fields), &reading);
    if (reading.outputs)
        outputs_sort(wire, reading.outputs, reading.result.output_count);
    reading.result.succeeded = reading.succeeded;
    reading.result.failed = reading.failed;
    reading.result.outputs = reading.outputs;
    lists->results =
        room(wire, lists->results, operation->result_count, &lists->result_capacity, sizeof(*lists->results));
    if (lists->results)
        lists->results[operation->result_count++] = reading.result;
}

static void slices_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, WORK_SLICES_MAX, result_read, object, &count);
}

// ---- logs

struct log_reading {
    struct log_chunk chunk;
    bool has_data;
};

static void data_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct log_reading *reading = object;
    const char *text;
    if (wire_text_cut(wire, place, LOG_BYTES_MAX, &text, &reading->chunk.length)) {
        reading->chunk.bytes = text;
        reading->has_data = true;
    }
}

static void data64_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct log_reading *reading = object;
    const char *text;
    if (!wire_text(wire, place, LOG_BYTES_MAX, &text))
        return;
    size_t length = strlen(text);
    void *bytes = arena_alloc(wire->arena, length);
    wire->no_memory |= !bytes;
    if (!bytes)
        return;
    if (base64_decode(text, length, bytes, &reading->chunk.length) < 0)
        wire_fault(wire, place, FAULT_FORMAT, "is not base64");
    reading->chunk.bytes = bytes;
    reading->has_data = true;
}

#define CHUNK(member) offsetof(struct log_reading, chunk.member)
static const struct wire_field log_fields[] = {
    {"job", WIRE_JOB, true, CHUNK(job), 0, 0, NULL},
    {"source", WIRE_TEXT, true, CHUNK(source), 0, LOG_SOURCE_MAX, NULL},
    {"position", WIRE_I64, true, CHUNK(position), 0, INT64_MAX, NULL},
    {"data", WIRE_CUSTOM, false, 0, 0, 0, data_read},
    {"data64", WIRE_CUSTOM, false, 0, 0, 0, data64_read},
};

static void log_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *work = object;
    struct report_lists *lists = work->slices;
    struct work_operation *operation = &work->body->operation;
    struct log_reading reading = {.chunk.bytes = ""};
    wire_object(wire, place, log_fields, ARRAY_LEN(log_fields), &reading);
    if (!reading.has_data)
        wire_fault(wire, place, FAULT_REQUIRED, "needs data or data64");
    lists->logs = room(wire, lists->logs, operation->log_count, &lists->log_capacity, sizeof(*lists->logs));
    if (lists->logs)
        lists->logs[operation->log_count++] = reading.chunk;
}

static void logs_read(struct wire *wire, const struct wire_place *place, void *object)
{
    size_t count;
    wire_array(wire, place, WORK_LOGS_MAX, log_read, object, &count);
}

// ---- the body

static void instances_read(struct wire *wire, const struct wire_place *place, void *object)
{
    struct work_reading *reading = object;
    observations_read(wire, place, &reading->observations);
}

static const struct wire_field report_fields[] = {
    {"incarnation", WIRE_I64, true, offsetof(struct work_reading, incarnation), 1, INT32_MAX, NULL},
    {"slices", WIRE_CUSTOM, false, 0, 0, 0, slices_read},
    {"instances", WIRE_CUSTOM, false, 0, 0, 0, instances_read},
    {"logs", WIRE_CUSTOM, false, 0, 0, 0, logs_read},
    {"poll", WIRE_CUSTOM, false, 0, 0, 0, poll_member_read},
};

int report_read(const char *text, size_t length, struct arena *arena, struct work_body *out, struct faults *faults,
                struct err *err)
{
    *out = (struct work_body){0};
    struct report_lists lists = {0};
    struct work_reading reading = {.body = out, .slices = &lists};
    struct json_limits limits = {
        .bytes_max = REPORT_BODY_LIMIT_BYTES, .string_bytes_max = LOG_BYTES_MAX * 2, .heap_bytes_max = SIZE_MAX};
    if (wire_read(text, length, &limits, report_fields, ARRAY_LEN(report_fields), &reading, arena, faults, err) < 0)
        return -1;
    if (reading.poll_incarnation && reading.poll_incarnation != reading.incarnation) {
        faults_add(faults, FAULT_CONFLICT, "/poll/incarnation", "is not the incarnation of the report");
        return err_set(err, ERR_INVALID, "the body has 1 fault");
    }
    work_reading_finish(&reading);
    out->operation.results = lists.results;
    out->operation.logs = lists.logs;
    return 0;
}
