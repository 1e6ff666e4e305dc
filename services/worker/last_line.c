#include "services/worker/last_line.h"

#include "services/common/base/macros.h"
#include "services/common/base/utf8.h"

#include <stdbool.h>
#include <string.h>

#define LOOKED_AT 4096 // of a piece: the rest of a longer one is never the end of anything

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] > ' ')
            return false;
    }
    return true;
}

static void end_line(struct last_line *line)
{
    if (!is_blank(line->current, line->length)) {
        for (size_t i = 0; i < line->length; i++)
            line->complete[i] = line->current[i] ? line->current[i] : ' ';
        line->complete[line->length] = '\0';
    }
    line->length = 0;
}

static void add_part(struct last_line *line, const char *bytes, size_t length)
{
    size_t room = LAST_LINE_SIZE - 1 - line->length;
    size_t taken = MIN(length, room);
    memcpy(line->current + line->length, bytes, taken);
    line->length += taken;
}

void last_line_add(struct last_line *line, const char *bytes, size_t length)
{
    if (length > LOOKED_AT) {
        bytes += length - LOOKED_AT;
        length = LOOKED_AT;
        line->length = 0;
    }
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end ? (size_t)(end - bytes) : length;
        add_part(line, bytes, part);
        if (end)
            end_line(line);
        part += end != NULL;
        bytes += part;
        length -= part;
    }
}

void last_line_text(const struct last_line *line, char out[static LAST_LINE_SIZE])
{
    bool current = !is_blank(line->current, line->length);
    const char *text = current ? line->current : line->complete;
    size_t length = current ? line->length : strlen(line->complete), written = 0;
    for (size_t at = 0; at < length;) {
        size_t sequence = utf8_sequence((const unsigned char *)text + at, length - at);
        bool plain = sequence > 1 || (sequence == 1 && (unsigned char)text[at] >= ' ' && text[at] != 0x7f);
        if (plain)
            memcpy(out + written, text + at, sequence);
        else
            out[written] = sequence == 1 ? ' ' : '?';
        written += plain ? sequence : 1;
        at += sequence ? sequence : 1;
    }
    while (written > 0 && out[written - 1] == ' ')
        written--;
    out[written] = '\0';
    size_t blanks = strspn(out, " ");
    memmove(out, out + blanks, written - blanks + 1);
}
