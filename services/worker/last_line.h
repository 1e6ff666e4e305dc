// The last line that a command has written, for the text of an error: bounded, whatever comes. Pure.
#pragma once

#include <stddef.h>

#define LAST_LINE_SIZE 161 // bytes with NUL; the beginning of a longer line

struct last_line {
    char complete[LAST_LINE_SIZE]; // the last one that has ended and is not blank
    char current[LAST_LINE_SIZE];  // the one that is being written
    size_t length;                 // of current
};

void last_line_add(struct last_line *line, const char *bytes, size_t length);
// Valid UTF-8 without control characters and white space at either end; "" when nothing but blanks came.
void last_line_text(const struct last_line *line, char out[static LAST_LINE_SIZE]);
