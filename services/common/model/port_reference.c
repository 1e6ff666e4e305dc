#include "services/common/model/port_reference.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool reads_reference(const char *at, struct port_reference *out)
{
    const char *name = at + strlen("${");
    const char *end = strchr(name, '}');
    if (strncmp(name, "PORT", strlen("PORT")) != 0 || !end)
        return false;
    if (name[strlen("PORT")] != '_' && name[strlen("PORT")] != '}') // ${PORTAL}
        return false;
    *out = (struct port_reference){.start = at, .end = end + 1, .name = name, .name_length = (size_t)(end - name)};
    return true;
}

int port_reference_find(const char *text, struct port_reference *out)
{
    for (const char *at = strstr(text, "${"); at; at = strstr(at + 1, "${")) {
        if (reads_reference(at, out))
            return 1;
    }
    return 0;
}

static bool is_variable_of(const char *variable, size_t length, const char *port)
{
    if (length != strlen(port))
        return false;
    for (size_t i = 0; i < length; i++) {
        char expected = port[i] == '-' ? '_' : (char)toupper((unsigned char)port[i]);
        if (variable[i] != expected)
            return false;
    }
    return true;
}

int port_reference_resolve(const struct port_reference *reference, const char *const *names, size_t count)
{
    size_t prefix = strlen("PORT_");
    if (reference->name_length < prefix)
        return count ? 0 : -1;
    for (size_t i = 0; i < count; i++) {
        if (names[i] && is_variable_of(reference->name + prefix, reference->name_length - prefix, names[i]))
            return (int)i;
    }
    return -1;
}

int port_references_replace(const char *text, const char *const *names, const int *ports, size_t count,
                            struct strbuf *out, struct err *err)
{
    struct port_reference reference;
    while (port_reference_find(text, &reference)) {
        int port = port_reference_resolve(&reference, names, count);
        if (port < 0)
            return err_set(err, ERR_INVALID, "${%.*s} names no port", (int)MIN(reference.name_length, (size_t)80),
                           reference.name);
        strbuf_add(out, text, (size_t)(reference.start - text));
        strbuf_add_i64(out, ports[port]);
        text = reference.end;
    }
    strbuf_add_text(out, text);
    return 0;
}
