// Who may do what: the roles of tokens, and what each of them includes.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>

// What a call asks for. A token has one of the last four.
enum role {
    ROLE_NONE, // no token needed
    ROLE_ANY,  // a token, whatever its role
    ROLE_VIEWER,
    ROLE_SUBMITTER, // and what a viewer may
    ROLE_WORKER,    // only what workers do
    ROLE_ADMIN,     // everything
};
#define ROLE_COUNT ((int)ROLE_ADMIN + 1)

const char *role_name(int role); // "none", "any", "viewer", ...; "?" when it is none
// The role of a token; -1 when the text names none.
int role_of_token(const char *text);
// Whether a token of role `has` may make a call that asks for `needs`.
bool role_may(enum role has, enum role needs);
// Appends the roles that may make a call that asks for `needs`: "viewer, submitter or admin".
void role_list(enum role needs, struct strbuf *out);
