// The frames that a container's output comes in. However the bytes are cut on their way, the same payload comes out of
// them, and what is refused is refused at the same place.
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/common/engine/frames.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

struct output {
    struct strbuf streams[ENGINE_STDERR + 1];
    size_t taken;
    bool refused;
};

static void output_release(struct output *output)
{
    for (size_t i = 0; i < ARRAY_LEN(output->streams); i++)
        strbuf_release(&output->streams[i]);
}

// Reads everything, handing over at most `most` bytes at a time.
static void read_all(const char *bytes, size_t length, size_t most, struct output *out)
{
    struct engine_frames frames = {0};
    struct engine_piece piece;
    struct err err;
    while (out->taken < length) {
        size_t given = MIN(most, length - out->taken);
        ssize_t taken = engine_frames_next(&frames, bytes + out->taken, given, &piece, &err);
        out->refused = taken < 0;
        if (out->refused)
            return;
        FUZZ_HOLDS(taken > 0 && (size_t)taken <= given);
        FUZZ_HOLDS(piece.length == 0 || piece.stream != ENGINE_NO_STREAM);
        strbuf_add(&out->streams[piece.stream], piece.bytes, piece.length);
        out->taken += (size_t)taken;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct output whole = {0};
    struct output cut = {0};
    size_t most = length ? (size_t)bytes[length - 1] % 11 + 1 : 1;
    read_all((const char *)bytes, length, length, &whole);
    read_all((const char *)bytes, length, most, &cut);
    FUZZ_HOLDS(whole.refused == cut.refused);
    for (size_t i = ENGINE_STDOUT; i <= ENGINE_STDERR; i++) {
        FUZZ_HOLDS(whole.streams[i].length == cut.streams[i].length);
        FUZZ_HOLDS(whole.streams[i].length == 0 ||
                   memcmp(whole.streams[i].data, cut.streams[i].data, whole.streams[i].length) == 0);
    }
    output_release(&whole);
    output_release(&cut);
    return 0;
}
