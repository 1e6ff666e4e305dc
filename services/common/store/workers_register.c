#include "services/common/base/arena.h"
#include "services/common/db/db.h"
#include "services/common/model/states.h"
#include "services/common/store/change.h"
#include "services/common/store/embedded.h"
#include "services/common/store/workers.h"

#include <stdio.h>
#include <string.h>

struct arrival {
    const struct worker_registration *registration;
    int64_t lease_ms;
    struct worker_registered *out;
};

// The former incarnation of a name, under its row lock.
struct former {
    int64_t worker;
    int incarnation;
    int state;
    int64_t lease_left_ms;
    bool same_host;
    char engine[ENGINE_SIZE]; // "": none
    char owner[OWNER_SIZE];   // "": not said
    int64_t registrations;
};

static int lock_former(struct db *db, const struct worker_registration *registration, struct former *former,
                       struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_text(&params, registration->name);
    if (db_query(db, STATEMENT_WORKER_LOCK_BY_NAME, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return 0;
    *former = (struct former){
        .worker = result_i64(&row, 0, 0),
        .incarnation = result_i32(&row, 0, 1),
        .state = result_i32(&row, 0, 2),
        .same_host = strcmp(result_text(&row, 0, 3), registration->host) == 0,
        .lease_left_ms = result_i64(&row, 0, 5),
    };
    const char *engine = result_text_or_null(&row, 0, 6);
    const char *owner = result_text_or_null(&row, 0, 7);
    snprintf(former->engine, sizeof former->engine, "%s", engine ? engine : "");
    snprintf(former->owner, sizeof former->owner, "%s", owner ? owner : "");
    former->registrations = result_i64_or(&row, 0, 8, 0);
    return result_ok(&row, err) < 0 ? -1 : 1;
}

// Its reply was lost, or it was killed before it could note what it said. A request that comes late, after a younger
// one from there, proves nothing.
static bool comes_again(const struct former *former, const struct worker_registration *registration)
{
    return registration->owner && strcmp(former->owner, registration->owner) == 0 &&
           former->registrations < registration->registrations;
}

// What the registration proves about the processes of the former incarnation: that somebody on its host who was it, as
// only its state directory knows, has looked. A host's name alone proves nothing, another machine may have the same.
static bool was_it(const struct former *former, const struct worker_registration *registration)
{
    bool knows =
        former->worker == registration->former_worker && former->incarnation == registration->former_incarnation;
    return knows || comes_again(former, registration);
}

static enum worker_absence absence_of(const struct former *former, const struct worker_registration *registration)
{
    return former->same_host && was_it(former, registration) ? ABSENCE_VERIFIED : ABSENCE_UNKNOWN;
}

static bool name_is_taken(const struct former *former, const struct worker_registration *registration)
{
    bool over = former->state == WORKER_LOST || former->state == WORKER_GONE || former->lease_left_ms == 0;
    return !over && absence_of(former, registration) != ABSENCE_VERIFIED;
}

// Inserts the worker or makes it the next incarnation. 1 when the row was written, 0 when an insert came too late.
static int write_worker(struct db *db, enum statement statement, const struct arrival *arrival, struct err *err)
{
    const struct worker_registration *registration = arrival->registration;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_text(&params, registration->name);
    params_text(&params, registration->host);
    params_text(&params, registration->boot);
    params_text_array(&params, registration->runtimes, registration->runtime_count);
    params_text_array(&params, registration->queues, registration->queue_count);
    params_json(&params, registration->labels, strlen(registration->labels));
    params_i32(&params, registration->slots);
    params_i64(&params, arrival->lease_ms);
    params_text(&params, registration->engine);
    params_text(&params, registration->trouble);
    params_text(&params, registration->owner);
    params_i64(&params, registration->registrations);
    if (db_query(db, statement, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return 0;
    arrival->out->worker = result_i64(&row, 0, 0);
    arrival->out->incarnation = result_i32(&row, 0, 1);
    return result_ok(&row, err) < 0 ? -1 : 1;
}

// Its host does not matter for what runs at the engine: that it was the former incarnation, and looks at the same
// engine, does.
static struct worker_loss loss_of(const struct former *former, const struct worker_registration *registration)
{
    bool same_engine = registration->engine && strcmp(registration->engine, former->engine) == 0;
    bool seen = same_engine && was_it(former, registration);
    return (struct worker_loss){
        .worker = former->worker,
        .before = former->incarnation + 1,
        .absence = absence_of(former, registration),
        .engine = *former->engine ? former->engine : NULL,
        .engine_was_seen = seen,
        .why = former->same_host ? "the worker was restarted" : "the worker's name moved to another host",
        .survivors = seen ? registration : NULL,
    };
}

// ---- tasks that go on

enum adopted_column {
    ADOPTED_JOB,
    ADOPTED_STAGE,
    ADOPTED_FIRST,
    ADOPTED_COUNT,
    ADOPTED_TOKEN,
    ADOPTED_ATTEMPT,
    ADOPTED_NAME,
    ADOPTED_RUN,
    ADOPTED_TASK,
    ADOPTED_LOGGED,
};

static const char *keep_text(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text));
}

// `before` is the row before, which may be of the same slice; NULL: there is none.
static int read_adopted(struct result *rows, int row, struct arena *arena, const struct worker_adopted *before,
                        struct worker_adopted *out, struct err *err)
{
    *out = (struct worker_adopted){
        .job = result_i64(rows, row, ADOPTED_JOB),
        .stage = result_i32(rows, row, ADOPTED_STAGE),
        .first = result_i64(rows, row, ADOPTED_FIRST),
        .count = result_i64(rows, row, ADOPTED_COUNT),
        .token = result_i64(rows, row, ADOPTED_TOKEN),
        .attempt = result_i32(rows, row, ADOPTED_ATTEMPT),
        .task = result_i64(rows, row, ADOPTED_TASK),
        .logged = result_i64(rows, row, ADOPTED_LOGGED),
    };
    bool same = before && before->token == out->token;
    out->stage_name = same ? before->stage_name : keep_text(arena, result_text(rows, row, ADOPTED_NAME));
    out->run = same ? before->run : keep_text(arena, result_text(rows, row, ADOPTED_RUN));
    return out->stage_name && out->run ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for the tasks that go on");
}

static int ask_adopted(struct db *db, const struct arrival *arrival, struct result *rows, struct err *err)
{
    const struct worker_registration *registration = arrival->registration;
    AUTO_PARAMS struct params params = PARAMS_INIT;
    params_array_begin(&params, PARAM_I64);
    for (size_t i = 0; i < registration->adoptable_count; i++)
        params_add_i64(&params, registration->adoptable[i].token);
    params_array_end(&params);
    params_array_begin(&params, PARAM_I64);
    for (size_t i = 0; i < registration->adoptable_count; i++)
        params_add_i64(&params, registration->adoptable[i].task);
    params_array_end(&params);
    params_i64(&params, arrival->out->worker);
    params_i32(&params, arrival->out->incarnation);
    return db_query(db, STATEMENT_WORKER_ADOPTED, &params, RESULT_BINARY, rows, err);
}

// What the registration has bound to the new incarnation and nobody wants to end.
static int adopt(struct db *db, const struct arrival *arrival, struct err *err)
{
    struct worker_registered *out = arrival->out;
    struct arena *arena = arrival->registration->arena;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (ask_adopted(db, arrival, &rows, err) < 0)
        return -1;
    out->adopted = arena_alloc_zero(arena, (size_t)result_rows(&rows) + 1, sizeof *out->adopted);
    if (!out->adopted)
        return err_set(err, ERR_NO_MEMORY, "no memory for the tasks that go on");
    for (int row = 0; row < result_rows(&rows); row++, out->adopted_count++)
        if (read_adopted(&rows, row, arena, row > 0 ? &out->adopted[row - 1] : NULL, &out->adopted[row], err) < 0)
            return -1;
    return result_ok(&rows, err);
}

// ---- the whole

static int replace_former(struct db *db, const struct arrival *arrival, const struct former *former,
                          struct wakes *wakes, struct err *err)
{
    const struct worker_loss loss = loss_of(former, arrival->registration);
    if (name_is_taken(former, arrival->registration)) {
        arrival->out->retry_ms = former->lease_left_ms;
        return REGISTER_NAME_TAKEN;
    }
    if (write_worker(db, STATEMENT_WORKER_UPDATE, arrival, err) < 0 || workers_take_back(db, &loss, wakes, err) < 0)
        return -1;
    bool was_lost = former->state == WORKER_LOST || former->state == WORKER_GONE;
    if (loss.survivors && !was_lost && arrival->registration->adoptable_count > 0 && adopt(db, arrival, err) < 0)
        return -1;
    return REGISTER_DONE;
}

static int read_deployment(struct db *db, struct worker_registered *out, struct err *err)
{
    AUTO_RESULT struct result row = RESULT_INIT;
    if (db_query(db, STATEMENT_WORKER_DEPLOYMENT, NULL, RESULT_BINARY, &row, err) < 0)
        return -1;
    snprintf(out->deployment, sizeof out->deployment, "%s", result_text(&row, 0, 0));
    return result_ok(&row, err);
}

static int arrive(struct db *db, void *context, struct wakes *wakes, struct err *err)
{
    const struct arrival *arrival = context;
    struct former former;
    *arrival->out = (struct worker_registered){0}; // of a try before
    if (read_deployment(db, arrival->out, err) < 0)
        return -1;
    int known = lock_former(db, arrival->registration, &former, err);
    if (known == 0) {
        int written = write_worker(db, STATEMENT_WORKER_INSERT, arrival, err);
        if (written != 0)
            return written < 0 ? -1 : REGISTER_DONE;
        known = lock_former(db, arrival->registration, &former, err); // somebody was faster
    }
    if (known <= 0)
        return known < 0 ? -1 : err_set(err, ERR_UNAVAILABLE, "worker '%s' came and went", arrival->registration->name);
    return replace_former(db, arrival, &former, wakes, err);
}

int workers_register(struct db *db, const struct worker_registration *registration, int64_t lease_ms,
                     struct worker_registered *out, struct wakes *wakes, struct err *err)
{
    for (size_t i = 0; i < registration->found_count; i++)
        registration->found[i].kept = false;
    struct arrival arrival = {.registration = registration, .lease_ms = lease_ms, .out = out};
    return change_run(db, arrive, &arrival, wakes, err);
}
