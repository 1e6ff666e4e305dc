#include "services/common/json/faults.h"
#include "services/common/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void faults_release(struct faults *faults)
{
    free(faults->list);
    *faults = (struct faults)FAULTS_INIT;
}

size_t faults_total(const struct faults *faults)
{
    return faults->count + faults->dropped;
}

static struct fault *append(struct faults *faults)
{
    if (faults->count == FAULTS_MAX)
        return NULL;
    if (faults->count == faults->capacity) {
        size_t capacity = faults->capacity ? faults->capacity * 2 : 4;
        struct fault *list = reallocarray(faults->list, capacity, sizeof *list);
        if (!list)
            return NULL;
        faults->list = list;
        faults->capacity = capacity;
    }
    return &faults->list[faults->count++];
}

void faults_add(struct faults *faults, enum fault_code code, const char *pointer, const char *format, ...)
{
    struct fault *fault = append(faults);
    if (!fault) {
        faults->dropped++;
        return;
    }
    fault->code = code;
    snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
    utf8_cut(fault->pointer);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, arguments);
    va_end(arguments);
    utf8_cut(fault->detail);
}

const char *fault_code_name(enum fault_code code)
{
    switch (code) {
    case FAULT_SYNTAX:
        return "syntax";
    case FAULT_REQUIRED:
        return "required";
    case FAULT_UNKNOWN:
        return "unknown";
    case FAULT_TYPE:
        return "type";
    case FAULT_RANGE:
        return "range";
    case FAULT_FORMAT:
        return "format";
    case FAULT_CHOICE:
        return "choice";
    case FAULT_DUPLICATE:
        return "duplicate";
    case FAULT_REFERENCE:
        return "reference";
    case FAULT_CYCLE:
        return "cycle";
    case FAULT_CONFLICT:
        return "conflict";
    }
    return "unknown";
}
