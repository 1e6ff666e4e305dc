// Submissions: whether they may be, and which of them are new. Their rows are written by hot_submit_rows.c.
#include "services/common/store/hot_submit.h"

#include "services/common/base/clock.h"
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/states.h"

#include <stdlib.h>

// A bundle that was used is kept for much longer than this, and need not be looked for meanwhile.
#define BUNDLE_FRESH_MS 20000
#define HASH_PREFIX "sha256:"

// ---- beginning

static bool is_plain(const struct job_spec *spec)
{
    for (size_t i = 0; i < spec->stage_count; i++) {
        const struct stage_spec *stage = &spec->stages[i];
        if (stage->max_parallel > 0 || (stage->task_count == 0 && !stage->from))
            return false;
    }
    return spec->service_count == 0;
}

static bool releases(const struct job_spec *spec, size_t stage)
{
    return spec->stages[stage].after.count == 0;
}

bool hot_submit_releases(const struct batch_submit *submit, size_t stage)
{
    return submit->plain && releases(submit->operation->spec, stage);
}

static int32_t count_events(const struct batch_submit *submit)
{
    int32_t count = 1;
    for (size_t i = 0; i < submit->operation->spec->stage_count; i++)
        count += hot_submit_releases(submit, i);
    return count;
}

static const char *runtime_of(const struct stage_spec *stage)
{
    return stage->mode == STAGE_PULL ? "pull" : run_spec_runtime(&stage->run);
}

void hot_foresee(struct hot *hot, const struct submit_operation *submit, struct wakes *wakes)
{
    const struct job_spec *spec = submit->spec;
    for (size_t i = 0; is_plain(spec) && i < spec->stage_count; i++) {
        const struct stage_spec *stage = &spec->stages[i];
        int32_t demand = hot_demand_recall(hot, stage->queue, &stage->run, runtime_of(stage));
        if (demand && releases(spec, i) && stage->task_count > 0)
            wakes_add(wakes, WAKE_DEMAND, demand, stage->task_count);
    }
}

static int need_demands(struct batch *batch, struct batch_submit *submit, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    size_t count = spec->stage_count + spec->service_count;
    submit->demands = arena_alloc_zero(batch->arena, count + 1, sizeof *submit->demands);
    if (!submit->demands)
        return batch_no_memory(err);
    for (size_t i = 0; i < spec->stage_count; i++) {
        const struct stage_spec *stage = &spec->stages[i];
        if (hot_demand_need(batch, stage->queue, &stage->run, runtime_of(stage), &submit->demands[i], err) < 0)
            return -1;
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct run_spec *run = &spec->services[i].run;
        if (hot_demand_need(batch, "", run, run_spec_runtime(run), &submit->demands[spec->stage_count + i], err) < 0)
            return -1;
    }
    return 0;
}

int32_t hot_submit_demand(const struct batch *batch, const struct batch_submit *submit, size_t index)
{
    return batch->needs.items[submit->demands[index]].id;
}

static int write_texts(struct batch *batch, struct batch_submit *submit, struct err *err)
{
    const struct job_spec *spec = submit->operation->spec;
    AUTO_STRBUF struct strbuf labels = STRBUF_INIT;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    hot_pairs_write(&spec->labels, &labels);
    job_spec_write(spec, false, &text);
    if (batch_copy(batch, &labels, &submit->labels, err) < 0)
        return -1;
    return batch_copy(batch, &text, &submit->spec, err);
}

static const char *hash_of(const char *bundle)
{
    size_t prefix = strlen(HASH_PREFIX);
    return bundle && strncmp(bundle, HASH_PREFIX, prefix) == 0 ? bundle + prefix : bundle;
}

int hot_submit_begin(struct batch *batch, struct submit_operation **operations, size_t count, struct err *err)
{
    batch->submit_count = count;
    batch->submits = arena_alloc_zero(batch->arena, count + 1, sizeof *batch->submits);
    if (!batch->submits)
        return batch_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct batch_submit *submit = &batch->submits[i];
        submit->operation = operations[i];
        operations[i]->created = operations[i]->failed = false;
        submit->bundle = hash_of(operations[i]->spec->bundle);
        submit->plain = is_plain(operations[i]->spec);
        submit->events = count_events(submit);
        if (need_demands(batch, submit, err) < 0 || write_texts(batch, submit, err) < 0)
            return -1;
    }
    return 0;
}

// ---- bundles

static struct hot_key bundle_key(const char *hash)
{
    char digits[17] = "";
    memcpy(digits, hash, strnlen(hash, sizeof digits - 1)); // NOLINT(bugprone-not-null-terminated-result): it is
    return (struct hot_key){(int64_t)strtoull(digits, NULL, 16), 0, 0};
}

struct fresh_bundle {
    int64_t until_ms;
    char hash[SHA256_HEX_SIZE];
};

static bool is_fresh(const void *value, const void *context)
{
    const struct fresh_bundle *bundle = value;
    return bundle->until_ms > clock_boot_ms() && strcmp(bundle->hash, context) == 0;
}

static bool bundle_is_known(struct hot *hot, const char *hash)
{
    return hot_cache_find(&hot->bundles, bundle_key(hash), is_fresh, hash) != NULL;
}

static void remember_bundle(struct hot *hot, const char *hash)
{
    struct fresh_bundle *bundle = calloc(1, sizeof *bundle);
    if (!bundle)
        return;
    bundle->until_ms = clock_boot_ms() + BUNDLE_FRESH_MS;
    snprintf(bundle->hash, sizeof bundle->hash, "%s", hash);
    hot_cache_drop(&hot->bundles, bundle_key(hash));
    hot_cache_put(&hot->bundles, bundle_key(hash), bundle, sizeof *bundle);
}

