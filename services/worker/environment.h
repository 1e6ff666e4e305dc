// The environment of a task or service: what Curfew says, what the spec says, and secrets from the worker's directory.
//
// Names are unique; setting one again replaces its value. Out of memory shows in environment_list().
#pragma once

#include "services/common/base/cleanup.h"
#include "services/common/base/err.h"
#include "services/worker/orders.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct environment;

// Begins with PATH and LANG, the worker's own where it has them; or with nothing, for what has a file system of its
// own.
int environment_new(bool inherits, struct environment **out, struct err *err) WARN_UNUSED;
void environment_free(struct environment *environment); // wipes the values; takes NULL
DEFINE_CLEANUP(struct environment *, environment_free);
#define AUTO_ENVIRONMENT CLEANUP(cleanup_environment_free)

void environment_set(struct environment *environment, const char *name, const char *value);
void environment_set_i64(struct environment *environment, const char *name, int64_t value);
// HOME and TMPDIR, unless the spec has its own.
void environment_set_directory(struct environment *environment, const struct run_spec *run, const char *directory);
// CURFEW_SERVICE_<NAME>_HOST, _PORT (the first port), _ADDR (host:port) and _PORT_<PORT> for each port.
void environment_add_services(struct environment *environment, const struct service_address *services, size_t count);
// The spec's variables as they stand. Afterwards its secrets: the files of these names in `secrets_directory` (may be
// NULL), without a newline at the end. ERR_NOT_FOUND: there is no such secret here; ERR_INVALID: it cannot be a
// variable.
void environment_add_variables(struct environment *environment, const struct text_pairs *variables);
int environment_add_secrets(struct environment *environment, const struct text_list *names,
                            const char *secrets_directory, struct err *err) WARN_UNUSED;

// "NAME=value", ..., NULL; valid until the next change.
int environment_list(struct environment *environment, const char *const **out, struct err *err) WARN_UNUSED;
