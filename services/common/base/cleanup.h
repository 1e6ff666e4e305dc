// Ownership of locals: every owned local carries a cleanup attribute and is initialised where it is declared;
// `*out = TAKE_PTR(x)` hands it on.
#pragma once

#include "services/common/base/macros.h"

#include <stdio.h>
#include <stdlib.h>

// Defines cleanup_<function>(type *) that calls function(*p); the function itself must take NULL.
// NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses
#define DEFINE_CLEANUP(type, function)             \
    static inline void cleanup_##function(type *p) \
    {                                              \
        function(*p);                              \
    }                                              \
    struct cleanup_##function##_semicolon_
// NOLINTEND(bugprone-macro-parentheses)

#define TAKE_PTR(pointer)                       \
    ({                                          \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })
#define TAKE_FD(fd)        \
    ({                     \
        int taken_ = (fd); \
        (fd) = -1;         \
        taken_;            \
    })

static inline void cleanup_free(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

static inline void cleanup_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

void cleanup_close(int *fd); // closes unless negative; keeps errno

#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_FILE CLEANUP(cleanup_file)
#define AUTO_CLOSE CLEANUP(cleanup_close)
