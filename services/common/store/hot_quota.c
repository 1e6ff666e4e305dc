// Submissions of tokens that have quotas. Their tokens are locked before any job, so that what is counted is all there
// is, at whichever manager; without quotas nothing is asked. How much log there is is looked up once in a while only:
// it grows after the submission anyway, and it is a sum over all jobs of the token that are kept.
#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/store/hot_submit.h"
#include "services/common/store/quotas.h"

#include <stdlib.h>

#define LOGS_FRESH_MS 3000

struct logs_memory {
    int64_t until_ms, bytes;
};

static bool is_fresh(const void *value, const void *context)
{
    UNUSED(context);
    return ((const struct logs_memory *)value)->until_ms > clock_boot_ms();
}

static struct quota_row *row_of(const struct batch *batch, int64_t token)
{
    for (size_t i = 0; i < batch->quotas.count; i++)
        if (batch->quotas.items[i].token == token)
            return &batch->quotas.items[i];
    return NULL;
}

static int collect(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->submit_count; i++) {
        const struct quota_holder *by = &batch->submits[i].operation->by;
        if (!quota_has_limits(by->limits) || row_of(batch, by->token))
            continue;
        struct quota_row *row = LIST_ADD(batch->arena, &batch->quotas);
        if (!row)
            return batch_no_memory(err);
        const struct logs_memory *logs =
            hot_cache_find(&batch->hot->quota_logs, (struct hot_key){by->token, 0, 0}, is_fresh, NULL);
        *row = (struct quota_row){.token = by->token, .asks_logs = by->limits->of[QUOTA_LOG_BYTES] > 0 && !logs};
        row->used.of[QUOTA_LOG_BYTES] = logs ? logs->bytes : 0;
    }
    return 0;
}

static size_t add_tokens(struct batch *batch, bool of_logs)
{
    struct params *params = batch_params(batch);
    size_t count = 0;
    params_array_begin(params, PARAM_I64);
    for (size_t i = 0; i < batch->quotas.count; i++) {
        if (of_logs && !batch->quotas.items[i].asks_logs)
            continue;
        params_add_i64(params, batch->quotas.items[i].token);
        count++;
    }
    params_array_end(params);
    return count;
}

static int ask_keys(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < batch->submit_count; i++) {
        const struct submit_operation *operation = batch->submits[i].operation;
        if (operation->idempotency_key && quota_has_limits(operation->by.limits))
            params_add_text_or_null(params, operation->idempotency_key);
    }
    params_array_end(params);
    batch->at.quota_keys = batch_ask(batch, STATEMENT_HOT_JOBS_BY_KEY, err);
    return batch->at.quota_keys < 0 ? -1 : 0;
}

int hot_quota_ask(struct batch *batch, struct err *err)
{
    if (collect(batch, err) < 0)
        return -1;
    if (batch->quotas.count == 0)
        return 0;
    add_tokens(batch, false);
    if (batch_ask(batch, STATEMENT_QUOTA_LOCK, err) < 0)
        return -1;
    add_tokens(batch, false);
    batch->at.quota_use = batch_ask(batch, STATEMENT_QUOTA_USE, err);
    if (batch->at.quota_use < 0)
        return -1;
    if (add_tokens(batch, true) > 0) {
        batch->at.quota_logs = batch_ask(batch, STATEMENT_QUOTA_LOGS, err);
        if (batch->at.quota_logs < 0)
            return -1;
    }
    return ask_keys(batch, err);
}

// ---- what there is

static int read_use(struct batch *batch, struct err *err)
{
    struct result *rows = pipeline_result(batch->pipeline, batch->at.quota_use);
    for (int row = 0; row < result_rows(rows); row++) {
        int64_t token, first;
        struct quota used;
        quota_read(rows, row, &token, &first, &used);
        struct quota_row *known = row_of(batch, token);
        if (!known)
            continue;
        used.of[QUOTA_LOG_BYTES] = known->used.of[QUOTA_LOG_BYTES];
        known->used = used;
        known->first = first;
    }
    return result_ok(rows, err);
}

static void remember_logs(struct hot *hot, int64_t token, int64_t bytes)
{
    struct logs_memory *memory = calloc(1, sizeof *memory);
    struct hot_key key = {token, 0, 0};
    if (!memory)
        return;
    *memory = (struct logs_memory){clock_boot_ms() + LOGS_FRESH_MS, bytes};
    hot_cache_drop(&hot->quota_logs, key);
    hot_cache_put(&hot->quota_logs, key, memory, sizeof *memory);
}

static int read_logs(struct batch *batch, struct err *err)
{
    if (batch->at.quota_logs < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.quota_logs);
    for (int row = 0; row < result_rows(rows); row++) {
        int64_t token = result_i64(rows, row, 0), bytes = result_i64(rows, row, 1);
        struct quota_row *known = row_of(batch, token);
        if (known)
            known->used.of[QUOTA_LOG_BYTES] = bytes;
        remember_logs(batch->hot, token, bytes);
    }
    return result_ok(rows, err);
}

// ---- who may

static bool has_key(struct result *rows, const char *key)
{
    for (int row = 0; key && row < result_rows(rows); row++)
        if (strcmp(result_text(rows, row, 0), key) == 0)
            return true;
    return false;
}

static void count(struct batch *batch, int64_t first, const struct quota *wanted)
{
    for (size_t i = 0; i < batch->quotas.count; i++)
        for (int kind = 0; kind < QUOTA_LOG_BYTES && batch->quotas.items[i].first == first; kind++)
            batch->quotas.items[i].used.of[kind] += wanted->of[kind];
}

static void admit(struct batch *batch, const struct quota_row *row, struct batch_submit *submit)
{
    struct submit_operation *operation = submit->operation;
    const struct job_spec *spec = operation->spec;
    struct quota wanted = {{[QUOTA_JOBS] = 1, [QUOTA_SERVICES] = (int64_t)spec->service_count, [QUOTA_LOG_BYTES] = 1}};
    for (size_t i = 0; i < spec->stage_count; i++)
        wanted.of[QUOTA_TASKS] += spec->stages[i].task_count;
    if (quota_check(&operation->by, &row->used, &wanted, &operation->err) < 0) {
        submit->over = true;
        submit->dead = operation->failed = !operation->idempotency_key;
        return;
    }
    count(batch, row->first, &wanted);
}

int hot_quota_read(struct batch *batch, struct err *err)
{
    if (batch->quotas.count == 0)
        return 0;
    if (read_use(batch, err) < 0 || read_logs(batch, err) < 0)
        return -1;
    struct result *keys = pipeline_result(batch->pipeline, batch->at.quota_keys);
    for (size_t i = 0; i < batch->submit_count; i++) {
        struct batch_submit *submit = &batch->submits[i];
        const struct quota_row *row = submit->dead ? NULL : row_of(batch, submit->operation->by.token);
        if (row && !has_key(keys, submit->operation->idempotency_key))
            admit(batch, row, submit);
    }
    return result_ok(keys, err);
}
