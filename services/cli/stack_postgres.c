#include "services/cli/stack_postgres.h"

#include "services/common/base/fd.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTALLED "/usr/lib/postgresql/*/bin/initdb"
#define OLDEST 13
#define INITDB_TIMEOUT_MS 120000

static int newest(const glob_t *found, const char **out)
{
    int best = 0;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        int version = atoi(found->gl_pathv[i] + strlen("/usr/lib/postgresql/"));
        if (version > best) {
            best = version;
            *out = found->gl_pathv[i];
        }
    }
    return best;
}

static int find_binaries(struct stack_postgres *postgres, struct err *err)
{
    glob_t found = {0};
    const char *initdb = NULL;
    glob(INSTALLED, 0, NULL, &found);
    int version = newest(&found, &initdb);
    if (version >= OLDEST) {
        snprintf(postgres->initdb, sizeof postgres->initdb, "%s", initdb);
        snprintf(postgres->server, sizeof postgres->server, "%.*s/postgres", (int)(strrchr(initdb, '/') - initdb),
                 initdb);
    }
    globfree(&found);
    return version >= OLDEST ? 0
                             : err_set(err, ERR_UNSUPPORTED,
                                       "no PostgreSQL %d or newer is installed: apt-get install postgresql", OLDEST);
}

int stack_postgres_find(struct stack_postgres *postgres, struct err *err)
{
    postgres->uid = geteuid();
    postgres->gid = getegid();
    if (postgres->uid == 0) {
        const struct passwd *user = getpwnam("postgres");
        if (!user)
            return err_set(err, ERR_UNSUPPORTED, "PostgreSQL does not run as root, and there is no user postgres");
        postgres->uid = user->pw_uid;
        postgres->gid = user->pw_gid;
    }
    return find_binaries(postgres, err);
}

// A directory of the database's user.
static int make_own(const struct stack_postgres *postgres, const char *path, struct err *err)
{
    if (dir_make(path, 0700, err) < 0)
        return -1;
    if (chown(path, postgres->uid, postgres->gid) < 0)
        return err_errno(err, ERR_IO, errno, "owner of '%.180s'", path);
    return 0;
}

// The directory itself has to let the database's user through to its own.
static int let_through(const struct stack_postgres *postgres, const struct stack_paths *paths, struct err *err)
{
    if (postgres->uid == geteuid())
        return 0;
    if (chmod(paths->directory, 0711) < 0 || chmod(paths->run, 0711) < 0)
        return err_errno(err, ERR_IO, errno, "mode of '%.180s'", paths->directory);
    return 0;
}

static int make_cluster(const struct stack_postgres *postgres, const struct stack_paths *paths, struct err *err)
{
    char initdb[PATH_MAX], cluster[PATH_MAX];
    snprintf(initdb, sizeof initdb, "%s", postgres->initdb);
    snprintf(cluster, sizeof cluster, "%s", paths->cluster);
    char *argv[] = {initdb, "--pgdata", cluster, "--username",        "curfew", "--auth", "trust", "--encoding",
                    "UTF8", "--locale", "C",     "--no-instructions", NULL};
    struct stack_program program = {
        .name = "initdb", .argv = argv, .uid = postgres->uid, .gid = postgres->gid, .stop_signal = SIGTERM};
    if (tree_remove(paths->cluster, err) < 0 || make_own(postgres, paths->cluster, err) < 0)
        return -1;
    return stack_program_run(&program, paths->log, INITDB_TIMEOUT_MS, err);
}

int stack_postgres_prepare(const struct stack_postgres *postgres, const struct stack_paths *paths, struct err *err)
{
    char made[PATH_MAX + 16];
    snprintf(made, sizeof made, "%s/made", paths->directory);
    if (dir_make(paths->log, 0755, err) < 0 || let_through(postgres, paths, err) < 0 ||
        make_own(postgres, paths->sockets, err) < 0)
        return -1;
    if (access(made, F_OK) == 0)
        return 0;
    if (make_cluster(postgres, paths, err) < 0)
        return -1;
    return file_replace(made, "initdb\n", 7, 0600, err); // last: a cluster without it is not whole
}
