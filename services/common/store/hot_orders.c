// What a worker is asked to do besides tasks: start, stop and look again at instances, end tasks. Level-triggered: each
// poll tells everything that is not acknowledged yet.
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/states.h"
#include "services/common/store/hot_batch.h"
#include "services/common/store/hot_grant.h"

static int add_pollers(const struct batch *batch, struct params *params)
{
    int count = 0;
    params_array_begin(params, PARAM_I64);
    for (size_t i = 0; i < batch->work_count; i++)
        if (batch->works[i].operation->polls && !batch->works[i].dead) {
            params_add_i64(params, batch->works[i].operation->worker);
            count++;
        }
    params_array_end(params);
    return count;
}

// Seldom: there were some before this transaction, or it changes instances or settles jobs itself.
static bool may_have_orders(const struct batch *batch)
{
    return batch->may_have_orders || batch->settles.count > 0 || batch->observations.count > 0 ||
           batch->pending.count > 0;
}

int hot_orders_ask(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    if (!may_have_orders(batch) || add_pollers(batch, params) == 0)
        return 0;
    batch->at.orders = batch_ask(batch, STATEMENT_HOT_ORDERS, err);
    if (batch->at.orders < 0)
        return -1;
    add_pollers(batch, params);
    batch->at.cancels = batch_ask(batch, STATEMENT_HOT_CANCELS, err);
    return batch->at.cancels < 0 ? -1 : 0;
}

enum order_column {
    ORDER_WORKER,
    ORDER_JOB,
    ORDER_SERVICE,
    ORDER_EPOCH,
    ORDER_NAME,
    ORDER_STATE,
    ORDER_STOP_REQUESTED,
    ORDER_STOP_REASON,
    ORDER_OBJECT,
    ORDER_ADOPT,
};

enum order { ORDER_NONE, ORDER_START, ORDER_STOP, ORDER_VERIFY };

static enum order order_of(struct result *rows, int row)
{
    switch ((enum instance_state)result_i32(rows, row, ORDER_STATE)) {
    case INSTANCE_PLACING:
        return result_bool(rows, row, ORDER_STOP_REQUESTED) ? ORDER_STOP : ORDER_START;
    case INSTANCE_STOPPING:
    case INSTANCE_KILLING:
    case INSTANCE_STUCK:
        return ORDER_STOP;
    case INSTANCE_STOPPED:
    case INSTANCE_FAILED:
        return ORDER_VERIFY;
    case INSTANCE_STARTING:
    case INSTANCE_READY:
    case INSTANCE_UNHEALTHY:
        if (result_bool(rows, row, ORDER_STOP_REQUESTED))
            return ORDER_STOP;
        return result_bool(rows, row, ORDER_ADOPT) ? ORDER_START : ORDER_NONE;
    case INSTANCE_LOST: // bound to its worker's present life, which has found it (other lost ones are not among the
                        // rows)
        return ORDER_STOP;
    case INSTANCE_PENDING:
    case INSTANCE_VERIFIED:
    case INSTANCE_PRESUMED_GONE:
        return ORDER_NONE;
    }
    return ORDER_NONE;
}

// ---- details of starts, and the addresses of everybody

static int note_start(struct batch *batch, struct result *rows, int row, struct err *err)
{
    struct service_of_job *asked = LIST_ADD(batch->arena, &batch->service_runs_asked);
    if (!asked)
        return batch_no_memory(err);
    asked->job = result_i64(rows, row, ORDER_JOB);
    asked->service = (int16_t)result_i32(rows, row, ORDER_SERVICE);
    return hot_addresses_want(batch, asked->job, err);
}

static int ask_service_runs(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    PARAM_I64_FIELD(params, &batch->service_runs_asked, job);
    PARAM_I16_FIELD(params, &batch->service_runs_asked, service);
    batch->at.service_runs = batch_ask(batch, STATEMENT_HOT_SERVICE_RUNS, err);
    return batch->at.service_runs < 0 ? -1 : 0;
}

static int ask_addresses(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    params_i64_array(params, batch->addresses_asked.items, batch->addresses_asked.count);
    batch->at.addresses = batch_ask(batch, STATEMENT_HOT_ADDRESSES, err);
    return batch->at.addresses < 0 ? -1 : 0;
}

int hot_orders_ask_details(struct batch *batch, struct err *err)
{
    struct result *rows = batch->at.orders < 0 ? NULL : pipeline_result(batch->pipeline, batch->at.orders);
    for (int row = 0; rows && row < result_rows(rows); row++)
        if (order_of(rows, row) == ORDER_START && note_start(batch, rows, row, err) < 0)
            return -1;
    if (batch->service_runs_asked.count > 0 && ask_service_runs(batch, err) < 0)
        return -1;
    if (batch->addresses_asked.count > 0 && ask_addresses(batch, err) < 0)
        return -1;
    return rows ? result_ok(rows, err) : 0;
}

// ---- telling

