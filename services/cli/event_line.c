#include "services/cli/event_line.h"

#include "services/cli/api.h"
#include "services/cli/print.h"

#include <json-c/json.h>
#include <string.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"
#define TIME_AT 11 // of "2026-01-31T12:00:00.000000Z"
#define TIME_LENGTH 8

static const char *color_of(const char *kind, const char *outcome)
{
    static const char *const bad[] = {"failed", "stuck", "lost", "unhealthy"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (strstr(kind, bad[i]))
            return RED;
    if (*outcome)
        return strcmp(outcome, "succeeded") == 0 ? GREEN : RED;
    return strstr(kind, "verified") || strstr(kind, "closed") ? GREEN : "";
}

// Why a job has ended as it has.
static void add_reason(struct strbuf *out, struct json_object *data)
{
    const char *message = api_text(api_member(data, "reason"), "message");
    if (!*message)
        return;
    strbuf_add_text(out, "  reason=");
    print_clean(out, message);
}

static void add_members(struct strbuf *out, struct json_object *data)
{
    json_object_object_foreach(data, name, value)
    {
        if (!value || json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
            continue;
        strbuf_add_format(out, "  %s=", name);
        print_clean(out, json_object_get_string(value));
    }
    add_reason(out, data);
}

void event_line(struct strbuf *out, struct json_object *event, bool color)
{
    const char *kind = api_text(event, "kind"), *at = api_text(event, "at");
    struct json_object *data = api_member(event, "data");
    const char *start = color ? color_of(kind, api_text(data, "outcome")) : "";
    if (strlen(at) >= TIME_AT + TIME_LENGTH)
        strbuf_add(out, at + TIME_AT, TIME_LENGTH);
    else
        strbuf_add_text(out, at);
    strbuf_add_format(out, "  %s", start);
    print_clean(out, kind);
    strbuf_add_text(out, *start ? PLAIN : "");
    if (json_object_is_type(data, json_type_object))
        add_members(out, data);
    strbuf_add_char(out, '\n');
}
