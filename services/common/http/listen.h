// The listening socket.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

// Listens on a numeric address and port, or on "unix:/path" (mode 0600; a socket that nobody listens on is replaced).
// *port is the real port, 0 for a Unix socket; *socket_path is what to unlink at the end (free()), NULL otherwise.
// ERR_INVALID: no such form of address; ERR_UNAVAILABLE: in use, or not ours to use.
int http_listen(const char *address, uint16_t port, int *fd, uint16_t *real_port, char **socket_path,
                struct err *err) WARN_UNUSED;