static int count_orders(struct result *rows, int64_t worker, enum order order)
{
    int count = 0;
    for (int row = 0; row < result_rows(rows); row++)
        count += result_i64(rows, row, ORDER_WORKER) == worker && order_of(rows, row) == order;
    return count;
}

enum service_run_column { SERVICE_RUN_ORDINAL, SERVICE_RUN_RUN, SERVICE_RUN_BUNDLE };

// `start`: which of the starts, over all rows of orders.
static int tell_start(struct batch *batch, struct arena *arena, int start, struct instance_order *out, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.service_runs);
    AUTO_STRBUF struct strbuf services = STRBUF_INIT;
    hot_addresses_write(batch, out->job, &services);
    if (strbuf_ok(&services, err) < 0 || hot_give_text(arena, services.data, &out->services, err) < 0 ||
        hot_give_text(arena, result_text(rows, start, SERVICE_RUN_RUN), &out->run, err) < 0 ||
        hot_give_text(arena, result_text_or_null(rows, start, SERVICE_RUN_BUNDLE), &out->bundle, err) < 0)
        return -1;
    return result_ok(rows, err);
}

static int tell_row(struct arena *arena, struct result *rows, int row, struct instance_order *out, struct err *err)
{
    const char *reason = result_text_or_null(rows, row, ORDER_STOP_REASON);
    int state = result_i32(rows, row, ORDER_STATE);
    bool stops = order_of(rows, row) == ORDER_STOP;
    *out = (struct instance_order){
        .job = result_i64(rows, row, ORDER_JOB),
        .epoch = result_i32(rows, row, ORDER_EPOCH),
        .adopts = result_bool(rows, row, ORDER_ADOPT),
        .was_ready = state == INSTANCE_READY || state == INSTANCE_UNHEALTHY,
    };
    if (hot_give_text(arena, result_text(rows, row, ORDER_NAME), &out->service, err) < 0 ||
        hot_give_text(arena, result_text_or_null(rows, row, ORDER_OBJECT), &out->object, err) < 0)
        return -1;
    return hot_give_text(arena, reason ? reason : stops ? "lost" : NULL, &out->reason, err);
}

static int tell_instances(struct batch *batch, struct work_operation *operation, struct result *rows, enum order order,
                          struct instance_order **out, size_t *count, struct err *err)
{
    int most = count_orders(rows, operation->worker, order), start = 0;
    *out = arena_alloc_zero(operation->arena, (size_t)most + 1, sizeof **out);
    if (!*out)
        return batch_no_memory(err);
    for (int row = 0; row < result_rows(rows); row++) {
        bool is_start = order_of(rows, row) == ORDER_START;
        start += is_start;
        if (result_i64(rows, row, ORDER_WORKER) != operation->worker || order_of(rows, row) != order)
            continue;
        struct instance_order *told = &(*out)[(*count)++];
        if (tell_row(operation->arena, rows, row, told, err) < 0)
            return -1;
        if (is_start && tell_start(batch, operation->arena, start - 1, told, err) < 0)
            return -1;
    }
    return 0;
}

enum cancel_column { CANCEL_WORKER, CANCEL_JOB, CANCEL_STAGE, CANCEL_FIRST, CANCEL_TOKEN };

static int tell_cancels(struct batch *batch, struct work_operation *operation, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.cancels);
    int count = result_rows(rows);
    if (count == 0)
        return result_ok(rows, err);
    operation->cancels = arena_alloc_zero(operation->arena, (size_t)count, sizeof *operation->cancels);
    if (!operation->cancels)
        return batch_no_memory(err);
    for (int row = 0; row < count; row++)
        if (result_i64(rows, row, CANCEL_WORKER) == operation->worker)
            operation->cancels[operation->cancel_count++] = (struct cancel_order){
                .job = result_i64(rows, row, CANCEL_JOB),
                .token = result_i64(rows, row, CANCEL_TOKEN),
                .first = result_i64(rows, row, CANCEL_FIRST),
                .stage = result_i32(rows, row, CANCEL_STAGE),
            };
    return result_ok(rows, err);
}

static int tell(struct batch *batch, struct work_operation *operation, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.orders);
    if (tell_cancels(batch, operation, err) < 0)
        return -1;
    if (result_rows(rows) == 0)
        return 0;
    if (tell_instances(batch, operation, rows, ORDER_START, &operation->starts, &operation->start_count, err) < 0 ||
        tell_instances(batch, operation, rows, ORDER_STOP, &operation->stops, &operation->stop_count, err) < 0)
        return -1;
    return tell_instances(batch, operation, rows, ORDER_VERIFY, &operation->verifies, &operation->verify_count, err);
}

int hot_orders_finish(struct batch *batch, struct err *err)
{
    for (size_t i = 0; batch->at.orders >= 0 && i < batch->work_count; i++)
        if (batch->works[i].operation->polls && !batch->works[i].dead &&
            tell(batch, batch->works[i].operation, err) < 0)
            return -1;
    return 0;
}
