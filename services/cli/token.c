#include "services/cli/token.h"

#include "services/cli/cli.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOKEN_BYTES_MAX 4096
#define WORDS_MAX 64
#define PATIENCE_MS 60000 // with its output
#define ENDING_MS 2000    // from the end of its output to its own

// ---- a command

static int start(char *const words[], int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int error = posix_spawnp(pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

// Its output up to the end of file: as many bytes as there are, or -1 when it takes too long or says too much.
static ssize_t collect(int fd, char out[static TOKEN_BYTES_MAX + 1])
{
    int64_t deadline_ms = clock_boot_ms() + PATIENCE_MS;
    size_t length = 0;
    while (length <= TOKEN_BYTES_MAX) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left_ms = deadline_ms - clock_boot_ms();
        if (left_ms <= 0 || (poll(&ready, 1, (int)left_ms) < 0 && errno != EINTR))
            return -1;
        if (!ready.revents)
            continue;
        ssize_t got = read(fd, out + length, TOKEN_BYTES_MAX + 1 - length);
        if (got == 0)
            return (ssize_t)length;
        if (got < 0 && errno != EINTR)
            return -1;
        length += got > 0 ? (size_t)got : 0;
    }
    return -1;
}

// Whoever has said everything has nothing left to do.
static void end_late(pid_t pid)
{
    AUTO_CLOSE int process = process_open(pid);
    struct pollfd ended = {.fd = process, .events = POLLIN};
    int ready;
    do
        ready = poll(&ended, 1, ENDING_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        kill(pid, SIGKILL);
}

static int ended_well(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int run(char *const words[], char **out, struct err *err)
{
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int theirs = -1;
    char text[TOKEN_BYTES_MAX + 2];
    pid_t pid;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(err, ERR_IO, errno, "pipe for the token command");
    ours = ends[0];
    theirs = ends[1];
    int error = start(words, theirs, &pid);
    cleanup_close(&theirs);
    if (error != 0)
        return err_errno(err, ERR_INVALID, error, "start of the token command '%.100s'", words[0]);
    ssize_t length = collect(ours, text);
    if (length < 0)
        kill(pid, SIGKILL);
    else
        end_late(pid);
    if (ended_well(pid) < 0 || length < 0)
        return err_set(err, ERR_INVALID, "the token command '%.100s' has failed", words[0]);
    text[length] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    *out = *text ? strdup(text) : NULL;
    explicit_bzero(text, sizeof(text));
    return *out ? 0 : err_set(err, ERR_INVALID, "the token command '%.100s' prints no token", words[0]);
}

int token_of_command(const char *command, char **out, struct err *err)
{
    AUTO_FREE char *copy = strdup(command);
    char *words[WORDS_MAX + 1] = {NULL}, *rest = NULL;
    size_t count = 0;
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "no memory for the token command");
    for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (count == WORDS_MAX)
            return err_set(err, ERR_INVALID, "the token command has more than %d words", WORDS_MAX);
        words[count++] = word;
    }
    return count > 0 ? run(words, out, err) : err_set(err, ERR_INVALID, "the token command is empty");
}

// ---- which one

static int of_file(const char *path, char **out, struct err *err)
{
    size_t length;
    if (file_read(path, TOKEN_BYTES_MAX, out, &length, err) < 0) {
        err->code = ERR_INVALID; // wrong arguments, whatever was wrong with the file
        return -1;
    }
    (*out)[strcspn(*out, "\r\n")] = '\0';
    return 0;
}

static const char *of_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

int token_read_own(struct cli *cli, struct err *err)
{
    const char *path = cli_global(cli, "--token-file"), *command = cli_global(cli, "--token-command");
    if (path && command)
        return err_set(err, ERR_INVALID, "--token-file and --token-command are two tokens: give one");
    if (!path && !command) {
        path = of_environment("CURFEW_TOKEN_FILE");
        command = of_environment("CURFEW_TOKEN_COMMAND");
    }
    if (path && *path)
        return of_file(path, &cli->token, err);
    return command ? token_of_command(command, &cli->token, err) : 0;
}
