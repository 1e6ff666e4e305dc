#include "services/cli/cli.h"

#include <string.h>

static const struct option_spec *find(const struct option_spec *options, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, text, length) == 0)
            return &options[i];
    return NULL;
}

// Handles the option at argv[*index] and moves *index to its last word.
static int take_option(const struct cli *cli, int *index, const struct option_spec *options, size_t count,
                       struct err *err)
{
    const char *word = cli->argv[*index], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const struct option_spec *option = find(options, count, word, length);
    if (!option)
        return err_set(err, ERR_INVALID, "unknown option '%.100s'", word);
    if (!option->value) {
        *option->flag = true;
        return equals ? err_set(err, ERR_INVALID, "option '%s' takes no value", option->name) : 0;
    }
    if (!equals && !cli->argv[*index + 1])
        return err_set(err, ERR_INVALID, "option '%s' needs a value", option->name);
    *option->value = equals ? equals + 1 : cli->argv[++*index];
    return 0;
}

int cli_options(struct cli *cli, const struct option_spec *options, size_t count, struct err *err)
{
    int kept = 1;
    bool only_positionals = false;
    for (int i = 1; i < cli->argc; i++) {
        char *word = cli->argv[i];
        if (!only_positionals && strcmp(word, "--") == 0) {
            only_positionals = true;
        } else if (!only_positionals && word[0] == '-' && word[1] != '\0') {
            if (take_option(cli, &i, options, count, err) < 0)
                return -1;
        } else {
            cli->argv[kept++] = word;
        }
    }
    cli->argv[kept] = NULL;
    cli->argc = kept;
    return 0;
}
