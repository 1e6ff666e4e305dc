// Tokens: made, listed, revoked. The text of a token is in the reply that makes it, and nowhere else.
#include "services/jobmanager/api/handlers.h"

#include "services/common/base/id.h"
#include "services/common/base/parse.h"
#include "services/common/db/db.h"
#include "services/common/store/read.h"
#include "services/common/store/tokens.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/body.h"
#include "services/jobmanager/arguments.h"
#include "services/jobmanager/call.h"
#include "services/jobmanager/keyring.h"

#include <string.h>

static const char *const no_query[] = {NULL};

struct token_call {
    struct call call;
    int64_t token;
    // list
    const char *cursor;
    int64_t limit;
    // create
    char name[TOKEN_NAME_SIZE];
    char space[NAMESPACE_SIZE]; // "": all
    enum role role;
    int64_t lifetime_ms;
    struct quota limits;
};

// The change is committed: this manager knows it before the caller does. Others read it within a second, and so does
// this one should that fail.
static void tell_keyring(struct call *call, struct db *db)
{
    struct err err;
    if (keyring_refresh(call->app->keyring, db, &err) < 0)
        log_event(LOG_WARN, "a change of the tokens is not read yet", "error", err.text, NULL);
}

// ---- making

// Whether a token was made whose making nobody has confirmed: its row says so. Without one (the database is away, or
// has not come to it yet) the answer says which token may be there, with a text that nobody has.
static int resolve(struct db *db, int64_t token, const char *text, struct strbuf *out, struct err *err)
{
    char id[ID_TEXT_SIZE];
    strbuf_clear(out);
    if (token_read(db, token, text, out, NULL) == 0)
        return 0;
    id_format('t', token, id);
    return err_set(err, ERR_UNAVAILABLE, "the database went away: if token '%s' is there, revoke it", id);
}

static int make(struct call *call, struct db *db, char text[static TOKEN_TEXT_SIZE], struct strbuf *out,
                struct err *err)
{
    struct token_call *token = CONTAINER_OF(call, struct token_call, call);
    unsigned char digest[SHA256_SIZE];
    if (token_make(text, err) < 0 || token_digest(text, digest, err) < 0)
        return -1;
    token->token = id_new();
    const struct token_addition addition = {
        .id = token->token,
        .digest = digest,
        .name = token->name,
        .role = token->role,
        .space = *token->space ? token->space : NULL,
        .by = http_request_principal(call->request),
        .lifetime_ms = token->lifetime_ms,
        .limits = &token->limits,
    };
    int outcome = token_add(db, &addition, text, out, err);
    return outcome < 0 && db_last_error(db)->outcome_unknown ? resolve(db, token->token, text, out, err) : outcome;
}

static int create_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct token_call *token = CONTAINER_OF(call, struct token_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    char text[TOKEN_TEXT_SIZE];
    // From the first token on every call needs one, and only an admin's makes others.
    if (token->role != ROLE_ADMIN && !keyring_has_admin(call->app->keyring))
        return err_set(err, ERR_CONFLICT, "there is no token of role admin yet: make that one first");
    int outcome = make(call, db, text, &body, err);
    explicit_bzero(text, sizeof(text));
    if (outcome < 0)
        return -1;
    tell_keyring(call, db);
    answer_json(call->request, reply, 201, &body);
    http_reply_header(reply, "Cache-Control", "no-store");
    return 0;
}

struct token_body {
    const char *name, *role, *expires_in, *space;
    struct quota limits;
};
static const struct wire_field token_fields[] = {
    {"name", WIRE_TEXT, true, offsetof(struct token_body, name), 0, TOKEN_NAME_SIZE - 1, NULL},
    {"role", WIRE_TEXT, true, offsetof(struct token_body, role), 0, 16, NULL},
    {"expires_in", WIRE_TEXT, false, offsetof(struct token_body, expires_in), 0, 64, NULL},
    {"namespace", WIRE_TEXT, false, offsetof(struct token_body, space), 0, NAMESPACE_SIZE - 1, NULL},
    {"max_jobs", WIRE_I64, false, offsetof(struct token_body, limits.of[QUOTA_JOBS]), 0, QUOTA_MAX, NULL},
    {"max_tasks", WIRE_I64, false, offsetof(struct token_body, limits.of[QUOTA_TASKS]), 0, QUOTA_MAX, NULL},
    {"max_services", WIRE_I64, false, offsetof(struct token_body, limits.of[QUOTA_SERVICES]), 0, QUOTA_MAX, NULL},
    {"max_log_bytes", WIRE_I64, false, offsetof(struct token_body, limits.of[QUOTA_LOG_BYTES]), 0, QUOTA_MAX, NULL},
};

