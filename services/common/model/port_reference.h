// ${PORT} and ${PORT_NAME} in the commands and environments of services: which port each means, and putting it in.
//
// ${PORT} is the first port that the service declares, ${PORT_MAIN} the one named "main" (upper case, '-' as '_').
// Anything else with a dollar sign stays as it is: commands are not shell strings.
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct port_reference {
    const char *start; // the '$'
    const char *end;   // behind the '}'
    const char *name;  // of the variable, such as "PORT_MAIN"; not ended by a NUL
    size_t name_length;
};

// Finds the first reference at or behind `text`. 1: *out is it; 0: there is none.
int port_reference_find(const char *text, struct port_reference *out);
// The place in `names` of the port that is meant; -1 when there is no such port.
int port_reference_resolve(const struct port_reference *reference, const char *const *names, size_t count);
// Appends `text` with its references replaced: ports[i] is the number of the port names[i]. ERR_INVALID: there is no
// such port.
int port_references_replace(const char *text, const char *const *names, const int *ports, size_t count,
                            struct strbuf *out, struct err *err) WARN_UNUSED;
