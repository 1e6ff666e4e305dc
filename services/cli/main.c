// curfew: the command line. The first words are global options, then a command; each command is a cmd_<name>.c. Talks
// HTTP only, but for `up`, `down` and `run`, which keep a stack on this machine.
#include "services/cli/cli.h"
#include "services/cli/commands.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CURFEW_VERSION
#define CURFEW_VERSION "0.1.0"
#endif
#define TOKEN_BYTES_MAX 4096
#define DEFAULT_SERVER "http://127.0.0.1:19001"

const struct command commands[] = {
    {"up", "--dir DIR [--port N] [--slots N]", "start a whole Curfew in a directory of this machine", cmd_up},
    {"down", "--dir DIR", "end it", cmd_down},
    {"run", "JOB.yaml [--dir DIR]", "run one job on a Curfew that exists for it alone", cmd_run},
    {"validate", "JOB.yaml|-", "check a job file without a server", cmd_validate},
    {"submit", "JOB.yaml|- [--detach] [--key KEY] [--quiet]", "submit a job, and follow it to its end", cmd_submit},
    {"list", "[--state STATE] [--name NAME] [--label K=V] [--limit N]", "list jobs, newest first", cmd_list},
    {"show", "JOB", "show a job", cmd_show},
    {"wait", "JOB [--for outcome|closed] [--timeout 30s]", "wait for a job; the exit status tells its outcome",
     cmd_wait},
    {"logs", "JOB [-f] [--source SOURCE]", "print what its tasks and services wrote", cmd_logs},
    {"events", "JOB", "print its history", cmd_events},
    {"tasks", "JOB [--stage STAGE] [--state STATE] [--slices]", "list its tasks", cmd_tasks},
    {"services", "JOB", "list its service instances", cmd_services},
    {"results", "JOB", "print its results, one JSON value a line", cmd_results},
    {"stop", "JOB [--wait]", "stop its tasks and services", cmd_stop},
    {"pause", "JOB", "start no more of its tasks", cmd_pause},
    {"resume", "JOB", "go on after a pause", cmd_resume},
    {"retry", "JOB", "run its failed tasks again", cmd_retry},
    {"extend", "JOB --by 1h", "keep its kept services longer", cmd_extend},
    {"delete", "JOB [--force]", "delete a closed job", cmd_delete},
    {"cleanup", "JOB", "show the certificates of its services", cmd_cleanup},
    {"why", "JOB", "say why it is not further, and what to do", cmd_why},
    {"workers", "", "list the workers", cmd_workers},
};
const size_t command_count = ARRAY_LEN(commands);

static void print_help(FILE *out)
{
    fprintf(
        out,
        "usage: curfew [--server URL] [--token-file FILE] [-o json] COMMAND ...\n\n"
        "Runs batch jobs that need helper services, and sends the services home when the job is done.\n\nCommands:\n");
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(
        out,
        "\n`curfew COMMAND --help` shows a command's arguments.\n\n"
        "Environment: CURFEW_SERVER (default " DEFAULT_SERVER "), CURFEW_TOKEN_FILE, NO_COLOR.\n\n"
        "Exit status: 0 done, or the job succeeded; 1 the job failed; 2 wrong arguments or job file; 3 the job was\n"
        "stopped; 4 it timed out; 5 a wait ended before the job; 6 the manager does not answer; 7 it refused; 8 "
        "another\n"
        "error.\n");
}

static void print_command_help(const struct command *command)
{
    printf("usage: curfew %s %s\n\n%s\n", command->name, command->arguments, command->summary);
}

int cli_usage(const struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "curfew: ");
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (command)
        fprintf(stderr, "\nusage: curfew %s %s\n", command->name, command->arguments);
    else
        fprintf(stderr, "\n`curfew --help` lists the commands\n");
    return EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

// ---- global options, before the command

struct global_options {
    const char *token_file, *output;
    bool help, version;
};

