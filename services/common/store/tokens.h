// Tokens in the database: made, revoked, listed, and loaded by the managers that check them.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/sha256.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/namespace.h"
#include "services/common/model/quota.h"
#include "services/common/model/role.h"
#include "services/common/model/token_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

#define TOKENS_VALID_MAX 1000 // at a time
#define TOKENS_LOAD_MAX 2000  // with those that have ended

#define QUOTA_DEFAULT (-1) // a limit of a token that has none of its own: what the manager's settings say

struct token_addition {
    int64_t id; // of id_new()
    const unsigned char *digest;
    const char *name; // as token_name_is_valid() has it
    enum role role;
    const char *space;          // the only namespace that it sees; NULL: all
    const char *by;             // NULL: nobody needed a token
    int64_t lifetime_ms;        // 0: it does not expire
    const struct quota *limits; // NULL: none of its own; see QUOTA_DEFAULT
};

// Writes it as JSON with its `text`, as it is then: nothing has to be read that may be away by now. ERR_CONFLICT when
// TOKENS_VALID_MAX are valid.
int token_add(struct db *db, const struct token_addition *token, const char *text, struct strbuf *out,
              struct err *err) WARN_UNUSED;
// 1: it was revoked now; 0: it had been. ERR_NOT_FOUND.
int token_revoke(struct db *db, int64_t token, const char *by, struct err *err) WARN_UNUSED;

// One token as JSON; `text`, when it is not NULL, goes along: only for who has just made it. ERR_NOT_FOUND.
int token_read(struct db *db, int64_t token, const char *text, struct strbuf *out, struct err *err) WARN_UNUSED;
// {"tokens": [...], "next": "t..."|null}, newest first. ERR_INVALID: `cursor` (NULL: from the start) is not one of
// ours.
int tokens_read(struct db *db, const char *cursor, int64_t limit, struct strbuf *out, struct err *err) WARN_UNUSED;

struct token_entry {
    int64_t id;
    int64_t first; // token of its name and namespace: what has limits, whichever token it uses
    unsigned char digest[SHA256_SIZE];
    char name[TOKEN_NAME_SIZE];
    enum role role;
    char space[NAMESPACE_SIZE]; // the only namespace that it sees; "": all
    struct quota limits;        // see QUOTA_DEFAULT
    bool revoked;
    int64_t expires_in_ms; // from when it was loaded; INT64_MAX: never
};
// Valid ones first, TOKENS_LOAD_MAX at most; *out is the caller's to free. Returns how many.
int tokens_load(struct db *db, struct token_entry **out, struct err *err) WARN_UNUSED;
