// curfew: the command line. Global options, then a command; each command is a cmd_<name>() and a row in commands.c.
// Talks HTTP only, but for `up`, `down` and `run`, which keep a stack on this machine.
#include "services/cli/cli.h"
#include "services/cli/token.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void look_at_terminal(struct cli *cli)
{
    const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
    cli->terminal = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
    cli->color = cli->terminal && (!no_color || !*no_color);
}

static int connect_manager(struct cli *cli, struct err *err)
{
    cli->server = cli_global(cli, "--server");
    if (!cli->server)
        cli->server = getenv("CURFEW_SERVER");
    if (!cli->server || !*cli->server)
        cli->server = DEFAULT_SERVER;
    const char *ca_file = cli_global(cli, "--ca-file");
    if (!ca_file)
        ca_file = getenv("CURFEW_CA_FILE");
    if (token_read_own(cli, err) < 0)
        return -1;
    const struct http_client_settings settings = {.base_url = cli->server,
                                                  .token = cli->token,
                                                  .user_agent = "curfew/" CURFEW_VERSION,
                                                  .ca_file = ca_file && *ca_file ? ca_file : NULL};
    return http_client_new(&settings, &cli->client, err);
}

static int run(struct cli *cli)
{
    struct err err = {0};
    look_at_terminal(cli);
    if (!cli->command->is_local && connect_manager(cli, &err) < 0)
        return cli_fail(&err);
    int status = cli->command->run(cli);
    http_client_free(cli->client);
    free(cli->token);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "curfew: output could not be written\n");
        return status ? status : EXIT_ERROR;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct err err = {0};
    if (argc == 2 && strcmp(argv[1], "--help-markdown") == 0) {
        cli_print_markdown(stdout);
        return 0;
    }
    if (cli_parse(&cli, argc, argv, &err) < 0)
        return cli_usage(cli.command, "%s", err.text);
    if (cli_global(&cli, "--version")) {
        printf("curfew " CURFEW_VERSION "\n");
    } else if (cli_global(&cli, "--help")) {
        if (cli.command)
            cli_print_command_help(stdout, cli.command);
        else
            cli_print_help(stdout);
    } else if (!cli.command) {
        cli_print_help(stderr);
        return EXIT_USAGE;
    } else {
        return run(&cli);
    }
    return 0;
}
