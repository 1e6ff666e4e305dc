#include "services/common/db/sqlstate.h"

#include "services/common/base/macros.h"

#include <string.h>

enum sqlstate_trait {
    TRAIT_NONE,
    TRAIT_RETRYABLE,
    TRAIT_CONNECTION_LOST,
    TRAIT_STALE_SESSION,
};

struct sqlstate_meaning {
    const char *prefix; // five characters are a state, two a class
    enum err_code code;
    enum sqlstate_trait trait;
};

// The first match counts: states before their class.
static const struct sqlstate_meaning meanings[] = {
    {"08", ERR_UNAVAILABLE, TRAIT_CONNECTION_LOST},    // connection exception
    {"0A000", ERR_UNAVAILABLE, TRAIT_STALE_SESSION},   // cached plan must not change result type
    {"22", ERR_INVALID, TRAIT_NONE},                   // data exception: bad encoding, out of range
    {"23505", ERR_CONFLICT, TRAIT_NONE},               // unique violation
    {"23P01", ERR_CONFLICT, TRAIT_NONE},               // exclusion violation
    {"25006", ERR_UNAVAILABLE, TRAIT_CONNECTION_LOST}, // read-only: the primary is elsewhere now
    {"25P03", ERR_UNAVAILABLE, TRAIT_CONNECTION_LOST}, // idle in transaction for too long
    {"25P04", ERR_TIMEOUT, TRAIT_CONNECTION_LOST},     // transaction timeout
    {"26000", ERR_UNAVAILABLE, TRAIT_STALE_SESSION},   // prepared statement does not exist
    {"28", ERR_UNAVAILABLE, TRAIT_NONE},               // our credentials, not those of who asks us
    {"3D000", ERR_UNAVAILABLE, TRAIT_NONE},            // the database does not exist (yet)
    {"40001", ERR_UNAVAILABLE, TRAIT_RETRYABLE},       // serialization failure
    {"40P01", ERR_UNAVAILABLE, TRAIT_RETRYABLE},       // deadlock
    {"53", ERR_UNAVAILABLE, TRAIT_NONE},               // disk full, out of memory, too many connections
    {"54", ERR_TOO_LARGE, TRAIT_NONE},                 // program limit exceeded
    {"55P03", ERR_UNAVAILABLE, TRAIT_NONE},            // lock timeout
    {"57014", ERR_TIMEOUT, TRAIT_NONE},                // statement timeout, cancel
    {"57P", ERR_UNAVAILABLE, TRAIT_CONNECTION_LOST},   // shutdown, crash, starting up, database dropped, idle session
    {"58", ERR_UNAVAILABLE, TRAIT_NONE},               // I/O error of the server
};

static const struct sqlstate_meaning *find(const char *sqlstate)
{
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
        if (strncmp(sqlstate, meanings[i].prefix, strlen(meanings[i].prefix)) == 0)
            return &meanings[i];
    return NULL;
}

static bool has_trait(const char *sqlstate, enum sqlstate_trait trait)
{
    const struct sqlstate_meaning *meaning = find(sqlstate);
    return meaning && meaning->trait == trait;
}

enum err_code sqlstate_code(const char *sqlstate)
{
    const struct sqlstate_meaning *meaning = find(sqlstate);
    return meaning ? meaning->code : ERR_INTERNAL;
}

bool sqlstate_is_retryable(const char *sqlstate)
{
    return has_trait(sqlstate, TRAIT_RETRYABLE);
}

bool sqlstate_is_connection_lost(const char *sqlstate)
{
    return has_trait(sqlstate, TRAIT_CONNECTION_LOST);
}

bool sqlstate_is_stale_session(const char *sqlstate)
{
    return has_trait(sqlstate, TRAIT_STALE_SESSION);
}

bool sqlstate_is_unique_violation(const char *sqlstate)
{
    return strcmp(sqlstate, "23505") == 0;
}
