// Runs a command with a private PostgreSQL of the same settings as all measurements: with_postgres COMMAND
// [ARGUMENT...]
//
// The command finds it by PGHOST, PGUSER and PGDATABASE. Exits as the command did.
#include "tests/support/die.h"
#include "tests/support/pg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage: with_postgres COMMAND [ARGUMENT...]");
    AUTO_PG struct pg *pg = pg_start(PG_FSYNC);
    setenv("PGHOST", pg_socket_dir(pg), 1);
    setenv("PGUSER", "postgres", 1);
    setenv("PGDATABASE", "postgres", 1);
    pid_t child = fork();
    if (child < 0)
        die("fork: %s", strerror(errno));
    if (child == 0) {
        execvp(argv[1], &argv[1]);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
