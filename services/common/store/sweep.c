#include "services/common/store/sweep.h"

#include <stdlib.h>

struct guarded {
    const struct sweep *sweep;
    sweep_fn function;
    void *argument;
};

static int check_leader(struct db *db, const struct sweep *sweep, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_text(&params, sweep->leader);
    params_i64(&params, sweep->epoch);
    if (db_query(db, STATEMENT_LEADER_GUARD, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return err_set(err, ERR_STALE, "another reaper leads");
    return 0;
}

static int run_guarded(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const struct guarded *guarded = context;
    if (check_leader(db, guarded->sweep, err) < 0)
        return -1;
    return guarded->function(guarded->sweep, guarded->argument, wakes, err);
}

int sweep_run(const struct sweep *sweep, sweep_fn function, void *argument, struct err *err)
{
    struct guarded guarded = {.sweep = sweep, .function = function, .argument = argument};
    return change_run(sweep->db, run_guarded, &guarded, sweep->wakes, err);
}

int sweep_ids(const struct sweep *sweep, enum statement statement, const struct params *params, int64_t **ids,
              struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (db_query(sweep->db, statement, params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    AUTO_FREE int64_t *list = malloc(((size_t)count + 1) * sizeof *list);
    if (!list)
        return err_set(err, ERR_NO_MEMORY, "a sweep's list of %d rows", count);
    for (int row = 0; row < count; row++)
        list[row] = result_i64(&rows, row, 0);
    if (result_ok(&rows, err) < 0)
        return -1;
    *ids = TAKE_PTR(list);
    return count;
}

bool sweep_may_go_on(const struct err *err)
{
    return err->code != ERR_STALE && err->code != ERR_UNAVAILABLE && err->code != ERR_NO_MEMORY;
}

int sweep_each(const struct sweep *sweep, sweep_fn function, const char *what, const int64_t *ids, int count,
               int64_t skew_ms, struct err *err)
{
    struct err first = {0};
    int handled = 0;
    for (int i = 0; i < count; i++) {
        struct err problem;
        struct sweep_one one = {.id = ids[i], .skew_ms = skew_ms};
        int outcome = sweep_run(sweep, function, &one, &problem);
        if (outcome >= 0) {
            handled += outcome;
            continue;
        }
        bool goes_on = sweep_may_go_on(&problem);
        err_prefix(&problem, "%s %lld", what, (long long)ids[i]);
        if (!first.text[0] || !goes_on)
            first = problem;
        if (!goes_on)
            break;
    }
    return first.text[0] ? err_set(err, first.code, "%s", first.text) : handled;
}
