// Settings of a program from one table: environment CURFEW_*, `*_FILE` for secrets, flags of the same names, then
// defaults.
// `--help` and docs/reference/config.md are printed from the table.
#pragma once

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_type {
    CONFIG_TEXT,     // char *; freed by config_release
    CONFIG_INTEGER,  // int64_t, within [min, max]
    CONFIG_DURATION, // int64_t, milliseconds, within [min, max]
    CONFIG_SIZE,     // int64_t, bytes, within [min, max]
    CONFIG_BOOLEAN,  // bool: true/false/yes/no/1/0; the flag alone means true
    CONFIG_SECRET,   // char *; only from the environment's NAME_FILE or --name-file: a flag never carries a secret
};

struct config_setting {
    const char *name; // lower case with dashes: "database-url" is --database-url and CURFEW_DATABASE_URL
    enum config_type type;
    size_t offset;        // of the field in the settings struct
    const char *fallback; // as text, parsed like any other; NULL: none (TEXT and SECRET become NULL)
    int64_t min, max;     // for numbers; both 0 means no bounds besides not negative
    bool required;
    const char *meaning; // one sentence for --help and the reference
};

struct config_table {
    const char *program;   // "curfew-worker"
    const char *synopsis;  // what the program does, one sentence
    const char *arguments; // what stands behind its name in --help; NULL: "[SETTINGS]"
    const struct config_setting *settings;
    size_t count;
};

// Fills `*settings` (zeroed by the caller). Positional arguments that are left are counted in *rest (index into argv
// after reordering is not done: settings first, then positionals; `--` ends flags); rest may be NULL when none are
// allowed. Outcomes: 0 ready; 1 --help or --version was printed to stdout: exit with 0. Error: names the setting and
// where it came from.
int config_load(const struct config_table *table, int argc, char **argv, void *settings, int *rest,
                struct err *err) WARN_UNUSED;
void config_release(const struct config_table *table, void *settings);
void config_print_help(const struct config_table *table, FILE *out);
void config_print_markdown(const struct config_table *table, FILE *out); // `--help-markdown`, hidden from --help
