#include "services/common/model/role.h"

#include "services/common/base/macros.h"

#include <string.h>

#define BIT(role) (1U << (role))
#define OPEN (BIT(ROLE_NONE) | BIT(ROLE_ANY))

// A call that asks for a role which is in no other row is for that role alone: what is not granted here is denied.
static const struct {
    const char *name;
    unsigned may; // a bit per role that a call may ask for
} roles[ROLE_COUNT] = {
    [ROLE_NONE] = {"none", BIT(ROLE_NONE)},
    [ROLE_ANY] = {"any", 0},
    [ROLE_VIEWER] = {"viewer", OPEN | BIT(ROLE_VIEWER)},
    [ROLE_SUBMITTER] = {"submitter", OPEN | BIT(ROLE_VIEWER) | BIT(ROLE_SUBMITTER)},
    [ROLE_WORKER] = {"worker", OPEN | BIT(ROLE_WORKER)},
    [ROLE_ADMIN] = {"admin", OPEN | BIT(ROLE_VIEWER) | BIT(ROLE_SUBMITTER) | BIT(ROLE_WORKER) | BIT(ROLE_ADMIN)},
};

static bool is_role(int role)
{
    return role >= 0 && role < ROLE_COUNT;
}

const char *role_name(int role)
{
    return is_role(role) ? roles[role].name : "?";
}

int role_of_token(const char *text)
{
    for (int role = ROLE_VIEWER; role < ROLE_COUNT; role++)
        if (strcmp(roles[role].name, text) == 0)
            return role;
    return -1;
}

bool role_may(enum role has, enum role needs)
{
    return is_role((int)has) && is_role((int)needs) && (roles[has].may & BIT(needs));
}

void role_list(enum role needs, struct strbuf *out)
{
    size_t left = 0;
    for (int role = ROLE_VIEWER; role < ROLE_COUNT; role++)
        left += role_may((enum role)role, needs);
    for (int role = ROLE_VIEWER; role < ROLE_COUNT; role++) {
        if (!role_may((enum role)role, needs))
            continue;
        strbuf_add_text(out, roles[role].name);
        left--;
        strbuf_add_text(out, left > 1 ? ", " : left == 1 ? " or " : "");
    }
}
