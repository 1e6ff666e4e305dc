// curfew-jobmanager: the HTTP API over PostgreSQL. It keeps nothing that matters in memory: any replica can be killed
// at any time.
#include "services/common/db/db.h"
#include "services/jobmanager/api_doc.h"
#include "services/jobmanager/commands.h"

#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2

static const struct command {
    const char *name;
    int (*run)(const struct settings *settings);
} commands[] = {
    {"serve", command_serve},
    {"migrate", command_migrate},
    {"health", command_health},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int usage(const char *problem)
{
    fprintf(stderr,
            "curfew-jobmanager: %s\nusage: curfew-jobmanager serve|migrate|health [SETTINGS], --help for more\n",
            problem);
    return EXIT_USAGE;
}

static int print_openapi(void)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    api_write_openapi(&text);
    return text.failed || puts(strbuf_text(&text)) < 0 ? EXIT_FAILURE : 0;
}

int main(int argc, char **argv)
{
    AUTO_SETTINGS struct settings settings = {0};
    struct err err;
    if (argc < 2)
        return usage("a command is missing");
    if (strcmp(argv[1], "api-markdown") == 0) {
        api_print_markdown(stdout);
        return 0;
    }
    if (strcmp(argv[1], "openapi") == 0)
        return print_openapi();
    bool is_flag = argv[1][0] == '-';
    const struct command *command = is_flag ? NULL : command_find(argv[1]);
    if (!is_flag && !command)
        return usage("there is no such command");
    // The command takes the place of the program's name: what follows are settings.
    int outcome = settings_load(is_flag ? argc : argc - 1, is_flag ? argv : argv + 1, &settings, &err);
    if (outcome == 1)
        return 0;
    if (outcome < 0)
        return usage(err.text);
    if (!command)
        return usage("a command is missing");
    if (db_password_use(settings.database_password, &err) < 0)
        return usage(err.text);
    return command->run(&settings);
}
