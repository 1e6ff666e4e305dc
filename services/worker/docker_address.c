#include "services/worker/docker_address.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define UNIX "unix:"
#define HTTP "http://"

static int read_path(const char *path, struct docker_address *out, struct err *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    path += strncmp(path, "///", 3) == 0 ? 2 : 0; // as Docker writes it
    if (*path != '/' || strlen(path) >= sizeof name.sun_path)
        return err_set(err, ERR_INVALID, "engine: '%.100s' is no absolute path of a socket (107 bytes at most)", path);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    snprintf(out->url, sizeof out->url, UNIX "%s", path);
    memcpy(&out->socket, &name, sizeof name);
    out->socket_length = sizeof name;
    return 0;
}

// HOST:PORT, or [ADDRESS]:PORT
static int read_host(const char *text, struct docker_address *out, struct err *err)
{
    char host[DOCKER_URL_SIZE];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    snprintf(host, sizeof host, "%s", text);
    host[strcspn(host, "/")] = '\0';
    char *port = strrchr(host, ':');
    if (!port || strlen(text) >= sizeof out->url - sizeof HTTP)
        return err_set(err, ERR_INVALID, "engine: 'http://%.100s' is not http://HOST:PORT", text);
    *port++ = '\0';
    size_t length = strlen(host);
    size_t bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    host[length - bracketed] = '\0';
    int failed = getaddrinfo(host + bracketed, port, &hints, &found);
    if (failed)
        return err_set(err, ERR_INVALID, "engine: %.100s: %s", host, gai_strerror(failed));
    snprintf(out->url, sizeof out->url, HTTP "%s", text);
    out->url[sizeof HTTP - 1 + strcspn(text, "/")] = '\0';
    memcpy(&out->socket, found->ai_addr, found->ai_addrlen);
    out->socket_length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int docker_address_read(const char *url, struct docker_address *out, struct err *err)
{
    *out = (struct docker_address){0};
    if (strncmp(url, UNIX, strlen(UNIX)) == 0)
        return read_path(url + strlen(UNIX), out, err);
    if (strncmp(url, HTTP, strlen(HTTP)) == 0)
        return read_host(url + strlen(HTTP), out, err);
    return err_set(err, ERR_INVALID, "engine: '%.100s' begins with neither unix: nor http://", url);
}
