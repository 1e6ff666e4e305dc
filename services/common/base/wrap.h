// Words of a text in lines that fit a terminal, for `--help`.
#pragma once

#include <stdio.h>

#define WRAP_WIDTH 80

// Prints the words of `text`, each line behind `indent` blanks, and a newline. `column` is where the cursor is. A word
// that is wider than a line has one of its own.
void wrap_print(FILE *out, const char *text, int indent, int column);
