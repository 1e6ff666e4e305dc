#include "services/common/engine/frames.h"

#include "services/common/base/macros.h"

#include <string.h>

#define STREAM_MAX 3 // stdin, stdout, stderr, and what the engine itself has to say

static ssize_t take_header(struct engine_frames *frames, const char *bytes, size_t length, struct err *err)
{
    size_t used = MIN(length, sizeof frames->header - frames->header_length);
    memcpy(frames->header + frames->header_length, bytes, used);
    frames->header_length += used;
    if (frames->header_length < sizeof frames->header)
        return (ssize_t)used;
    const unsigned char *header = frames->header;
    if (header[0] > STREAM_MAX || header[1] || header[2] || header[3])
        return err_set(err, ERR_INVALID, "the output of a container does not come in frames");
    frames->left = (size_t)header[4] << 24 | (size_t)header[5] << 16 | (size_t)header[6] << 8 | header[7];
    frames->header_length = 0;
    return (ssize_t)used;
}

ssize_t engine_frames_next(struct engine_frames *frames, const char *bytes, size_t length, struct engine_piece *out,
                           struct err *err)
{
    *out = (struct engine_piece){0};
    if (frames->left == 0)
        return take_header(frames, bytes, length, err);
    size_t used = MIN(length, frames->left);
    unsigned char stream = frames->header[0];
    frames->left -= used;
    if (stream == ENGINE_STDOUT || stream == ENGINE_STDERR)
        *out = (struct engine_piece){stream == ENGINE_STDOUT ? ENGINE_STDOUT : ENGINE_STDERR, bytes, used};
    return (ssize_t)used;
}
