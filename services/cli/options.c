#include "services/cli/cli.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    struct cli *cli;
    char *const *words;
    int count, at;
    bool no_more_options;
};

// Where the value of the option of that name is kept; NULL when there is none. *option becomes its row.
static const char **find_in(const struct option *options, size_t count, const char **values, const char *word,
                            size_t length, const struct option **option)
{
    for (size_t i = 0; i < count && options[i].name; i++) {
        const char *names[] = {options[i].name, options[i].letter};
        for (size_t j = 0; j < ARRAY_LEN(names); j++)
            if (names[j] && strlen(names[j]) == length && memcmp(names[j], word, length) == 0) {
                *option = &options[i];
                return &values[i];
            }
    }
    return NULL;
}

static const char **find(struct cli *cli, const char *word, size_t length, const struct option **option)
{
    const char **value = NULL;
    if (cli->command)
        value = find_in(cli->command->options, COMMAND_OPTIONS_MAX, cli->values, word, length, option);
    return value ? value : find_in(global_options, GLOBAL_OPTIONS_MAX, cli->global_values, word, length, option);
}

static int read_option(struct reader *reader, const char *word, struct err *err)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const struct option *option = NULL;
    const char **value = find(reader->cli, word, length, &option);
    if (!value)
        return err_set(err, ERR_INVALID, "there is no option '%.*s'", (int)MIN(length, (size_t)100), word);
    if (!option->value) {
        *value = "";
        return equals ? err_set(err, ERR_INVALID, "option '%s' takes no value", option->name) : 0;
    }
    if (!equals && reader->at == reader->count)
        return err_set(err, ERR_INVALID, "option '%s' needs a value", option->name);
    *value = equals ? equals + 1 : reader->words[reader->at++];
    return 0;
}

static int read_command(struct cli *cli, const char *word, struct err *err)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, word) == 0) {
            cli->command = &commands[i];
            return 0;
        }
    return err_set(err, ERR_INVALID, "there is no command '%.100s'", word);
}

static int read_positional(struct cli *cli, const char *word, struct err *err)
{
    if (!cli->command)
        return read_command(cli, word, err);
    if (!cli->command->argument)
        return err_set(err, ERR_INVALID, "%s takes options only, not '%.100s'", cli->command->name, word);
    if (!cli->argument)
        cli->argument = word;
    else if (cli->command->second && !cli->second)
        cli->second = word;
    else
        return err_set(err, ERR_INVALID, "%s takes one %s: '%.100s' is one too many", cli->command->name,
                       cli->command->argument, word);
    return 0;
}

static int read_word(struct reader *reader, struct err *err)
{
    const char *word = reader->words[reader->at++];
    bool is_option = !reader->no_more_options && word[0] == '-' && word[1] != '\0';
    if (is_option && strcmp(word, "--") == 0) {
        reader->no_more_options = true;
        return 0;
    }
    return is_option ? read_option(reader, word, err) : read_positional(reader->cli, word, err);
}

// What is known only at the end.
static int check(const struct cli *cli, struct err *err)
{
    const char *output = cli_global(cli, "--output");
    if (output && strcmp(output, "json") != 0)
        return err_set(err, ERR_INVALID, "option '--output' knows json only");
    if (!cli->command || !cli->command->argument)
        return 0;
    bool instead = cli->command->instead && cli_option(cli, cli->command->instead);
    if (!cli->argument && !instead)
        return err_set(err, ERR_INVALID, "%s needs a %s", cli->command->name, cli->command->argument);
    if (cli->argument && instead)
        return err_set(err, ERR_INVALID, "%s takes %s or a %s, not both", cli->command->name, cli->command->instead,
                       cli->command->argument);
    return 0;
}

int cli_parse(struct cli *cli, int argc, char *const *argv, struct err *err)
{
    struct reader reader = {.cli = cli, .words = argv, .count = argc, .at = 1};
    while (reader.at < reader.count)
        if (read_word(&reader, err) < 0)
            return -1;
    if (cli_global(cli, "--help") || cli_global(cli, "--version"))
        return 0;
    cli->json = cli_global(cli, "--output") != NULL;
    return check(cli, err);
}

static const char *value_of(const struct option *options, size_t count, const char *const *values, const char *name)
{
    for (size_t i = 0; i < count && options[i].name; i++)
        if (strcmp(options[i].name, name) == 0)
            return values[i];
    fprintf(stderr, "curfew: no table has option %s\n", name);
    abort();
}

const char *cli_option(const struct cli *cli, const char *name)
{
    return value_of(cli->command->options, COMMAND_OPTIONS_MAX, cli->values, name);
}

const char *cli_global(const struct cli *cli, const char *name)
{
    return value_of(global_options, GLOBAL_OPTIONS_MAX, cli->global_values, name);
}
