#include "services/jobmanager/auth.h"

#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/role.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/api/handlers.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/keyring.h"
#include "services/jobmanager/rates.h"
#include "services/jobmanager/refusals.h"
#include "services/jobmanager/space.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// Without a token this machine is trusted, but not the web pages that a browser on it shows: they can send requests
// here under a name of theirs, or from an origin of theirs.

static bool is_local_name(const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;
    char name[64];
    bool brackets = *host == '[';
    size_t length = brackets ? strcspn(host + 1, "]") : strcspn(host, ":");
    if (length >= sizeof(name))
        return false;
    memcpy(name, host + brackets, length);
    name[length] = '\0';
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &v4) == 1 ||
           inet_pton(AF_INET6, name, &v6) == 1;
}

static bool is_own_origin(const struct app *app, const char *origin, const char *host)
{
    const char *scheme = app->settings->tls_cert_file ? "https://" : "http://";
    size_t length = strlen(scheme);
    return strncmp(origin, scheme, length) == 0 && strcasecmp(origin + length, host) == 0;
}

static int foreign_page_check(const struct app *app, const struct http_request *request, struct err *err)
{
    const char *host = http_request_header(request, "Host");
    const char *origin = http_request_header(request, "Origin");
    if (host && !is_local_name(host))
        return err_set(err, ERR_FORBIDDEN, "without a token only localhost and addresses are answered, not '%.80s'",
                       host);
    if (origin && (!host || !is_own_origin(app, origin, host)))
        return err_set(err, ERR_FORBIDDEN, "without a token pages of '%.80s' are not answered", origin);
    return 0;
}

// ---- tokens

static int refused(enum key_verdict verdict, enum refusal *refusal, struct err *err)
{
    switch (verdict) {
    case KEY_GOOD:
        return 0;
    case KEY_UNKNOWN:
        *refusal = REFUSAL_UNKNOWN;
        return err_set(err, ERR_UNAUTHORIZED, "this token is not known");
    case KEY_EXPIRED:
        *refusal = REFUSAL_EXPIRED;
        return err_set(err, ERR_UNAUTHORIZED, "this token has expired");
    case KEY_REVOKED:
        *refusal = REFUSAL_REVOKED;
        return err_set(err, ERR_UNAUTHORIZED, "this token was revoked");
    case KEY_UNCHECKED:
        *refusal = REFUSAL_UNCHECKED;
        return err_set(err, ERR_UNAVAILABLE, "tokens cannot be checked: the database does not answer");
    }
    return err_set(err, ERR_INTERNAL, "a token of no kind");
}

static int role_check(const struct key *key, enum role needs, enum refusal *refusal, struct err *err)
{
    AUTO_STRBUF struct strbuf roles = STRBUF_INIT;
    if (role_may(key->role, needs))
        return 0;
    *refusal = REFUSAL_FORBIDDEN;
    role_list(needs, &roles);
    return err_set(err, ERR_FORBIDDEN, "this call needs a token of role %s, and token '%s' is of role %s",
                   strbuf_text(&roles), key->name, role_name((int)key->role));
}

// Not being told the namespace of a token must not make it one of all.
static int space_enter(const struct key *key, struct http_request *request, enum refusal *refusal, struct err *err)
{
    if (!*key->space)
        return 0;
    *refusal = REFUSAL_FORBIDDEN;
    if (space_has_route(http_request_route(request)))
        return http_request_set_scope(request, key->space, err);
    return err_set(err, ERR_FORBIDDEN,
                   "this call is not about jobs of a namespace, and token '%s' is of namespace '%s'", key->name,
                   key->space);
}

// The token of the settings is the operator's own.
static int rate_check(const struct app *app, const struct key *key, const struct http_request *request,
                      enum refusal *refusal, struct err *err)
{
    if (http_request_route(request)->handler != jobs_submit || key->id == 0 ||
        rates_take(app->rates, key->first, clock_boot_us()) == 0)
        return 0;
    *refusal = REFUSAL_LIMITED;
    return err_set(err, ERR_LIMIT, "token '%s' may submit %lld jobs a second at this manager (submit-rate)", key->name,
                   (long long)app->settings->submit_rate);
}

static int token_check(struct app *app, struct http_request *request, enum role needs, enum refusal *refusal,
                       struct err *err)
{
    struct key key = {0};
    const char *given = http_request_bearer(request);
    *refusal = REFUSAL_MISSING;
    if (!given)
        return err_set(err, ERR_UNAUTHORIZED, "no token was sent");
    int verdict = keyring_check(app->keyring, given, &key, err);
    if (verdict >= 0 && *key.name)
        http_request_set_principal(request, key.name, key.id, (int)key.role);
    if (verdict < 0 || refused((enum key_verdict)verdict, refusal, err) < 0)
        return -1;
    if (role_check(&key, needs, refusal, err) < 0)
        return -1;
    if (space_enter(&key, request, refusal, err) < 0)
        return -1;
    return rate_check(app, &key, request, refusal, err);
}

bool auth_check(void *context, struct http_request *request, struct http_reply *reply)
{
    struct app *app = context;
    enum role needs = (enum role)http_request_route(request)->role;
    enum refusal refusal = REFUSAL_FOREIGN;
    struct err err;
    if (needs == ROLE_NONE)
        return true;
    int outcome = keyring_required(app->keyring) ? token_check(app, request, needs, &refusal, &err)
                                                 : foreign_page_check(app, request, &err);
    if (outcome == 0)
        return true;
    refusals_note(app->refusals, refusal, request);
    answer_error(request, reply, &err, NULL);
    if (err.code == ERR_FORBIDDEN && refusal == REFUSAL_FORBIDDEN) {
        char challenge[96];
        snprintf(challenge, sizeof(challenge), "Bearer realm=\"curfew\", error=\"insufficient_scope\", scope=\"%s\"",
                 role_name((int)needs));
        http_reply_header(reply, "WWW-Authenticate", challenge);
    }
    return false;
}

int auth_still(const struct app *app, const struct http_request *request, struct err *err)
{
    if (keyring_holds(app->keyring, http_request_principal_id(request)))
        return 0;
    return err_set(err, ERR_UNAUTHORIZED, "the token of this request is not valid any more");
}
