// What was measured: named values, one per run, printed as a table and written as JSON.
#pragma once

#include <stdio.h>

// Notes one run's value. The names of a scenario's measures keep the order in which they came first.
void note(const char *name, const char *unit, double value);
// The same for a value at a point of a curve: width 100, 64 workers, 10,000 jobs.
void note_at(const char *name, const char *unit, double at, double value);
// The value of the last run; what was not noted ends the program.
double noted(const char *name);

void measures_clear(void);
// A line per measure: median, lowest and highest of its runs.
void measures_print(void);
// An array of {name, unit, at, median, lowest, highest, values}; `at` only for points of curves.
void measures_write(FILE *file);
