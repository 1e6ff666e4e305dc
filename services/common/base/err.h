// Errors: what every fallible function fills in and passes on.
//
// A function that can fail returns int: negative is failure and `err` says what failed; zero and above are documented
// outcomes. Libraries never log: whoever stops an error (a program's main, a request's reply) logs it once.
#pragma once

#include "services/common/base/macros.h"

enum err_code {
    ERR_INVALID,      // the caller's input is wrong
    ERR_UNAUTHORIZED, // no or unknown credentials
    ERR_FORBIDDEN,    // known credentials that may not do this
    ERR_NOT_FOUND,    // what was named does not exist
    ERR_CONFLICT,     // the state of things speaks against it (also: same idempotency key, another body)
    ERR_STALE,        // a fencing token, incarnation or epoch that has moved on
    ERR_TOO_LARGE,    // over a documented size limit
    ERR_LIMIT,        // over a rate or a quota: try again later
    ERR_UNAVAILABLE,  // something that we depend on is away: try again later
    ERR_TIMEOUT,      // a deadline passed
    ERR_NO_MEMORY,
    ERR_IO,          // a system call or a peer failed
    ERR_UNSUPPORTED, // this build, machine or runtime cannot do it
    ERR_INTERNAL,    // a defect of ours
};
#define ERR_CODE_COUNT ((int)ERR_INTERNAL + 1)

struct err {
    enum err_code code;
    char text[256]; // lower case, what failed first, no full stop
};

// Fills in *err (may be NULL) and returns -1. A text that does not fit is cut at a UTF-8 boundary.
int err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

// Like err_set, with ": " and the text of `errnum` appended. ENOMEM becomes ERR_NO_MEMORY, whatever `code` says.
int err_errno(struct err *err, enum err_code code, int errnum, const char *format, ...) PRINTF_LIKE(4, 5);

// Puts "<context>: " in front of err's text and returns -1; for adding where it happened on the way up.
int err_prefix(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

// The analyzer looks at one file at a time: tell it what these return, so that it knows which paths go on.
#ifdef __clang_analyzer__
#define err_set(...)                  \
    ({                                \
        (void)(err_set)(__VA_ARGS__); \
        -1;                           \
    })
#define err_errno(...)                  \
    ({                                  \
        (void)(err_errno)(__VA_ARGS__); \
        -1;                             \
    })
#define err_prefix(...)                  \
    ({                                   \
        (void)(err_prefix)(__VA_ARGS__); \
        -1;                              \
    })
#endif

// The stable lower-case name of a code, "invalid", "not_found", ...: used in problem documents, logs and tests.
const char *err_code_name(enum err_code code);
