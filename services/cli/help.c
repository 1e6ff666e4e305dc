// What `--help` prints, and docs/reference/cli.md: both from the tables.
#include "services/cli/cli.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "services/common/base/wrap.h"

#include <string.h>

#define PLACE_MAX 64

// "-d, --detach" or "    --port N"
static void name_option(const struct option *option, char out[static PLACE_MAX])
{
    snprintf(out, PLACE_MAX, "%s%s%s%s%s", option->letter ? option->letter : "  ", option->letter ? ", " : "  ",
             option->name, option->value ? " " : "", option->value ? option->value : "");
}

static void print_options(FILE *out, const char *title, const struct option *options, size_t count)
{
    int width = 0;
    char name[PLACE_MAX];
    for (size_t i = 0; i < count && options[i].name; i++) {
        name_option(&options[i], name);
        width = (int)strlen(name) > width ? (int)strlen(name) : width;
    }
    if (width == 0)
        return;
    fprintf(out, "\n%s:\n", title);
    for (size_t i = 0; i < count && options[i].name; i++) {
        name_option(&options[i], name);
        wrap_print(out, options[i].text, width + 4, fprintf(out, "  %-*s  ", width, name));
    }
}

static void print_statuses(FILE *out, bool tells_outcome)
{
    fprintf(out, "\nExit status:\n");
    for (size_t i = 0; i < exit_meaning_count; i++)
        if (tells_outcome || !exit_meanings[i].of_outcome)
            wrap_print(out, exit_meanings[i].text, 7, fprintf(out, "  %3d  ", exit_meanings[i].status));
}

// "curfew why [OPTIONS] JOB [TASK|SERVICE]"
static void print_call(FILE *out, const struct command *command)
{
    fprintf(out, "curfew %s%s%s%s", command->name, command->options[0].name ? " [OPTIONS]" : "",
            command->argument ? " " : "", command->argument ? command->argument : "");
    if (command->second)
        fprintf(out, " [%s]", command->second);
}

// Its summary as a sentence, and what more there is to say.
static void describe(struct strbuf *out, const struct command *command)
{
    strbuf_add_format(out, "%c%s.%s%s", command->summary[0] - 'a' + 'A', command->summary + 1, command->more ? " " : "",
                      command->more ? command->more : "");
}

static void print_usage(FILE *out, const struct command *command)
{
    fputs("usage: ", out);
    print_call(out, command);
    fputs("\n", out);
}

void cli_print_help(FILE *out)
{
    fprintf(out, "usage: curfew [OPTIONS] COMMAND ...\n\n");
    wrap_print(out, "Runs batch jobs that need helper services, and sends the services home when the job is done.", 0,
               0);
    fprintf(out, "\nCommands:\n");
    for (size_t i = 0; i < command_count; i++)
        wrap_print(out, commands[i].summary, 12, fprintf(out, "  %-9s ", commands[i].name));
    fprintf(out, "\n`curfew COMMAND --help` shows a command's options.\n");
    print_options(out, "Options, before or behind the command", global_options, GLOBAL_OPTIONS_MAX);
    fprintf(out, "\n");
    wrap_print(out,
               "Environment: CURFEW_SERVER, CURFEW_CA_FILE, CURFEW_TOKEN_FILE or _COMMAND; NO_COLOR for no colours.", 0,
               0);
    print_statuses(out, true);
}

void cli_print_command_help(FILE *out, const struct command *command)
{
    AUTO_STRBUF struct strbuf about = STRBUF_INIT;
    print_usage(out, command);
    describe(&about, command);
    fprintf(out, "\n");
    wrap_print(out, strbuf_text(&about), 0, 0);
    print_options(out, "Options", command->options, COMMAND_OPTIONS_MAX);
    print_statuses(out, command->tells_outcome);
    fprintf(out, "\n`curfew --help` lists the options that every command has.\n");
}

// ---- Markdown

static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void print_option_rows(FILE *out, const struct option *options, size_t count)
{
    if (!options[0].name)
        return;
    fprintf(out, "\n| Option | Meaning |\n| --- | --- |\n");
    for (size_t i = 0; i < count && options[i].name; i++) {
        fprintf(out, "| `%s", options[i].name);
        if (options[i].value) {
            fprintf(out, " ");
            print_escaped(out, options[i].value);
        }
        fprintf(out, "`");
        if (options[i].letter)
            fprintf(out, ", `%s`", options[i].letter);
        fprintf(out, " | ");
        print_escaped(out, options[i].text);
        fprintf(out, " |\n");
    }
}

static void print_command_section(FILE *out, const struct command *command)
{
    AUTO_STRBUF struct strbuf about = STRBUF_INIT;
    fprintf(out, "\n### curfew %s\n\n`", command->name);
    print_call(out, command);
    fputs("`\n\n", out);
    describe(&about, command);
    fprintf(out, "%s\n", strbuf_text(&about));
    if (command->tells_outcome)
        fprintf(out, "\nThe exit status is the job's outcome.\n");
    print_option_rows(out, command->options, COMMAND_OPTIONS_MAX);
}

void cli_print_markdown(FILE *out)
{
    fprintf(out, "# The command line\n\nPrinted from the tables of `curfew` (`--help` prints the same). It talks to a "
                 "manager over HTTP.\n\n## Options of every command\n\nThey stand before the command or behind it.\n");
    print_option_rows(out, global_options, GLOBAL_OPTIONS_MAX);
    fprintf(out,
            "\nColours and the progress bar are for terminals only. A variable `NO_COLOR` that is not empty switches "
            "colours off, `TERM=dumb` both.\n\n## Exit status\n\nWhat a job's outcome is comes from the job itself, "
            "never from a connection that ended.\n\n| Status | Meaning |\n| --- | --- |\n");
    for (size_t i = 0; i < exit_meaning_count; i++)
        fprintf(out, "| %d | %s |\n", exit_meanings[i].status, exit_meanings[i].text);
    fprintf(out, "\n## Commands\n");
    for (size_t i = 0; i < command_count; i++)
        print_command_section(out, &commands[i]);
}
