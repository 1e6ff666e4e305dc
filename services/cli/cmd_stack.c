// up, down, run, validate: what needs no manager elsewhere.
#include "services/cli/api.h"
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/interrupt.h"
#include "services/cli/job_file.h"
#include "services/cli/stack.h"
#include "services/cli/stream.h"
#include "services/cli/submit.h"
#include "services/common/base/parse.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(const char *text, int64_t max, const char *what, int *out, struct err *err)
{
    int64_t value = 0;
    if (text && parse_i64(text, 0, max, what, &value, err) < 0)
        return -1;
    *out = (int)value;
    return 0;
}

int cmd_up(struct cli *cli)
{
    struct stack_settings settings = {.directory = cli_option(cli, "--dir")};
    char url[STACK_URL_SIZE];
    struct err err;
    if (number(cli_option(cli, "--port"), 65535, "--port", &settings.port, &err) < 0 ||
        number(cli_option(cli, "--slots"), 4096, "--slots", &settings.slots, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (!settings.directory)
        return cli_usage(cli->command, "up needs --dir");
    int outcome = stack_up(&settings, url, &err);
    if (outcome < 0)
        return cli_fail(&err);
    if (outcome == STACK_WAS_UP && settings.port != 0 && atoi(strrchr(url, ':') + 1) != settings.port)
        fprintf(stderr, "curfew: it is up already, on another port than %d\n", settings.port);
    printf(cli->json ? "{\"server\": \"%s\"}\n" : "%s\n", url);
    return 0;
}

int cmd_down(struct cli *cli)
{
    const char *directory = cli_option(cli, "--dir");
    struct err err;
    if (!directory)
        return cli_usage(cli->command, "down needs --dir");
    int outcome = stack_down(directory, &err);
    if (outcome == STACK_WAS_NEVER) // of another name it may be up still
        outcome = err_set(&err, ERR_INVALID, "--dir: there is no Curfew in '%.180s'", directory);
    if (outcome < 0)
        return cli_fail(&err);
    if (cli->json)
        printf("{\"was_up\": %s}\n", outcome == STACK_ENDED ? "true" : "false");
    else
        fprintf(stderr, outcome == STACK_ENDED ? "ended\n" : "was not up\n");
    return 0;
}

int cmd_validate(struct cli *cli)
{
    AUTO_JOB_FILE struct job_file file = {0};
    struct err err;
    if (job_file_read(cli->argument, &file, &err) < 0)
        return cli_fail(&err);
    if (cli->json)
        printf("%s\n", strbuf_text(&file.json));
    else
        printf("%s is right\n", cli->argument);
    return 0;
}

// Submits to the stack, follows, and prints the results. The exit status is the job's.
static int run_job(struct cli *cli, struct job_file *file)
{
    char job[SUBMIT_ID_SIZE];
    struct err err;
    if (submit_job(cli, file, NULL, job, &err) < 0)
        return cli_fail(&err);
    const struct follow_settings settings = {.quiet = cli->json, .is_known = true, .stop_on_interrupt = true};
    int status = follow_job(cli, job, &settings);
    if (status > EXIT_UNFINISHED)
        return status; // nothing is known of the job
    return stream_job(cli, job, "/results", false, &err) < 0 ? cli_fail(&err) : status;
}

static int run_on_stack(struct cli *cli, struct job_file *file, const struct stack_settings *settings)
{
    char url[STACK_URL_SIZE];
    struct err err;
    if (cli->terminal)
        fprintf(stderr, "starting PostgreSQL, job manager, reaper and worker\n");
    int started = stack_up(settings, url, &err);
    if (started < 0)
        return cli_fail(&err);
    interrupt_note();
    const struct http_client_settings client = {.base_url = url};
    int status = http_client_new(&client, &cli->client, &err) < 0 ? cli_fail(&err) : run_job(cli, file);
    fflush(stdout);
    if (started == STACK_STARTED && stack_down(settings->directory, &err) < 0)
        cli_fail(&err);
    return status;
}

int cmd_run(struct cli *cli)
{
    const char *directory = cli_option(cli, "--dir");
    char made[PATH_MAX];
    AUTO_JOB_FILE struct job_file file = {0};
    struct err err;
    if (job_file_read(cli->argument, &file, &err) < 0)
        return cli_fail(&err);
    const char *parent = getenv("TMPDIR");
    snprintf(made, sizeof made, "%s/curfew-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!directory && !mkdtemp(made)) {
        err_errno(&err, ERR_IO, errno, "temporary directory '%.150s'", made);
        return cli_fail(&err);
    }
    const struct stack_settings settings = {
        .directory = directory ? directory : made, .foreground_ends = true, .is_temporary = !directory};
    return run_on_stack(cli, &file, &settings);
}
