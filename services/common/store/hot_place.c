// Instances that wait for a worker are placed with those that poll. What is found first without locks is looked at
// again under the locks of its jobs, because whoever settles a job counts its instances.
#include "services/common/base/id.h"
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/store/hot_batch.h"

static bool wants_services(const struct batch_work *work)
{
    const struct work_operation *operation = work->operation;
    return operation->polls && operation->want_services > 0 && !operation->draining && !work->dead &&
           work->worker->memory;
}

static int add_demands(const struct batch *batch, struct params *params)
{
    int count = 0;
    params_array_begin(params, PARAM_I32);
    for (size_t i = 0; i < batch->worker_count; i++) {
        const struct worker_memory *memory = batch->workers[i].memory;
        for (size_t n = 0; batch->workers[i].wants_services && n < memory->count; n++)
            if (!*memory->demands[n].queue) {
                params_add_i32(params, memory->demands[n].id);
                count++;
            }
    }
    params_array_end(params);
    return count;
}

static int64_t wanted(struct batch *batch)
{
    int64_t sum = 0;
    for (size_t i = 0; i < batch->work_count; i++)
        if (wants_services(&batch->works[i])) {
            sum += batch->works[i].operation->want_services;
            batch->works[i].worker->wants_services = true;
        }
    return sum;
}

int hot_place_ask(struct batch *batch, struct err *err)
{
    int64_t most = wanted(batch);
    struct params *params = batch_params(batch);
    batch->at.pending = -1;
    if (most == 0 || add_demands(batch, params) == 0)
        return 0;
    params_i32(params, (int32_t)MIN(most, INT64_C(1000)));
    batch->at.pending = batch_ask(batch, STATEMENT_HOT_PENDING, err);
    return batch->at.pending < 0 ? -1 : 0;
}

enum pending_column { PENDING_JOB, PENDING_SERVICE, PENDING_EPOCH, PENDING_DEMAND };

static bool is_listed(const struct batch *batch, const struct pending_row *row)
{
    for (size_t i = 0; i < batch->pending.count; i++) {
        const struct pending_row *other = &batch->pending.items[i];
        if (other->job == row->job && other->service == row->service && other->epoch == row->epoch)
            return true;
    }
    return false;
}

int hot_place_read(struct batch *batch, struct err *err)
{
    if (batch->at.pending < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.pending);
    for (int row = 0; row < result_rows(rows); row++) {
        struct pending_row pending = {
            .job = result_i64(rows, row, PENDING_JOB),
            .service = (int16_t)result_i32(rows, row, PENDING_SERVICE),
            .epoch = result_i32(rows, row, PENDING_EPOCH),
            .demand = result_i32(rows, row, PENDING_DEMAND),
        };
        if (is_listed(batch, &pending)) // two workers with the same demand
            continue;
        struct pending_row *added = LIST_ADD(batch->arena, &batch->pending);
        if (!added)
            return batch_no_memory(err);
        *added = pending;
        if (batch_lock_job(batch, pending.job, err) < 0)
            return -1;
    }
    return result_ok(rows, err);
}

static int ask_deployment(struct batch *batch, struct err *err)
{
    if (*batch->hot->deployment)
        return 0;
    batch_params(batch);
    batch->at.deployment = batch_ask(batch, STATEMENT_HOT_DEPLOYMENT, err);
    return batch->at.deployment < 0 ? -1 : 0;
}

int hot_place_ask_still(struct batch *batch, struct err *err)
{
    if (batch->pending.count == 0)
        return 0;
    if (ask_deployment(batch, err) < 0)
        return -1;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->pending, job);
    PARAM_I16_FIELD(params, &batch->pending, service);
    PARAM_I32_FIELD(params, &batch->pending, epoch);
    batch->at.pending_still = batch_ask(batch, STATEMENT_HOT_PENDING_STILL, err);
    return batch->at.pending_still < 0 ? -1 : 0;
}

// The first poll that has room for it.
static const struct batch_work *find_place(const struct batch *batch, const struct pending_row *pending)
{
    for (size_t i = 0; i < batch->work_count; i++) {
        struct batch_work *work = &batch->works[i];
        if (!wants_services(work) || !work->worker->takes_work || work->placed >= work->operation->want_services ||
            !hot_can_serve(work->worker->memory, "", pending->demand))
            continue;
        work->placed++;
        return work;
    }
    return NULL;
}

// The name of what a runtime creates, the same whoever creates it.
static int name_object(struct batch *batch, struct pending_row *pending, struct err *err)
{
    char job[ID_TEXT_SIZE];
    id_format('j', pending->job, job);
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text, "curfew-%s-%s.%s.%d", batch->hot->deployment, job, pending->name, pending->epoch);
    return batch_copy(batch, &text, &pending->object, err);
}

static int place(struct batch *batch, struct pending_row *pending, struct err *err)
{
    struct batch_job *job = batch_job(batch, pending->job);
    const struct batch_work *work = job ? find_place(batch, pending) : NULL;
    if (!work)
        return 0;
    const char *data = NULL;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    strbuf_add_format(&text, "{\"service\":\"%s\",\"epoch\":%d,\"worker\":%lld}", pending->name, pending->epoch,
                      (long long)work->operation->worker);
    pending->worker = work->operation->worker;
    pending->incarnation = work->operation->incarnation;
    batch_settle(job);
    if (name_object(batch, pending, err) < 0 || batch_copy(batch, &text, &data, err) < 0)
        return -1;
    return batch_event(batch, job, "service.placing", data, false, err);
}

static int read_deployment(struct batch *batch, struct err *err)
{
    if (batch->at.deployment < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.deployment);
    snprintf(batch->hot->deployment, sizeof batch->hot->deployment, "%s", result_text(rows, 0, 0));
    return result_ok(rows, err);
}

int hot_place_read_still(struct batch *batch, struct err *err)
{
    if (batch->at.pending_still < 0)
        return 0;
    if (read_deployment(batch, err) < 0)
        return -1;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.pending_still);
    for (int row = 0; row < result_rows(rows); row++) {
        size_t at = (size_t)result_i64(rows, row, 0) - 1;
        if (at >= batch->pending.count)
            continue;
        batch->pending.items[at].name = result_text(rows, row, 2);
        if (place(batch, &batch->pending.items[at], err) < 0)
            return -1;
    }
    return result_ok(rows, err);
}

int hot_place_write(struct batch *batch, struct err *err)
{
    LIST(struct pending_row) placed = {0};
    for (size_t i = 0; i < batch->pending.count; i++) {
        if (batch->pending.items[i].worker == 0)
            continue;
        struct pending_row *row = LIST_ADD(batch->arena, &placed);
        if (!row)
            return batch_no_memory(err);
        *row = batch->pending.items[i];
    }
    if (placed.count == 0)
        return 0;
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &placed, job);
    PARAM_I16_FIELD(params, &placed, service);
    PARAM_I32_FIELD(params, &placed, epoch);
    PARAM_I64_FIELD(params, &placed, worker);
    PARAM_I32_FIELD(params, &placed, incarnation);
    PARAM_TEXT_FIELD(params, &placed, object);
    return batch_ask(batch, STATEMENT_HOT_PLACE, err) < 0 ? -1 : 0;
}
