// What a container engine is asked to create: a container of ours, with everything that it may not do.
#pragma once

#include "services/common/base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENGINE_NAME_SIZE 320 // of a container or network, with NUL

struct engine_create_port {
    const char *name;
    int container;
};

// Strings are UTF-8; a NULL label is left out.
struct engine_create {
    const char *image;
    const char *const *argv; // takes the place of the image's entrypoint; empty: the image's own
    const char *const *env;  // "NAME=value", ended by NULL
    const char *directory;   // working directory
    bool has_stdin;          // open until the first client that attaches closes it
    // labels
    const char *deployment, *job, *identity, *worker, *owner;
    const char *service, *epoch; // NULL: it is a task
    const char *output;          // path of the file that is copied out at its end; NULL: none
    // network
    const char *network, *alias;
    const char *publish_address; // of this machine, where ports are published
    const struct engine_create_port *ports;
    size_t port_count;
    // the end
    const char *stop_signal;
    int64_t stop_grace_ms;
    // limits; 0: none
    int64_t memory_bytes, cpu_millis, open_files;
    int64_t processes; // 0: the default of ours
};

// Appends the body of POST /containers/create.
void engine_create_write(const struct engine_create *create, struct strbuf *out);
// Appends the body of POST /networks/create.
void engine_network_write(const char *name, const char *deployment, const char *job, struct strbuf *out);

// "curfew-DEPLOYMENT-" and the identity with '.' for '/': the same whoever creates it, and never two of the same.
void engine_container_name(const char *deployment, const char *identity, char out[static ENGINE_NAME_SIZE]);
void engine_network_name(const char *deployment, const char *job, char out[static ENGINE_NAME_SIZE]);
