#include "services/common/engine/frames.h"

#include "services/common/base/strbuf.h"
#include "tests/support/test.h"

#include <string.h>

#define OUT "\1\0\0\0\0\0\0\5hello"
#define ERRORS "\2\0\0\0\0\0\0\3bad"
#define INPUT "\0\0\0\0\0\0\0\2in"
#define NOTHING "\1\0\0\0\0\0\0\0"
#define TEXT NOTHING OUT INPUT ERRORS OUT

// Feeds the bytes in parts of this size; "o:" and "e:" before what came on which stream.
static void feed(const char *bytes, size_t length, size_t part, struct strbuf *out)
{
    struct engine_frames frames = {0};
    struct engine_piece piece;
    struct err err;
    enum engine_stream last = ENGINE_NO_STREAM;
    for (size_t at = 0; at < length;) {
        size_t given = MIN(part, length - at);
        ssize_t used = engine_frames_next(&frames, bytes + at, given, &piece, &err);
        assert_true(used > 0 && (size_t)used <= given);
        at += (size_t)used;
        if (piece.length > 0 && piece.stream != last)
            strbuf_add_text(out, piece.stream == ENGINE_STDOUT ? "o:" : "e:");
        if (piece.length > 0)
            last = piece.stream;
        strbuf_add(out, piece.bytes, piece.length);
    }
}

static void however_they_are_cut(void **state)
{
    UNUSED(state);
    for (size_t part = 1; part <= sizeof TEXT; part++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        feed(TEXT, sizeof TEXT - 1, part, &out);
        assert_string_equal(strbuf_text(&out), "o:helloe:bado:hello");
    }
}

static void a_large_frame_comes_in_pieces(void **state)
{
    UNUSED(state);
    char block[1000];
    struct engine_frames frames = {0};
    struct engine_piece piece;
    struct err err;
    size_t total = 0;
    memset(block, 'x', sizeof block);
    assert_int_equal(engine_frames_next(&frames, "\1\0\0\0\0\1\x11\x70", 8, &piece, &err), 8); // 70,000
    while (total < 70000) {
        ssize_t used = engine_frames_next(&frames, block, sizeof block, &piece, &err);
        assert_int_equal((size_t)used, piece.length);
        total += piece.length;
    }
    assert_int_equal(total, 70000);
    assert_int_equal(engine_frames_next(&frames, OUT, 13, &piece, &err), 8);
}

static void what_is_no_frame_is_refused(void **state)
{
    UNUSED(state);
    struct engine_frames frames = {0};
    struct engine_piece piece;
    struct err err;
    assert_error((int)engine_frames_next(&frames, "HTTP/1.1 500", 12, &piece, &err), err, ERR_INVALID, "frames");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_they_are_cut),
        cmocka_unit_test(a_large_frame_comes_in_pieces),
        cmocka_unit_test(what_is_no_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
