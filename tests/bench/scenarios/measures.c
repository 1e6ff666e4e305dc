#include "tests/bench/scenarios/measures.h"

#include "tests/support/die.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEASURES_MAX 64
#define RUNS_MAX 64

struct measure {
    char name[96], unit[16];
    double at; // NAN: no point of a curve
    double values[RUNS_MAX];
    int count;
};

static struct measure measures[MEASURES_MAX];
static int measure_count;

static struct measure *find(const char *name)
{
    for (int i = 0; i < measure_count; i++)
        if (strcmp(measures[i].name, name) == 0)
            return &measures[i];
    return NULL;
}

void note_at(const char *name, const char *unit, double at, double value)
{
    struct measure *measure = find(name);
    if (!measure) {
        if (measure_count == MEASURES_MAX)
            die("bench: too many measures");
        measure = &measures[measure_count++];
        *measure = (struct measure){.at = at};
        snprintf(measure->name, sizeof measure->name, "%s", name);
        snprintf(measure->unit, sizeof measure->unit, "%s", unit);
    }
    if (measure->count == RUNS_MAX)
        die("bench: too many runs");
    measure->values[measure->count++] = value;
}

void note(const char *name, const char *unit, double value)
{
    note_at(name, unit, NAN, value);
}

double noted(const char *name)
{
    const struct measure *measure = find(name);
    if (!measure)
        die("bench: %s was not measured", name);
    return measure->values[measure->count - 1];
}

void measures_clear(void)
{
    measure_count = 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct spread {
    double median, lowest, highest;
};

static struct spread spread_of(const struct measure *measure)
{
    double sorted[RUNS_MAX];
    int count = measure->count;
    memcpy(sorted, measure->values, sizeof sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    return (struct spread){(sorted[(count - 1) / 2] + sorted[count / 2]) / 2, sorted[0], sorted[count - 1]};
}

void measures_print(void)
{
    for (int i = 0; i < measure_count; i++) {
        struct spread of = spread_of(&measures[i]);
        int digits = of.median < 100 ? 2 : 0;
        printf("  %-52s %11.*f %11.*f %11.*f %s\n", measures[i].name, digits, of.median, digits, of.lowest, digits,
               of.highest, measures[i].unit);
    }
}

void measures_write(FILE *file)
{
    fputc('[', file);
    for (int i = 0; i < measure_count; i++) {
        const struct measure *measure = &measures[i];
        struct spread of = spread_of(measure);
        fprintf(file, "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", ", i ? "," : "", measure->name, measure->unit);
        if (!isnan(measure->at))
            fprintf(file, "\"at\": %.0f, ", measure->at);
        fprintf(file, "\"median\": %.3f, \"lowest\": %.3f, \"highest\": %.3f, \"values\": [", of.median, of.lowest,
                of.highest);
        for (int run = 0; run < measure->count; run++)
            fprintf(file, "%s%.3f", run ? ", " : "", measure->values[run]);
        fputs("]}", file);
    }
    fputs("\n]", file);
}
