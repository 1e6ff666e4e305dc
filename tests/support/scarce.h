// What a test and the preloaded library tests/fixtures/preload/scarce.c share.
#pragma once

#include <stdatomic.h>

struct scarce_kind {
    atomic_int every; // each n-th call fails; 0: none
    atomic_long calls, failed;
};
struct scarce {
    struct scarce_kind memory, io;
};
