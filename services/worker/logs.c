#include "services/worker/logs.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A source's stream as a number line of bytes: [shipped) [head waiting) [dropped) [tail ring). Positions are offsets on
// that line, so that a piece which is sent twice lands in the same place.
struct log_source {
    struct logs *logs;
    struct log_source *previous, *next;
    char *job, *source;
    struct strbuf head;    // accepted and not yet shipped
    int64_t head_position; // of head's first byte
    int64_t accepted;      // bytes that went into head so far: head_bytes at most
    int64_t repeated;      // bytes that come next and that the manager has
    char *tail;            // ring of the last bytes beyond the head; NULL until it is needed
    int64_t tail_total;    // bytes that went beyond the head
    size_t under_way;      // bytes of head that a report carries
    bool closed;
};

struct logs {
    struct logs_settings settings;
    struct log_source *first, *last; // the next to ship is first
    int64_t held_bytes;
    bool pending;
    void (*on_pending)(void *context);
    void *on_pending_context;
};

int logs_new(const struct logs_settings *settings, struct logs **out, struct err *err)
{
    struct logs *logs = calloc(1, sizeof *logs);
    if (!logs)
        return err_set(err, ERR_NO_MEMORY, "no memory for logs");
    logs->settings = *settings;
    *out = logs;
    return 0;
}

static void unlink_source(struct log_source *source)
{
    struct logs *logs = source->logs;
    *(source->previous ? &source->previous->next : &logs->first) = source->next;
    *(source->next ? &source->next->previous : &logs->last) = source->previous;
}

static void link_last(struct log_source *source)
{
    struct logs *logs = source->logs;
    source->previous = logs->last;
    source->next = NULL;
    *(logs->last ? &logs->last->next : &logs->first) = source;
    logs->last = source;
}

static void free_source(struct log_source *source)
{
    source->logs->held_bytes -= (int64_t)source->head.length + (source->tail ? source->logs->settings.tail_bytes : 0);
    unlink_source(source);
    strbuf_release(&source->head);
    free(source->tail);
    free(source->job);
    free(source->source);
    free(source);
}

void logs_free(struct logs *logs)
{
    if (!logs)
        return;
    while (logs->first)
        free_source(logs->first);
    free(logs);
}

void logs_on_pending(struct logs *logs, void (*function)(void *context), void *context)
{
    logs->on_pending = function;
    logs->on_pending_context = context;
}

static void note_pending(struct logs *logs)
{
    if (logs->pending)
        return;
    logs->pending = true;
    if (logs->on_pending)
        logs->on_pending(logs->on_pending_context);
}

struct log_source *logs_open(struct logs *logs, const char *job, const char *source)
{
    struct log_source *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->logs = logs;
    made->job = strdup(job);
    made->source = strdup(source);
    link_last(made);
    if (made->job && made->source)
        return made;
    free_source(made);
    return NULL;
}

struct log_source *logs_open_again(struct logs *logs, const char *job, const char *source, int64_t logged)
{
    struct log_source *made = logs_open(logs, job, source);
    if (made)
        made->head_position = made->accepted = made->repeated = logged;
    return made;
}

bool log_is_over_head(const struct log_source *source)
{
    return !source || source->accepted >= source->logs->settings.head_bytes;
}

// How many of `length` bytes still go into the head: its own limit, and that of all sources together.
static size_t head_room(const struct log_source *source, size_t length)
{
    const struct logs *logs = source->logs;
    int64_t room = logs->settings.head_bytes - source->accepted;
    int64_t total_room = logs->settings.total_bytes - logs->held_bytes;
    if (room > total_room)
        room = total_room;
    if (source->tail_total > 0 || room < 0)
        room = 0; // what was dropped once is never followed by more head
    return (int64_t)length < room ? length : (size_t)room;
}

static void write_head(struct log_source *source, const char *bytes, size_t length)
{
    size_t before = source->head.length;
    strbuf_add(&source->head, bytes, length);
    source->accepted += (int64_t)length;
    source->logs->held_bytes += (int64_t)(source->head.length - before);
    note_pending(source->logs);
}

