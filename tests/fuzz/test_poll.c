// The reader of polls. Whatever comes, it is either read or has faults that say why not.
#include "services/jobmanager/work_read.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO_ARENA struct arena *arena = arena_new(0);
    AUTO_FAULTS struct faults faults = FAULTS_INIT;
    struct work_body body;
    struct err err;
    FUZZ_HOLDS(arena);
    bool is_read = poll_read((const char *)bytes, length, arena, &body, &faults, &err) == 0;
    FUZZ_HOLDS(is_read == (faults_total(&faults) == 0));
    return 0;
}