static void check_space(const struct token_body *body, struct token_call *token, struct faults *faults)
{
    if (!body->space)
        return;
    if (!namespace_is_valid(body->space))
        faults_add(faults, FAULT_FORMAT, "/namespace", "must be 1 to %d lower-case letters, digits or dashes",
                   NAMESPACE_SIZE - 1);
    else if (token->role != ROLE_VIEWER && token->role != ROLE_SUBMITTER)
        faults_add(faults, FAULT_CONFLICT, "/namespace", "only viewers and submitters are of a namespace");
    snprintf(token->space, sizeof(token->space), "%s", body->space);
}

static void check_body(const struct token_body *body, struct token_call *token, struct faults *faults)
{
    struct err err;
    int role = role_of_token(body->role);
    if (role >= 0)
        token->role = (enum role)role;
    else
        faults_add(faults, FAULT_CHOICE, "/role", "must be viewer, submitter, worker or admin");
    if (!token_name_is_valid(body->name))
        faults_add(faults, FAULT_FORMAT, "/name", "must be 1 to %d letters, digits, '.', '_' or '-'",
                   TOKEN_NAME_SIZE - 1);
    if (body->expires_in && parse_duration_ms(body->expires_in, "expires_in", &token->lifetime_ms, &err) < 0)
        faults_add(faults, FAULT_FORMAT, "/expires_in", "%s", err.text);
    else if (body->expires_in && token->lifetime_ms == 0)
        faults_add(faults, FAULT_RANGE, "/expires_in", "must be longer than that");
    check_space(body, token, faults);
    token->limits = body->limits;
    snprintf(token->name, sizeof(token->name), "%s", body->name);
}

static int create_read(const struct http_request *request, struct token_call *token, struct faults *faults,
                       struct err *err)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    struct token_body body = {0};
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        body.limits.of[kind] = QUOTA_DEFAULT;
    if (!arena)
        return err_set(err, ERR_NO_MEMORY, "no memory for a body");
    if (http_request_query_only(request, no_query, err) < 0 ||
        body_read(request, token_fields, ARRAY_LEN(token_fields), &body, arena, faults, err) < 0)
        return -1;
    check_body(&body, token, faults);
    return faults->count ? err_set(err, ERR_INVALID, "the token is wrong in %zu place%s", faults->count,
                                   faults->count == 1 ? "" : "s")
                         : 0;
}

enum http_handled token_create(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct err err;
    struct token_call *token = call_new(app, request, sizeof(*token), reply);
    if (!token)
        return HTTP_REPLY;
    if (create_read(request, token, &faults, &err) < 0)
        return answer_error(request, reply, &err, &faults);
    return call_start(&token->call, create_run, reply);
}

// ---- listing

static int list_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct token_call *token = CONTAINER_OF(call, struct token_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    return tokens_read(db, token->cursor, token->limit, &body, err) < 0
               ? -1
               : answer_tagged(call->request, reply, &body, err);
}

enum http_handled tokens_list(void *app, struct http_request *request, struct http_reply *reply)
{
    static const char *const allowed[] = {"limit", "cursor", NULL};
    struct err err;
    struct token_call *token = call_new(app, request, sizeof(*token), reply);
    if (!token)
        return HTTP_REPLY;
    token->cursor = http_request_query(request, "cursor");
    token->limit = 100;
    if (http_request_query_only(request, allowed, &err) < 0 ||
        query_i64(request, "limit", 1, READ_LIMIT_MAX, &token->limit, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&token->call, list_run, reply);
}

// ---- revoking

static int revoke_run(struct call *call, struct db *db, struct http_reply *reply, struct err *err)
{
    struct token_call *token = CONTAINER_OF(call, struct token_call, call);
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    if (token_revoke(db, token->token, http_request_principal(call->request), err) < 0)
        return -1;
    tell_keyring(call, db);
    if (token_read(db, token->token, NULL, &body, err) < 0)
        return -1;
    answer_json(call->request, reply, 200, &body);
    return 0;
}

enum http_handled token_delete(void *app, struct http_request *request, struct http_reply *reply)
{
    struct err err;
    struct token_call *token = call_new(app, request, sizeof(*token), reply);
    if (!token)
        return HTTP_REPLY;
    if (path_token(request, &token->token, &err) < 0 || http_request_query_only(request, no_query, &err) < 0)
        return answer_error(request, reply, &err, NULL);
    return call_start(&token->call, revoke_run, reply);
}
