// A manager that has bundles and nothing else, on threads of its own.
#pragma once

#include <stdint.h>

struct bundle_server;

struct bundle_server *bundle_server_start(void);
void bundle_server_stop(struct bundle_server *server);
const char *bundle_server_url(const struct bundle_server *server);
// Serves the file's content. Returns its name, "sha256:...", valid until the server stops; at most 8 of them.
const char *bundle_server_add(struct bundle_server *server, const char *path);
// From now on the content that is served is another one than the name says.
void bundle_server_corrupt(struct bundle_server *server);
// The next requests get this status instead, so many times.
void bundle_server_refuse(struct bundle_server *server, int status, int times);
int bundle_server_requests(const struct bundle_server *server); // so far
