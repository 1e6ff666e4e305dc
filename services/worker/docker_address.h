// Where a container engine listens: "unix:/run/docker.sock", "unix:///run/docker.sock" or "http://HOST:PORT".
#pragma once

#include "services/common/base/err.h"

#include <sys/socket.h>

#define DOCKER_URL_SIZE 256

struct docker_address {
    char url[DOCKER_URL_SIZE]; // as http/client.h takes it
    struct sockaddr_storage socket;
    socklen_t socket_length;
};

// Blocks while a name is resolved: for the start of a program. ERR_INVALID: it is no such URL, or the name is not
// known.
int docker_address_read(const char *url, struct docker_address *out, struct err *err) WARN_UNUSED;
