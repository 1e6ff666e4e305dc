// curfew-jobmanager health: asks the running one, for container health checks.
#include "services/jobmanager/commands.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/parse.h"
#include "services/common/http/client.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 3000

// With port 0 the real one is in the port file.
static int port_find(const struct settings *settings, int64_t *port, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    *port = settings->port;
    if (*port || !settings->port_file)
        return 0;
    if (file_read(settings->port_file, 64, &text, &length, err) < 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return parse_i64(text, 1, 65535, "port file", port, err);
}

// Where this machine reaches it: an address that means "all of mine" is no destination.
static int url_make(const struct settings *settings, char *out, size_t size, struct err *err)
{
    int64_t port;
    const char *address = settings->address;
    if (strncmp(address, "unix:", 5) == 0) {
        snprintf(out, size, "%s", address);
        return 0;
    }
    if (port_find(settings, &port, err) < 0)
        return -1;
    if (strcmp(address, "0.0.0.0") == 0)
        address = "127.0.0.1";
    else if (strcmp(address, "::") == 0)
        address = "::1";
    bool v6 = strchr(address, ':');
    snprintf(out, size, v6 ? "%s://[%s]:%lld" : "%s://%s:%lld", settings->tls_cert_file ? "https" : "http", address,
             (long long)port);
    return 0;
}

static int health(const struct settings *settings, struct err *err)
{
    char url[256];
    if (url_make(settings, url, sizeof(url), err) < 0)
        return -1;
    struct http_client_settings client_settings = {
        .base_url = url, .unverified = true, .connect_timeout_ms = TIMEOUT_MS, .timeout_ms = TIMEOUT_MS};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_client *client = NULL;
    if (http_client_new(&client_settings, &client, err) < 0)
        return -1;
    int outcome = http_get(client, "/livez", &response, err);
    http_client_free(client);
    if (outcome == 0 && response.status != 200)
        return err_set(err, ERR_UNAVAILABLE, "/livez answers %d", response.status);
    return outcome;
}

int command_health(const struct settings *settings)
{
    struct err err;
    if (health(settings, &err) == 0)
        return 0;
    log_event(LOG_ERROR, "not healthy", "error", err.text, NULL);
    return 1;
}
