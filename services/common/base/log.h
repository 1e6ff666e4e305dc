// The programs' log: one line per event on stderr, `key=value` or JSON. Only programs log, libraries return errors.
// Thread-safe: a line is one write().
#pragma once

#include "services/common/base/err.h"
#include "services/common/base/macros.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_KEY_VALUE, LOG_JSON };

// Call once before threads start. `program` must stay valid.
void log_init(const char *program, enum log_level level, enum log_format format);
// log_init() with settings as users write them: level as below, format "text" or "json". ERR_INVALID names the setting.
int log_setup(const char *program, const char *level, const char *format, struct err *err) WARN_UNUSED;
int log_level_parse(const char *text, enum log_level *out); // "error" "warn" "info" "debug"; -1 when it is none

// Keys and values follow as pairs of strings, ended by NULL: log_event(LOG_INFO, "job submitted", "job", id, NULL).
// Values are escaped. Use LOG_NUMBER(n) for integers.
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

struct log_number {
    char text[24];
};
struct log_number log_number(long long value);
#define LOG_NUMBER(value) (log_number((long long)(value)).text)
