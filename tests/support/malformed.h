// What a hostile or broken peer sends, byte for byte, in groups of one kind of fault.
#pragma once

#include <stddef.h>

struct malformed {
    const char *text;
    size_t length;
};

enum malformed_kind {
    MALFORMED_REQUEST_LINES,
    MALFORMED_TARGETS,
    MALFORMED_HEADS,
    MALFORMED_FRAMINGS, // a second request hides behind the first one, for "/things/smuggled"
    MALFORMED_CHUNKS,
};
#define MALFORMED_KINDS ((int)MALFORMED_CHUNKS + 1)

struct malformed_group {
    const char *name;
    const struct malformed *cases;
    size_t count;
};
extern const struct malformed_group malformed_groups[MALFORMED_KINDS];
