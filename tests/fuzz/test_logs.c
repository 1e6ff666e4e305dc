// What a command writes, on its way to the manager: an input is a list of steps for one source of a small log.
//
// Whatever is written and however it is shipped, positions are without gap or overlap, what is shipped again is the
// same, nothing more than head, notice and tail arrives, all that fits arrives, and no more is held than the bound
// allows.
#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/worker/logs.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define HEAD 40
#define TAIL 16
#define NOTICE 64 // more than the line about what was dropped takes

struct world {
    struct logs *logs;
    struct log_source *source;
    struct strbuf written, arrived;
};

static void collect(struct world *world, size_t most, bool accepted)
{
    struct log_piece piece;
    if (logs_collect(world->logs, &piece, 1, most) == 0)
        return;
    FUZZ_HOLDS(piece.length > 0 && piece.length <= most);
    FUZZ_HOLDS(piece.position == (int64_t)world->arrived.length);
    if (!accepted) {
        logs_not_shipped(world->logs);
        return;
    }
    strbuf_add(&world->arrived, piece.bytes, piece.length);
    logs_shipped(world->logs);
}

static void check(const struct world *world)
{
    size_t length = world->written.length;
    size_t same = length < HEAD ? length : HEAD;
    size_t tail = length - same < TAIL ? length - same : TAIL;
    const struct strbuf *arrived = &world->arrived;
    FUZZ_HOLDS(arrived->length >= same + tail && arrived->length <= same + tail + NOTICE);
    FUZZ_HOLDS(length > HEAD + TAIL || arrived->length == length);
    if (length == 0)
        return;
    FUZZ_HOLDS(memcmp(arrived->data, world->written.data, same) == 0);
    FUZZ_HOLDS(memcmp(arrived->data + arrived->length - tail, world->written.data + length - tail, tail) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct logs_settings settings = {.head_bytes = HEAD, .tail_bytes = TAIL, .total_bytes = 1000};
    struct world world = {0};
    FUZZ_HOLDS(logs_new(&settings, &world.logs, NULL) == 0);
    world.source = logs_open(world.logs, "j1", "task/count/0/1");
    FUZZ_HOLDS(world.source);
    // A step is a byte: its two lowest bits say what, the others how much.
    while (length > 0) {
        size_t much = bytes[0] >> 2;
        int what = bytes[0] & 3;
        bytes++, length--;
        if (what >= 2) {
            collect(&world, much + 1, what == 2);
            continue;
        }
        size_t size = MIN(much, length);
        log_write(world.source, (const char *)bytes, size);
        strbuf_add(&world.written, (const char *)bytes, size);
        bytes += size, length -= size;
    }
    log_close(world.source);
    while (logs_pending(world.logs))
        collect(&world, 7, true);
    check(&world);
    logs_free(world.logs);
    strbuf_release(&world.written);
    strbuf_release(&world.arrived);
    return 0;
}
