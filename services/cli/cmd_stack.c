// up, down, run, validate: what needs no manager elsewhere.
#include "services/cli/commands.h"
#include "services/cli/follow.h"
#include "services/cli/job_file.h"
#include "services/cli/one_job.h"
#include "services/cli/stack.h"
#include "services/cli/submit.h"
#include "services/common/base/fd.h"
#include "services/common/base/parse.h"

#include <stdio.h>
#include <stdlib.h>

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
    const char *directory = NULL, *port = NULL, *slots = NULL;
    const struct option_spec options[] = {
        {"--dir", &directory, NULL}, {"--port", &port, NULL}, {"--slots", &slots, NULL}};
    struct stack_settings settings = {0};
    char url[STACK_URL_SIZE];
    struct err err;
    if (cli_options(cli, options, ARRAY_LEN(options), &err) < 0 ||
        number(port, 65535, "--port", &settings.port, &err) < 0 ||
        number(slots, 4096, "--slots", &settings.slots, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 1 || !directory)
        return cli_usage(cli->command, "--dir is needed, and nothing else");
    settings.directory = directory;
    if (stack_up(&settings, url, &err) < 0)
        return cli_fail(&err);
    printf("%s\n", url);
    return 0;
}

int cmd_down(struct cli *cli)
{
    const char *directory = NULL;
    const struct option_spec options[] = {{"--dir", &directory, NULL}};
    struct err err;
    if (cli_options(cli, options, ARRAY_LEN(options), &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 1 || !directory)
        return cli_usage(cli->command, "--dir is needed, and nothing else");
    int was_up = stack_down(directory, &err);
    if (was_up < 0)
        return cli_fail(&err);
    fprintf(stderr, was_up == 0 ? "ended\n" : "was not up\n");
    return 0;
}

int cmd_validate(struct cli *cli)
{
    AUTO_JOB_FILE struct job_file file = {0};
    struct err err;
    if (cli_options(cli, NULL, 0, &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 2)
        return cli_usage(cli->command, "one job file is needed");
    if (job_file_read(cli->argv[1], &file, &err) < 0)
        return cli_fail(&err);
    printf("%s is right\n", cli->argv[1]);
    return 0;
}

// Submits to the stack, follows, and prints the results. The exit status is the job's.
static int run_job(struct cli *cli, struct job_file *file)
{
    char job[SUBMIT_ID_SIZE], path[256];
    struct err err;
    if (job_file_bundle(cli, file, &err) < 0 || submit_job(cli, file, NULL, job, &err) < 0)
        return cli_fail(&err);
    const struct follow_settings settings = {.quiet = cli->json};
    int status = follow_job(cli, job, &settings);
    if (api_job_path(job, "/results", path, sizeof path, &err) < 0 || api_stream(cli, path, &err) < 0)
        return cli_fail(&err);
    return status;
}

static int run_on_stack(struct cli *cli, struct job_file *file, const struct stack_settings *settings)
{
    char url[STACK_URL_SIZE];
    struct err err;
    int started = stack_up(settings, url, &err);
    if (started < 0)
        return cli_fail(&err);
    http_client_free(cli->client);
    cli->client = NULL;
    const struct http_client_settings client = {.base_url = url};
    int status = http_client_new(&client, &cli->client, &err) < 0 ? cli_fail(&err) : run_job(cli, file);
    if (started == STACK_STARTED && stack_down(settings->directory, &err) < 0)
        cli_fail(&err);
    return status;
}

int cmd_run(struct cli *cli)
{
    const char *directory = NULL;
    char made[] = "/tmp/curfew-XXXXXX";
    const struct option_spec options[] = {{"--dir", &directory, NULL}};
    AUTO_JOB_FILE struct job_file file = {0};
    struct err err;
    if (cli_options(cli, options, ARRAY_LEN(options), &err) < 0)
        return cli_usage(cli->command, "%s", err.text);
    if (cli->argc != 2)
        return cli_usage(cli->command, "one job file is needed");
    if (job_file_read(cli->argv[1], &file, &err) < 0)
        return cli_fail(&err);
    if (!directory && !mkdtemp(made)) {
        err_set(&err, ERR_IO, "no temporary directory in /tmp");
        return cli_fail(&err);
    }
    const struct stack_settings settings = {.directory = directory ? directory : made, .foreground_ends = true};
    int status = run_on_stack(cli, &file, &settings);
    if (!directory && tree_remove(made, &err) < 0)
        cli_fail(&err);
    return status;
}
