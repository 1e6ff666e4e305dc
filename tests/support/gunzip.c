#include "tests/support/gunzip.h"

#include "tests/support/die.h"

#include <zlib.h>

#define GZIP_FORMAT 16

size_t gunzip(const struct strbuf *packed, struct strbuf *out)
{
    char piece[1 << 14];
    z_stream stream = {.next_in = (unsigned char *)packed->data, .avail_in = (unsigned)packed->length};
    int state = inflateInit2(&stream, GZIP_FORMAT + MAX_WBITS);
    while (state == Z_OK) {
        stream.next_out = (unsigned char *)piece;
        stream.avail_out = sizeof(piece);
        state = inflate(&stream, Z_NO_FLUSH);
        strbuf_add(out, piece, sizeof(piece) - stream.avail_out);
    }
    if (state != Z_STREAM_END)
        die("compressed bytes break off: %d", state);
    size_t left = stream.avail_in;
    inflateEnd(&stream);
    return left;
}
