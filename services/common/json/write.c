#include "services/common/json/write.h"

#include "services/common/base/clock.h"

#include <string.h>

// A value follows another one unless it is the first of its object, array or document.
static void separate(struct strbuf *out)
{
    if (out->length > 0 && !strchr("{[:\n", out->data[out->length - 1]))
        strbuf_add_char(out, ',');
}

static void begin(struct strbuf *out, const char *key)
{
    separate(out);
    if (!key)
        return;
    strbuf_add_char(out, '"');
    strbuf_add_text(out, key);
    strbuf_add(out, "\":", 2);
}

void json_open(struct strbuf *out, const char *key, char bracket)
{
    begin(out, key);
    strbuf_add_char(out, bracket);
}

void json_close(struct strbuf *out, char bracket)
{
    strbuf_add_char(out, bracket);
}

void json_text(struct strbuf *out, const char *key, const char *text)
{
    if (text)
        json_text_n(out, key, text, strlen(text));
    else
        json_null(out, key);
}

void json_text_n(struct strbuf *out, const char *key, const char *text, size_t length)
{
    begin(out, key);
    strbuf_add_json(out, text, length);
}

void json_i64(struct strbuf *out, const char *key, int64_t value)
{
    begin(out, key);
    strbuf_add_i64(out, value);
}

void json_bool(struct strbuf *out, const char *key, bool value)
{
    json_raw(out, key, value ? "true" : "false");
}

void json_null(struct strbuf *out, const char *key)
{
    json_raw(out, key, NULL);
}

void json_raw(struct strbuf *out, const char *key, const char *json)
{
    begin(out, key);
    strbuf_add_text(out, json ? json : "null");
}

void json_time(struct strbuf *out, const char *key, int64_t wall_us)
{
    char text[CLOCK_TEXT_SIZE];
    if (wall_us == 0) {
        json_null(out, key);
        return;
    }
    clock_format(wall_us, text);
    json_text(out, key, text);
}
