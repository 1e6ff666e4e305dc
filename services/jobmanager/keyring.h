// The tokens that this manager knows: those of the database, read again every second, and the one of its settings.
//
// Promises: a check waits for nothing but a lock that is held for the length of a look-up, whatever the database does.
// A token that was made or revoked elsewhere counts here within two seconds. While the database does not answer, what
// was read last holds for KEYRING_STALE_MS; then nobody is let in or sent away by it (KEY_UNCHECKED) but the owner of
// the token of the settings, because a revocation would not be seen. Does not: log more than when it loses and finds
// the database; look at requests.
#pragma once

#include "services/common/base/err.h"
#include "services/common/model/namespace.h"
#include "services/common/model/quota.h"
#include "services/common/model/role.h"
#include "services/common/model/token_text.h"

#include <stdbool.h>
#include <stdint.h>

#define KEYRING_REFRESH_MS 1000
#define KEYRING_STALE_MS 10000

struct db;
struct keyring;

struct keyring_settings {
    const char *database_url;
    const char *token;   // an admin's, from the settings; NULL: none
    bool required;       // also when there is no token yet
    struct quota limits; // of tokens that have none of their own
    // 0: as above; for tests
    int64_t refresh_ms, stale_ms;
};

enum key_verdict {
    KEY_GOOD,
    KEY_UNKNOWN,
    KEY_EXPIRED,
    KEY_REVOKED,
    KEY_UNCHECKED, // the database has not answered for too long
};

struct key {
    int64_t id;    // 0: the token of the settings
    int64_t first; // token of its name and namespace
    char name[TOKEN_NAME_SIZE];
    enum role role;
    char space[NAMESPACE_SIZE]; // the only namespace that it sees; "": all
};
#define KEY_OF_SETTINGS "token-file" // its name

// Reads the tokens once and starts the thread that reads them again.
int keyring_start(const struct keyring_settings *settings, struct keyring **out, struct err *err) WARN_UNUSED;
void keyring_stop(struct keyring *keyring); // takes NULL

// Whether calls need a token: always when the settings say so, and as soon as there has ever been one. Never goes back.
bool keyring_required(const struct keyring *keyring);
// Whether a valid token of role admin is known, the one of the settings included.
bool keyring_has_admin(struct keyring *keyring);
// Any thread. *out is filled unless the token is unknown or unchecked; ERR_INTERNAL when it cannot be hashed.
int keyring_check(struct keyring *keyring, const char *token, struct key *out, struct err *err) WARN_UNUSED;
// Whether the token that let a request in is still valid, for replies that go on for long: as key.id; true for 0.
bool keyring_holds(struct keyring *keyring, int64_t id);
// Whether this token has limits, and which; as key.id. Costs nothing where no token has any.
bool keyring_limits(struct keyring *keyring, int64_t id, struct quota *out);
// Reads the tokens now, with a connection of the caller's: after it has made or revoked one.
int keyring_refresh(struct keyring *keyring, struct db *db, struct err *err) WARN_UNUSED;
