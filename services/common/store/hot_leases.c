// What a lane knows of the leases that it has granted: their tokens, which it gives out itself, and what a report would
// else have to ask for.
//
// A lease does not change while it lasts, but for its incarnation, and others may end it: whoever uses this memory says
// which token and incarnation a row must still have when it is changed, and looks whether it had (hot_slices.c).
#include "services/common/store/hot_batch.h"

#include <stdlib.h>

// ---- tokens

enum token_column { TOKEN_FIRST, TOKEN_COUNT };

static int take_block(struct batch *batch, struct err *err)
{
    batch_params(batch);
    int index = batch_ask(batch, STATEMENT_HOT_TOKENS, err);
    if (index < 0 || batch_collect(batch, err) < 0)
        return -1;
    struct result *rows = pipeline_result(batch->pipeline, index);
    batch->hot->token_next = result_i64(rows, 0, TOKEN_FIRST);
    batch->hot->tokens_left = result_i64(rows, 0, TOKEN_COUNT);
    return result_ok(rows, err);
}

// Outside of a batch: others wait for it meanwhile, and a batch has locked jobs.
int hot_tokens_raise(struct hot *hot, struct err *err)
{
    if (db_ensure(hot->db, err) < 0)
        return -1;
    if (hot->raised == db_generation(hot->db))
        return 0;
    if (db_query(hot->db, STATEMENT_HOT_TOKENS_RAISE, NULL, RESULT_BINARY, NULL, err) < 0)
        return -1;
    hot->raised = db_generation(hot->db);
    return 0;
}

// For good, even when the transaction fails: it may have been committed.
int hot_token_take(struct batch *batch, int64_t *token, struct err *err)
{
    if (batch->hot->tokens_left == 0 && take_block(batch, err) < 0)
        return -1;
    batch->hot->tokens_left--;
    *token = batch->hot->token_next++;
    return 0;
}

// ---- leases

static struct hot_key key_of(int64_t worker, int64_t token)
{
    return (struct hot_key){worker, token, 0};
}

const struct hot_lease *hot_lease_find(struct hot *hot, int64_t worker, int64_t token)
{
    return hot_cache_find(&hot->leases, key_of(worker, token), NULL, NULL);
}

static void remember(struct batch *batch, const struct batch_grant *grant)
{
    struct hot_lease *kept = malloc(sizeof *kept);
    if (!kept)
        return;
    *kept = (struct hot_lease){
        .job = grant->job,
        .stage = grant->stage,
        .first = grant->first,
        .count = grant->count,
        .attempt = grant->attempt,
        .failures = grant->failures,
        .incarnation = grant->work->operation->incarnation,
        .leased_us = batch->now_us,
        .cut = grant->count < batch->candidates.items[grant->candidate].count,
    };
    hot_cache_put(&batch->hot->leases, key_of(grant->work->operation->worker, grant->token), kept, sizeof *kept);
}

bool hot_leases_forget(struct batch *batch)
{
    bool any = false;
    for (size_t i = 0; i < batch->leases.count; i++) {
        const struct batch_lease *lease = &batch->leases.items[i];
        if (lease->remembered)
            hot_cache_drop(&batch->hot->leases, key_of(lease->work->operation->worker, lease->token));
        any |= lease->remembered;
    }
    return any;
}

void hot_leases_finish(struct batch *batch)
{
    hot_leases_forget(batch);
    for (size_t i = 0; i < batch->grants.count; i++)
        remember(batch, &batch->grants.items[i]);
}