// Returns the index of the command's name, or argc when there is none.
static int read_globals(struct cli *cli, struct global_options *options, int argc, char **argv, struct err *err)
{
    const struct option_spec specs[] = {
        {"--server", &cli->server, NULL}, {"--token-file", &options->token_file, NULL},
        {"-o", &options->output, NULL},   {"--help", NULL, &options->help},
        {"-h", NULL, &options->help},     {"--version", NULL, &options->version},
    };
    int command = 1;
    while (command < argc && argv[command][0] == '-') {
        bool has_value = strchr(argv[command], '=') == NULL;
        for (size_t i = 0; i < ARRAY_LEN(specs) && has_value; i++)
            if (strcmp(specs[i].name, argv[command]) == 0 && specs[i].value)
                command++;
        command++;
    }
    if (command > argc)
        command = argc;
    char *words[64] = {0};
    if (command >= (int)ARRAY_LEN(words))
        return err_set(err, ERR_INVALID, "too many options");
    memcpy(words, argv, (size_t)command * sizeof *words);
    struct cli scratch = {.argc = command, .argv = words};
    return cli_options(&scratch, specs, ARRAY_LEN(specs), err) < 0 ? -1 : command;
}

// Options of every command, which may stand behind its name too: -o json.
static void read_late_output(struct cli *cli)
{
    int kept = 1;
    for (int i = 1; i < cli->argc; i++) {
        if (strcmp(cli->argv[i], "-o") == 0 && cli->argv[i + 1] && strcmp(cli->argv[i + 1], "json") == 0) {
            cli->json = true;
            i++;
        } else {
            cli->argv[kept++] = cli->argv[i];
        }
    }
    cli->argv[kept] = NULL;
    cli->argc = kept;
}

static int read_token(struct cli *cli, const char *path, struct err *err)
{
    size_t length;
    if (!path || !*path)
        return 0;
    if (file_read(path, TOKEN_BYTES_MAX, &cli->token, &length, err) < 0)
        return -1;
    cli->token[strcspn(cli->token, "\r\n")] = '\0';
    return 0;
}

static int prepare(struct cli *cli, const struct global_options *options, struct err *err)
{
    const char *no_color = getenv("NO_COLOR");
    if (options->output && strcmp(options->output, "json") != 0)
        return err_set(err, ERR_INVALID, "-o knows json only");
    cli->json = options->output != NULL;
    cli->terminal = isatty(STDOUT_FILENO);
    cli->color = cli->terminal && (!no_color || !*no_color);
    if (!cli->server)
        cli->server = getenv("CURFEW_SERVER");
    if (!cli->server || !*cli->server)
        cli->server = DEFAULT_SERVER;
    return read_token(cli, options->token_file ? options->token_file : getenv("CURFEW_TOKEN_FILE"), err);
}

static int run_command(struct cli *cli, const struct command *command)
{
    for (int i = 1; i < cli->argc; i++)
        if (strcmp(cli->argv[i], "--help") == 0 || strcmp(cli->argv[i], "-h") == 0) {
            print_command_help(command);
            return 0;
        }
    cli->command = command;
    read_late_output(cli);
    struct err err = {0};
    const struct http_client_settings settings = {
        .base_url = cli->server, .token = cli->token, .user_agent = "curfew/" CURFEW_VERSION};
    if (http_client_new(&settings, &cli->client, &err) < 0)
        return cli_fail(&err);
    int status = command->run(cli);
    http_client_free(cli->client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "curfew: output could not be written\n");
        return status ? status : EXIT_ERROR;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct global_options options = {0};
    struct err err = {0};
    int first = read_globals(&cli, &options, argc, argv, &err);
    if (first < 0)
        return cli_usage(NULL, "%s", err.text);
    if (options.help || options.version) {
        if (options.version)
            printf("curfew " CURFEW_VERSION "\n");
        else
            print_help(stdout);
        return 0;
    }
    if (first == argc) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const struct command *command = find_command(argv[first]);
    if (!command)
        return cli_usage(NULL, "there is no command '%.100s'", argv[first]);
    if (prepare(&cli, &options, &err) < 0)
        return cli_usage(NULL, "%s", err.text);
    cli.argc = argc - first;
    cli.argv = argv + first;
    int status = run_command(&cli, command);
    free(cli.token);
    return status;
}
