// The programs' log. A line is built in memory and leaves in one write(); what cannot be written is dropped, because a
// log must never stop the program that writes it.
#include "services/common/base/log.h"

#include "services/common/base/clock.h"
#include "services/common/base/strbuf.h"
#include "services/common/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A value longer than this is cut: lines up to PIPE_BUF bytes do not mix with those of other processes on one pipe.
#define LONGEST_VALUE_BYTES 1000

static const char *log_program = "curfew";
static enum log_level log_threshold = LOG_INFO;
static enum log_format log_style = LOG_KEY_VALUE;

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

void log_init(const char *program, enum log_level level, enum log_format format)
{
    log_program = program;
    log_threshold = level;
    log_style = format;
}

int log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

struct log_number log_number(long long value)
{
    struct log_number number;
    snprintf(number.text, sizeof number.text, "%lld", value);
    return number;
}

// A JSON string literal of any bytes: those that are not UTF-8 become U+FFFD, and what is too long is cut.
static void add_quoted(struct strbuf *line, const char *value)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
    size_t length = strnlen(value, LONGEST_VALUE_BYTES + 1);
    size_t shown = MIN(length, (size_t)LONGEST_VALUE_BYTES);
    for (size_t at = 0; at < shown;) {
        size_t sequence = utf8_sequence((const unsigned char *)value + at, length - at);
        if (sequence > 0)
            strbuf_add(&clean, value + at, sequence);
        else
            strbuf_add_text(&clean, "\xEF\xBF\xBD");
        at += MAX(sequence, (size_t)1);
    }
    if (length > shown)
        strbuf_add_text(&clean, "...");
    line->failed = line->failed || clean.failed;
    strbuf_add_json(line, strbuf_text(&clean), clean.length);
}

// Whether a value can stand bare in key=value: printable ASCII without what would end it.
static bool is_bare(const char *value)
{
    size_t length = strnlen(value, LONGEST_VALUE_BYTES + 1);
    if (length == 0 || length > LONGEST_VALUE_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (value[i] <= ' ' || value[i] > '~' || value[i] == '"' || value[i] == '=' || value[i] == '\\')
            return false;
    return true;
}

static void add_pair(struct strbuf *line, const char *key, const char *value)
{
    const char *text = value ? value : "";
    if (log_style == LOG_JSON) {
        strbuf_add_char(line, line->length == 0 ? '{' : ',');
        add_quoted(line, key);
        strbuf_add_char(line, ':');
        add_quoted(line, text);
        return;
    }
    if (line->length > 0)
        strbuf_add_char(line, ' ');
    strbuf_add_text(line, key);
    strbuf_add_char(line, '=');
    if (is_bare(text))
        strbuf_add_text(line, text);
    else
        add_quoted(line, text);
}

static void write_line(const char *text, size_t length)
{
    ssize_t written = 0;
    do {
        written = write(STDERR_FILENO, text, length);
    } while (written < 0 && errno == EINTR);
}

// What is known without memory: the event, and that there was more.
static void write_short_line(const char *now, enum log_level level, const char *event)
{
    char line[512], shown[256];
    snprintf(shown, sizeof shown, "%s", event);
    for (char *c = shown; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            *c = '?';
    if (log_style == LOG_JSON)
        snprintf(line, sizeof line,
                 "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"event\":\"%s\",\"lost\":\"no memory for the "
                 "rest\"}\n",
                 now, level_names[level], log_program, shown);
    else
        snprintf(line, sizeof line, "time=%s level=%s program=%s event=\"%s\" lost=\"no memory for the rest\"\n", now,
                 level_names[level], log_program, shown);
    write_line(line, strlen(line));
}

void log_event(enum log_level level, const char *event, ...)
{
    if (level > log_threshold)
        return;
    int kept = errno;
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_us(), now);
    add_pair(&line, "time", now);
    add_pair(&line, "level", level_names[level]);
    add_pair(&line, "program", log_program);
    add_pair(&line, "event", event);
    va_list pairs;
    va_start(pairs, event);
    for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *))
        add_pair(&line, key, va_arg(pairs, const char *));
    va_end(pairs);
    strbuf_add_text(&line, log_style == LOG_JSON ? "}\n" : "\n");
    if (line.failed)
        write_short_line(now, level, event);
    else
        write_line(line.data, line.length);
    errno = kept;
}

int log_setup(const char *program, const char *level, const char *format, struct err *err)
{
    enum log_level parsed = LOG_INFO;
    if (log_level_parse(level, &parsed) < 0)
        return err_set(err, ERR_INVALID, "setting log-level: '%.40s' is not error, warn, info or debug", level);
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0)
        return err_set(err, ERR_INVALID, "setting log-format: '%.40s' is not text or json", format);
    log_init(program, parsed, json ? LOG_JSON : LOG_KEY_VALUE);
    return 0;
}
