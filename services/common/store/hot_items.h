// What a lane remembers of items. Private to store/hot*.c.
#pragma once

#include "services/common/store/hot_batch.h"

#include <stddef.h>
#include <stdint.h>

// Items of consecutive tasks, a line each.
struct hot_chunk {
    int64_t first, count;
    size_t length;
    const char *lines;
    // How far hot_chunk_line() was asked to go last: claims ask for one task after the other. 0 at first.
    int64_t passed;
    size_t passed_bytes;
};

// The chunk that holds a task's item, or NULL. Valid until something is remembered.
struct hot_chunk *hot_chunk_find(struct hot *hot, int64_t job, int stage, int64_t task);
void hot_chunk_remember(struct hot *hot, int64_t job, int stage, const struct hot_chunk *chunk); // copies
// Where the line of a task begins; behind the last one for the task after the last.
const char *hot_chunk_line(struct hot_chunk *chunk, int64_t task);

// hot_output.c: cuts lines into chunks of items, to be written by the batch.
int hot_items_add(struct batch *batch, int64_t job, int16_t stage, int64_t first, const struct output_line *lines,
                  size_t count, struct err *err) WARN_UNUSED;
void hot_items_params(const struct batch *batch, struct params *params); // adds those of hot_items_insert
