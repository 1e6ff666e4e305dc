#include "services/jobmanager/auth.h"

#include "services/common/base/sha256.h"
#include "services/jobmanager/answer.h"
#include "services/jobmanager/app.h"
#include "services/jobmanager/routes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

// Takes the same time wherever the texts differ: their hashes are compared, all digits of them.
static bool same_token(const char *expected, const char *given)
{
    char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE];
    if (sha256_hex(expected, strlen(expected), a, NULL) < 0 || sha256_hex(given, strlen(given), b, NULL) < 0)
        return false;
    unsigned difference = 0;
    for (size_t i = 0; i < SHA256_HEX_SIZE; i++)
        difference |= (unsigned)(a[i] ^ b[i]);
    return difference == 0;
}

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

static bool is_own_origin(const char *origin, const char *host)
{
    static const char scheme[] = "http://";
    size_t length = sizeof(scheme) - 1;
    return strncmp(origin, scheme, length) == 0 && strcasecmp(origin + length, host) == 0;
}

static int foreign_page_check(const struct http_request *request, struct err *err)
{
    const char *host = http_request_header(request, "Host");
    const char *origin = http_request_header(request, "Origin");
    if (host && !is_local_name(host))
        return err_set(err, ERR_FORBIDDEN, "without a token only localhost and addresses are answered, not '%.80s'",
                       host);
    if (origin && (!host || !is_own_origin(origin, host)))
        return err_set(err, ERR_FORBIDDEN, "without a token pages of '%.80s' are not answered", origin);
    return 0;
}

static int token_check(const struct http_request *request, const char *expected, struct err *err)
{
    const char *given = http_request_bearer(request);
    if (given && same_token(expected, given))
        return 0;
    return err_set(err, ERR_UNAUTHORIZED, given ? "this token is not known" : "no token was sent");
}

bool auth_check(void *context, struct http_request *request, struct http_reply *reply)
{
    const struct app *app = context;
    const char *expected = app->settings->token;
    struct err err;
    if (http_request_route(request)->role == ROLE_NONE)
        return true;
    if ((expected ? token_check(request, expected, &err) : foreign_page_check(request, &err)) == 0)
        return true;
    answer_error(request, reply, &err, NULL);
    if (err.code == ERR_UNAUTHORIZED)
        http_reply_header(reply, "WWW-Authenticate", "Bearer realm=\"curfew\"");
    return false;
}
