// The output of a container that has no terminal, as an engine sends it: frames of an 8-byte header and a payload.
#pragma once

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum engine_stream { ENGINE_NO_STREAM, ENGINE_STDOUT, ENGINE_STDERR };

// Where in the frames the bytes have got to. Zeroed: at the beginning.
struct engine_frames {
    unsigned char header[8];
    size_t header_length;
    size_t left; // of the payload at hand
};

// Payload among the bytes that were given, without any line structure. Length 0: there was none.
struct engine_piece {
    enum engine_stream stream;
    const char *bytes;
    size_t length;
};

// Takes the next bytes, at most up to the end of one frame, and returns how many it took (of `length` > 0 at least
// one). What is neither stdout nor stderr is taken and left out. ERR_INVALID: these are no frames.
ssize_t engine_frames_next(struct engine_frames *frames, const char *bytes, size_t length, struct engine_piece *out,
                           struct err *err) WARN_UNUSED;