static void write_tail(struct log_source *source, const char *bytes, size_t length)
{
    size_t size = (size_t)source->logs->settings.tail_bytes;
    source->tail_total += (int64_t)length;
    if (!source->tail) {
        source->tail = calloc(1, size); // what came while there was no memory is blank
        if (!source->tail)
            return;
        source->logs->held_bytes += (int64_t)size;
    }
    if (length > size) {
        bytes += length - size;
        length = size;
    }
    size_t end = (size_t)(source->tail_total % (int64_t)size); // where the last byte comes to stand, plus one
    size_t at = (end + size - length % size) % size;
    size_t first = length < size - at ? length : size - at;
    memcpy(source->tail + at, bytes, first);
    memcpy(source->tail, bytes + first, length - first);
}

void log_write(struct log_source *source, const char *bytes, size_t length)
{
    if (!source || length == 0)
        return;
    size_t repeated = (int64_t)length < source->repeated ? length : (size_t)source->repeated;
    source->repeated -= (int64_t)repeated;
    bytes += repeated;
    length -= repeated;
    size_t head = head_room(source, length);
    if (head > 0)
        write_head(source, bytes, head);
    if (length > head)
        write_tail(source, bytes + head, length - head);
}

// The ring becomes the end of the head, behind a line that says what is missing. From here on the head is all there is.
static void append_tail(struct log_source *source)
{
    struct logs *logs = source->logs;
    int64_t size = logs->settings.tail_bytes;
    int64_t kept = source->tail_total < size ? source->tail_total : size;
    int64_t dropped = source->tail_total - kept;
    size_t before = source->head.length;
    if (dropped > 0)
        strbuf_add_format(&source->head, "\n[%lld bytes of log dropped]\n", (long long)dropped);
    size_t at = (size_t)((source->tail_total - kept) % size);
    size_t first = (size_t)kept < (size_t)size - at ? (size_t)kept : (size_t)size - at;
    strbuf_add(&source->head, source->tail + at, first);
    strbuf_add(&source->head, source->tail, (size_t)kept - first);
    logs->held_bytes += (int64_t)(source->head.length - before) - size;
    free(source->tail);
    source->tail = NULL;
}

void log_close(struct log_source *source)
{
    if (!source)
        return;
    source->closed = true;
    if (source->tail)
        append_tail(source);
    if (source->head.length == 0)
        free_source(source);
    else
        note_pending(source->logs);
}

size_t logs_collect(struct logs *logs, struct log_piece *pieces, size_t capacity, size_t max_bytes)
{
    size_t count = 0;
    for (struct log_source *source = logs->first; source && count < capacity && max_bytes > 0; source = source->next) {
        size_t length = source->head.length < max_bytes ? source->head.length : max_bytes;
        if (length == 0)
            continue;
        source->under_way = length;
        max_bytes -= length;
        pieces[count++] = (struct log_piece){
            .job = source->job,
            .source = source->source,
            .position = source->head_position,
            .bytes = source->head.data,
            .length = length,
        };
    }
    return count;
}

void logs_shipped(struct logs *logs)
{
    struct log_source *last = logs->last, *source = logs->first, *next;
    logs->pending = false;
    for (bool more = source != NULL; more; source = next) {
        next = source->next;
        more = source != last;
        if (source->under_way > 0) {
            strbuf_drop_front(&source->head, source->under_way);
            source->head_position += (int64_t)source->under_way;
            logs->held_bytes -= (int64_t)source->under_way;
            source->under_way = 0;
            unlink_source(source);
            link_last(source); // the others come first now
        }
        if (source->head.length > 0)
            logs->pending = true;
        else if (source->closed)
            free_source(source);
    }
}

void logs_not_shipped(struct logs *logs)
{
    for (struct log_source *source = logs->first; source; source = source->next)
        source->under_way = 0;
}

bool logs_pending(const struct logs *logs)
{
    return logs->pending;
}
