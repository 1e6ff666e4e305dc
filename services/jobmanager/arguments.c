#include "services/jobmanager/arguments.h"

#include "services/common/base/id.h"
#include "services/common/base/parse.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int path_job(const struct http_request *request, int64_t *out, struct err *err)
{
    const char *id = http_request_param(request, "id");
    if (id_parse('j', id, out) < 0)
        return err_set(err, ERR_NOT_FOUND, "job '%.40s' does not exist", id);
    return 0;
}

int path_token(const struct http_request *request, int64_t *out, struct err *err)
{
    const char *id = http_request_param(request, "id");
    if (id_parse('t', id, out) < 0)
        return err_set(err, ERR_NOT_FOUND, "token '%.40s' does not exist", id);
    return 0;
}

int path_worker(const struct http_request *request, int64_t *out, struct err *err)
{
    const char *id = http_request_param(request, "id");
    if (parse_i64(id, 1, INT64_MAX, "worker", out, NULL) < 0)
        return err_set(err, ERR_NOT_FOUND, "worker '%.40s' does not exist", id);
    return 0;
}

int query_i64(const struct http_request *request, const char *name, int64_t min, int64_t max, int64_t *out,
              struct err *err)
{
    const char *text = http_request_query(request, name);
    return text ? parse_i64(text, min, max, name, out, err) : 0;
}

int query_duration_ms(const struct http_request *request, const char *name, int64_t max_ms, int64_t *out,
                      struct err *err)
{
    const char *text = http_request_query(request, name);
    int64_t value;
    if (!text)
        return 0;
    if (parse_duration_ms(text, name, &value, err) < 0)
        return -1;
    if (value > max_ms) {
        char most[PARSE_DURATION_TEXT_SIZE];
        duration_format(max_ms, most);
        return err_set(err, ERR_INVALID, "%s must be at most %s", name, most);
    }
    *out = value;
    return 0;
}

int query_boolean(const struct http_request *request, const char *name, bool *out, struct err *err)
{
    const char *text = http_request_query(request, name);
    if (!text)
        return 0;
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return err_set(err, ERR_INVALID, "%s must be true or false, not '%.40s'", name, text);
    *out = yes;
    return 0;
}

// ".123456" as microseconds; the number of characters, or -1.
static int fraction_parse(const char *text, int64_t *out)
{
    int digits = 0;
    int64_t value = 0;
    if (*text != '.')
        return 0;
    for (; text[digits + 1] >= '0' && text[digits + 1] <= '9'; digits++)
        if (digits < 6)
            value = value * 10 + (text[digits + 1] - '0');
    for (int missing = digits; missing < 6; missing++)
        value *= 10;
    *out = value;
    return digits ? digits + 1 : -1;
}

int query_time_us(const struct http_request *request, const char *name, int64_t *out, struct err *err)
{
    const char *text = http_request_query(request, name);
    if (!text)
        return 0;
    struct tm time = {0};
    int length = 0, fraction = -1;
    int64_t microseconds = 0;
    bool shaped = strspn(text, "0123456789-T:.Z") == strlen(text) &&
                  sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour,
                         &time.tm_min, &time.tm_sec, &length) == 6;
    if (shaped && length == 19)
        fraction = fraction_parse(text + length, &microseconds);
    struct tm given = time;
    time.tm_year -= 1900;
    time.tm_mon -= 1;
    time_t seconds = timegm(&time);
    bool real = given.tm_mon == time.tm_mon + 1 && given.tm_mday == time.tm_mday && given.tm_hour == time.tm_hour &&
                given.tm_min == time.tm_min && given.tm_sec == time.tm_sec;
    if (fraction < 0 || strcmp(text + length + fraction, "Z") != 0 || !real)
        return err_set(err, ERR_INVALID, "%s must be a time such as 2026-01-31T12:00:00Z", name);
    *out = (int64_t)seconds * 1000000 + microseconds;
    return 0;
}