bool hot_submit_is_sure(const struct batch *batch)
{
    for (size_t i = 0; i < batch->submit_count; i++) {
        const struct batch_submit *submit = &batch->submits[i];
        if (!submit->plain || quota_has_limits(submit->operation->by.limits) ||
            (submit->bundle && !bundle_is_known(batch->hot, submit->bundle)))
            return false;
    }
    for (size_t i = 0; i < batch->needs.count; i++)
        if (batch->needs.items[i].id == 0)
            return false;
    return true;
}

static size_t add_hashes(struct batch *batch, struct params *params)
{
    size_t count = 0;
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < batch->submit_count; i++) {
        const char *hash = batch->submits[i].bundle;
        if (!hash || bundle_is_known(batch->hot, hash))
            continue;
        params_add_text(params, hash, strlen(hash));
        batch->submits[i].checks_bundle = true;
        count++;
    }
    params_array_end(params);
    return count;
}

static int ask_bundles(struct batch *batch, struct err *err)
{
    struct params *params = batch_params(batch);
    if (add_hashes(batch, params) == 0)
        return 0;
    if (batch_ask(batch, STATEMENT_HOT_BUNDLES_USE, err) < 0)
        return -1;
    add_hashes(batch, params);
    batch->at.bundles = batch_ask(batch, STATEMENT_HOT_BUNDLES, err);
    return batch->at.bundles < 0 ? -1 : 0;
}

int hot_submit_ask(struct batch *batch, struct err *err)
{
    return ask_bundles(batch, err) < 0 || hot_quota_ask(batch, err) < 0 ? -1 : hot_demands_ask(batch, err);
}

static bool bundle_is_there(struct result *rows, const char *hash)
{
    for (int row = 0; row < result_rows(rows); row++)
        if (strcmp(result_text(rows, row, 0), hash) == 0)
            return true;
    return false;
}

static int read_bundles(struct batch *batch, struct err *err)
{
    if (batch->at.bundles < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.bundles);
    for (size_t i = 0; i < batch->submit_count; i++) {
        struct batch_submit *submit = &batch->submits[i];
        if (!submit->checks_bundle)
            continue;
        if (bundle_is_there(rows, submit->bundle)) {
            remember_bundle(batch->hot, submit->bundle);
            continue;
        }
        submit->dead = submit->operation->failed = true;
        err_set(&submit->operation->err, ERR_NOT_FOUND, "bundle 'sha256:%s' is not there: upload it first",
                submit->bundle);
    }
    return result_ok(rows, err);
}

int hot_submit_read(struct batch *batch, struct err *err)
{
    return read_bundles(batch, err) < 0 || hot_quota_read(batch, err) < 0 ? -1 : hot_demands_read(batch, err);
}

int hot_submit_intern(struct batch *batch, struct err *err)
{
    return hot_demands_intern(batch, err);
}

// ---- which are new

int hot_submit_inserted(struct batch *batch, struct err *err)
{
    if (batch->at.jobs_insert < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.jobs_insert);
    int row = 0; // rows come in the order of the submissions, without those that were left out
    for (size_t i = 0; i < batch->submit_count && row < result_rows(rows); i++) {
        struct batch_submit *submit = &batch->submits[i];
        if (submit->dead || result_i64(rows, row, 0) != submit->operation->job)
            continue;
        submit->inserted = submit->operation->created = true;
        row++;
    }
    if (row != result_rows(rows))
        return err_set(err, ERR_INTERNAL, "inserted jobs came back in another order");
    return result_ok(rows, err);
}

static bool is_known(const struct batch_submit *submit)
{
    return !submit->dead && !submit->inserted && submit->operation->idempotency_key;
}

int hot_submit_ask_known(struct batch *batch, struct err *err)
{
    size_t count = 0;
    struct params *params = batch_params(batch);
    params_array_begin(params, PARAM_TEXT);
    for (size_t i = 0; i < batch->submit_count; i++)
        if (is_known(&batch->submits[i])) {
            params_add_text_or_null(params, batch->submits[i].operation->idempotency_key);
            count++;
        }
    params_array_end(params);
    if (count == 0)
        return 0;
    batch->at.jobs_by_key = batch_ask(batch, STATEMENT_HOT_JOBS_BY_KEY, err);
    return batch->at.jobs_by_key < 0 ? -1 : 0;
}

enum known_column { KNOWN_KEY, KNOWN_ID, KNOWN_FINGERPRINT };

static void read_known(struct result *rows, struct batch_submit *submit)
{
    struct submit_operation *operation = submit->operation;
    for (int row = 0; row < result_rows(rows); row++) {
        if (strcmp(result_text(rows, row, KNOWN_KEY), operation->idempotency_key) != 0)
            continue;
        operation->failed = strcmp(result_text(rows, row, KNOWN_FINGERPRINT), operation->fingerprint) != 0;
        if (operation->failed)
            err_set(&operation->err, ERR_CONFLICT, "the idempotency key was used for another body");
        else
            operation->job = result_i64(rows, row, KNOWN_ID);
        return;
    }
    operation->failed = true;
    if (submit->over)
        return; // the error says so
    // it was deleted at this very moment
    err_set(&operation->err, ERR_UNAVAILABLE, "the job of this idempotency key is just being deleted");
}

int hot_submit_read_known(struct batch *batch, struct err *err)
{
    if (batch->at.jobs_by_key < 0)
        return 0;
    struct result *rows = pipeline_result(batch->pipeline, batch->at.jobs_by_key);
    for (size_t i = 0; i < batch->submit_count; i++)
        if (is_known(&batch->submits[i]))
            read_known(rows, &batch->submits[i]);
    return result_ok(rows, err);
}
