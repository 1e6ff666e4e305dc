#include "services/common/model/traceparent.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Copies `digits` lower-case hexadecimal digits.
static bool take_hex(const char *text, size_t digits, char *out)
{
    if (strspn(text, "0123456789abcdef") < digits)
        return false;
    memcpy(out, text, digits);
    out[digits] = '\0';
    return true;
}

static bool is_zero(const char *digits)
{
    return strspn(digits, "0") == strlen(digits);
}

bool traceparent_read(const char *text, struct traceparent *out)
{
    char version[3], flags[3];
    if (!text || strnlen(text, TRACEPARENT_LENGTH) < TRACEPARENT_LENGTH)
        return false;
    if (!take_hex(text, 2, version) || text[2] != '-' || !take_hex(text + 3, 32, out->trace) || text[35] != '-' ||
        !take_hex(text + 36, 16, out->span) || text[52] != '-' || !take_hex(text + 53, 2, flags))
        return false;
    char behind = text[TRACEPARENT_LENGTH];
    bool ends = strcmp(version, "00") == 0 ? behind == '\0' : behind == '\0' || behind == '-';
    out->sampled = strchr("13579bdf", flags[1]);
    return ends && strcmp(version, "ff") != 0 && !is_zero(out->trace) && !is_zero(out->span);
}

void span_of_job(int64_t job, char out[static SPAN_ID_SIZE])
{
    snprintf(out, SPAN_ID_SIZE, "%016" PRIx64, (uint64_t)job);
}

void traceparent_of_job(const struct traceparent *parent, int64_t job, char out[static TRACEPARENT_SIZE])
{
    char span[SPAN_ID_SIZE];
    span_of_job(job, span);
    snprintf(out, TRACEPARENT_SIZE, "00-%s-%s-%s", parent->trace, span, parent->sampled ? "01" : "00");
}
