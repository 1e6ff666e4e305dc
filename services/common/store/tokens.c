#include "services/common/store/tokens.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/id.h"
#include "services/common/store/read_common.h"

#include <stdio.h>
#include <string.h>

static int no_such_token(int64_t token, struct err *err)
{
    char id[ID_TEXT_SIZE];
    id_format('t', token, id);
    return err_set(err, ERR_NOT_FOUND, "token '%s' does not exist", id);
}

int token_revoke(struct db *db, int64_t token, const char *by, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, token);
    params_text(&params, by);
    if (db_query(db, STATEMENT_TOKEN_REVOKE, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return no_such_token(token, err);
    bool is_new = result_bool(&row, 0, 0);
    return result_ok(&row, err) < 0 ? -1 : is_new;
}

static void write_token(struct strbuf *out, struct result *rows, int row, const char *text)
{
    char id[ID_TEXT_SIZE];
    id_format('t', result_i64(rows, row, 0), id);
    json_open(out, NULL, '{');
    json_text(out, "id", id);
    if (text)
        json_text(out, "token", text);
    row_text(out, "name", rows, row, 1);
    row_text(out, "role", rows, row, 2);
    row_text(out, "namespace", rows, row, 9);
    row_text(out, "state", rows, row, 3);
    row_when(out, "created_at", rows, row, 4);
    row_text(out, "created_by", rows, row, 5);
    row_when(out, "expires_at", rows, row, 6);
    row_when(out, "revoked_at", rows, row, 7);
    row_text(out, "revoked_by", rows, row, 8);
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        row_i64(out, quota_name((enum quota_kind)kind), rows, row, 10 + kind);
    json_close(out, '}');
}

// ---- making

static void add_limit(struct params *params, int64_t limit)
{
    if (limit == QUOTA_DEFAULT)
        params_null(params);
    else
        params_i64(params, limit);
}

int token_add(struct db *db, const struct token_addition *token, const char *text, struct strbuf *out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result row = RESULT_INIT;
    params_i64(&params, token->id);
    params_bytea(&params, token->digest, SHA256_SIZE);
    params_text(&params, token->name);
    params_text(&params, role_name((int)token->role));
    params_text(&params, token->by);
    if (token->lifetime_ms > 0)
        params_i64(&params, token->lifetime_ms);
    else
        params_null(&params);
    params_i64(&params, TOKENS_VALID_MAX);
    params_text(&params, token->space);
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        add_limit(&params, token->limits ? token->limits->of[kind] : QUOTA_DEFAULT);
    if (db_query(db, STATEMENT_TOKEN_ADD, &params, RESULT_BINARY, &row, err) < 0)
        return -1;
    if (result_rows(&row) == 0)
        return err_set(err, ERR_CONFLICT, "%d tokens are valid: revoke some first", TOKENS_VALID_MAX);
    write_token(out, &row, 0, text);
    return read_done(&row, out, err);
}

// ---- reading

// `token` 0: a page.
static int query(struct db *db, int64_t token, int64_t below, int64_t limit, struct result *rows, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    if (token == 0)
        params_null(&params);
    else
        params_i64(&params, token);
    params_i64(&params, below);
    params_i64(&params, limit);
    return db_query(db, STATEMENT_TOKEN_READ, &params, RESULT_BINARY, rows, err);
}

int token_read(struct db *db, int64_t token, const char *text, struct strbuf *out, struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (query(db, token, INT64_MAX, 1, &rows, err) < 0)
        return -1;
    if (result_rows(&rows) == 0)
        return no_such_token(token, err);
    write_token(out, &rows, 0, text);
    return read_done(&rows, out, err);
}

int tokens_read(struct db *db, const char *cursor, int64_t limit, struct strbuf *out, struct err *err)
{
    AUTO_RESULT struct result rows = RESULT_INIT;
    int64_t below = INT64_MAX;
    if (cursor && id_parse('t', cursor, &below) < 0)
        return err_set(err, ERR_INVALID, "cursor '%.40s' is not one of ours", cursor);
    if (query(db, 0, below, limit, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    json_open(out, NULL, '{');
    json_open(out, "tokens", '[');
    for (int row = 0; row < count; row++)
        write_token(out, &rows, row, NULL);
    json_close(out, ']');
    char next[ID_TEXT_SIZE];
    id_format('t', count > 0 ? result_i64(&rows, count - 1, 0) : 1, next);
    json_text(out, "next", count < limit ? NULL : next);
    json_close(out, '}');
    return read_done(&rows, out, err);
}

// ---- loading

static void read_entry(struct result *rows, int row, struct token_entry *out)
{
    size_t length = 0;
    const void *digest = result_bytea(rows, row, 1, &length);
    int role = role_of_token(result_text(rows, row, 3));
    *out = (struct token_entry){
        .id = result_i64(rows, row, 0),
        .first = result_i64(rows, row, 7 + QUOTA_KINDS),
        .role = role < 0 ? ROLE_NONE : (enum role)role, // of a newer schema: may do nothing here
        .revoked = result_bool(rows, row, 4),
        .expires_in_ms = result_i64_or(rows, row, 5, INT64_MAX),
    };
    for (int kind = 0; kind < QUOTA_KINDS; kind++)
        out->limits.of[kind] = result_i64_or(rows, row, 7 + kind, QUOTA_DEFAULT);
    if (length == SHA256_SIZE)
        memcpy(out->digest, digest, SHA256_SIZE);
    const char *space = result_text_or_null(rows, row, 6);
    snprintf(out->name, sizeof(out->name), "%s", result_text(rows, row, 2));
    snprintf(out->space, sizeof(out->space), "%s", space ? space : "");
}

int tokens_load(struct db *db, struct token_entry **out, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    AUTO_RESULT struct result rows = RESULT_INIT;
    params_i64(&params, TOKENS_LOAD_MAX);
    if (db_query(db, STATEMENT_TOKEN_LOAD, &params, RESULT_BINARY, &rows, err) < 0)
        return -1;
    int count = result_rows(&rows);
    AUTO_FREE struct token_entry *entries = calloc((size_t)count + 1, sizeof *entries);
    if (!entries)
        return err_set(err, ERR_NO_MEMORY, "no memory for %d tokens", count);
    for (int row = 0; row < count; row++)
        read_entry(&rows, row, &entries[row]);
    if (result_ok(&rows, err) < 0)
        return -1;
    *out = TAKE_PTR(entries);
    return count;
}
