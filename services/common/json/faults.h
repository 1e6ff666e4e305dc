// Faults: everything that is wrong with one document, each with the JSON pointer of its place, so that its author can
// repair all of it at once.
//
// Adding never fails: a list that is full counts what it dropped; when memory runs out, too. Not thread-safe.
#pragma once

#include "services/common/base/macros.h"

#include <stddef.h>

enum fault_code {
    FAULT_SYNTAX,    // not JSON (or YAML) at all
    FAULT_REQUIRED,  // missing
    FAULT_UNKNOWN,   // a field that does not exist
    FAULT_TYPE,      // a text where a number is wanted, ...
    FAULT_RANGE,     // too small, too big, too many, too long
    FAULT_FORMAT,    // a text that is not written as it has to be
    FAULT_CHOICE,    // none of the values that are allowed
    FAULT_DUPLICATE, // a name that is taken
    FAULT_REFERENCE, // names something that does not exist
    FAULT_CYCLE,     // things that wait for each other
    FAULT_CONFLICT,  // two fields that do not go together
};

#define FAULTS_MAX 100
#define FAULT_POINTER_SIZE 256
#define FAULT_DETAIL_SIZE 256

struct fault {
    enum fault_code code;
    char pointer[FAULT_POINTER_SIZE]; // RFC 6901; cut between characters when longer
    char detail[FAULT_DETAIL_SIZE];   // lower case, no full stop, valid UTF-8
};

struct faults {
    struct fault *list;
    size_t count;
    size_t capacity;
    size_t dropped; // beyond FAULTS_MAX
};
#define FAULTS_INIT {0}
#define AUTO_FAULTS CLEANUP(faults_release)

void faults_release(struct faults *faults); // the list can be used again
void faults_add(struct faults *faults, enum fault_code code, const char *pointer, const char *format, ...)
    PRINTF_LIKE(4, 5);
// How many there were, the dropped ones too: zero means that nothing is wrong.
size_t faults_total(const struct faults *faults);

// The stable lower-case name, "required", "unknown", ...
const char *fault_code_name(enum fault_code code);
