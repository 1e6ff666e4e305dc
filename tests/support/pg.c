#include "tests/support/pg.h"

#include "services/common/base/fd.h"
#include "services/common/db/migrate.h"
#include "services/common/store/embedded.h"
#include "tests/support/die.h"
#include "tests/support/pg_guard.h"
#include "tests/support/pg_processes.h"
#include "tests/support/process.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SERVER_USER "postgres" // when we are root, which PostgreSQL refuses
#define CONNINFO_SIZE 128
#define START_TIMEOUT_MS 60000
#define TEMPLATE_DATABASE "template_curfew"

struct database {
    struct database *next;
    char conninfo[CONNINFO_SIZE];
};

struct pg {
    unsigned flags;
    char directory[32]; // holds the socket and data/
    char data[40];
    char admin[CONNINFO_SIZE];
    struct pg_guard guard;
    struct process *postmaster;
    struct db *db; // as admin
    bool has_template;
    int made; // databases so far
    struct database *databases;
};

// The directory of the server's programs: Debian's newest, else where initdb is in PATH.
static const char *find_programs(void)
{
    static char directory[PATH_MAX];
    glob_t found = {0};
    int newest = 0;
    glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int version = (int)strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
        if (version > newest)
            snprintf(directory, sizeof directory, "%s", found.gl_pathv[i]);
        newest = MAX(newest, version);
    }
    globfree(&found);
    if (!directory[0]) {
        const char *initdb = program_path("initdb");
        if (!initdb)
            die("initdb is neither in /usr/lib/postgresql/*/bin nor in PATH");
        snprintf(directory, sizeof directory, "%s", initdb);
    }
    *strrchr(directory, '/') = '\0';
    return directory;
}

static void run_or_die(const char *const argv[], const char *user)
{
    struct process *process AUTO_PROCESS = process_start(argv, &(struct process_options){.user = user});
    int status = process_wait(process, START_TIMEOUT_MS);
    if (status != 0)
        die("%s ended with %d: %s%s", argv[0], status, process_stdout(process), process_stderr(process));
}

static void make_directory(struct pg *pg)
{
    snprintf(pg->directory, sizeof pg->directory, "/tmp/curfew-pg-XXXXXX");
    if (!mkdtemp(pg->directory))
        die("mkdtemp: %s", strerror(errno));
    snprintf(pg->data, sizeof pg->data, "%s/data", pg->directory);
    snprintf(pg->admin, sizeof pg->admin, "host=%s dbname=postgres user=postgres", pg->directory);
    if (geteuid() != 0)
        return;
    const struct passwd *user = getpwnam(SERVER_USER);
    if (!user)
        die("there is no user %s", SERVER_USER);
    if (chown(pg->directory, user->pw_uid, user->pw_gid) < 0)
        die("chown: %s", strerror(errno));
}

static void run_initdb(const struct pg *pg)
{
    char initdb[PATH_MAX + 16];
    snprintf(initdb, sizeof initdb, "%s/initdb", find_programs());
    const char *const argv[] = {initdb, "-D",   pg->data,     "-U", "postgres",        "-A", "trust",
                                "-E",   "UTF8", "--locale=C", "-N", "--wal-segsize=1", NULL};
    run_or_die(argv, SERVER_USER);
}

// initdb takes seconds, a copy of what it made does not: kept per build, server and user.
static void make_data(const struct pg *pg)
{
    char cache[PATH_MAX], temporary[PATH_MAX + 16];
    struct err err;
    unsigned long programs = 5381;
    for (const char *c = find_programs(); *c; c++)
        programs = programs * 33 + (unsigned char)*c;
    snprintf(cache, sizeof cache, "%s/cache", build_dir());
    if (dir_make(cache, 0755, &err) < 0)
        die("%s", err.text);
    snprintf(cache, sizeof cache, "%s/cache/pg-%lx-%u", build_dir(), programs, (unsigned)geteuid());
    if (access(cache, F_OK) == 0) {
        run_or_die((const char *const[]){"cp", "-a", "--reflink=auto", cache, pg->data, NULL}, NULL);
        return;
    }
    run_initdb(pg);
    snprintf(temporary, sizeof temporary, "%s.%d", cache, (int)getpid());
    run_or_die((const char *const[]){"cp", "-a", pg->data, temporary, NULL}, NULL);
    if (rename(temporary, cache) < 0 && tree_remove(temporary, &err) < 0) // another program was first
        die("%s", err.text);
}

// postmaster.pid says "ready", and it is that of the server that we started.
static bool is_ready(void *context)
{
    struct pg *pg = context;
    char path[PATH_MAX];
    char *content AUTO_FREE = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/postmaster.pid", pg->data);
    if (!process_is_running(pg->postmaster))
        die("PostgreSQL ended: %s", process_stderr(pg->postmaster));
    return file_read(path, 1 << 16, &content, &length, NULL) == 0 &&
           strtol(content, NULL, 10) == process_pid(pg->postmaster) && strstr(content, "ready");
}

static void start_server(struct pg *pg)
{
    char postgres[PATH_MAX + 16];
    bool fsync = pg->flags & PG_FSYNC;
    snprintf(postgres, sizeof postgres, "%s/postgres", find_programs());
    const char *const argv[] = {postgres,
                                "-D",
                                pg->data,
                                "-k",
                                pg->directory,
                                "-clisten_addresses=",
                                "-cmax_connections=200",
                                "-cmax_wal_size=1GB",
                                "-cmin_wal_size=80MB",
                                "-cdynamic_shared_memory_type=mmap",
                                "-clog_min_messages=warning",
                                fsync ? "-cfsync=on" : "-cfsync=off",
                                fsync ? "-cfull_page_writes=on" : "-cfull_page_writes=off",
                                pg->flags & PG_STATEMENTS ? "-cshared_preload_libraries=pg_stat_statements" : NULL,
                                NULL};
    process_free(pg->postmaster);
    pg->postmaster = process_start(argv, &(struct process_options){.user = SERVER_USER, .survive = true});
    if (!wait_until(is_ready, pg, START_TIMEOUT_MS))
        die("PostgreSQL does not start: %s", process_stderr(pg->postmaster));
}

struct pg *pg_start(unsigned flags)
{
    struct err err;
    struct pg *pg = calloc(1, sizeof *pg);
    if (!pg)
        die("out of memory");
    pg->flags = flags;
    make_directory(pg);
    pg->guard = pg_guard_start(pg->directory);
    make_data(pg);
    start_server(pg);
    if (db_open(pg->admin, NULL, &pg->db, &err) < 0)
        die("%s", err.text);
    return pg;
}

void pg_stop(struct pg *pg)
{
    if (!pg)
        return;
    db_close(pg->db);
    process_signal(pg->postmaster, SIGQUIT);
    process_signal(pg->postmaster, SIGCONT);
    if (process_wait(pg->postmaster, START_TIMEOUT_MS) == -1)
        pg_processes_kill(process_pid(pg->postmaster));
    pg_guard_finish(&pg->guard); // removes the directory
    process_free(pg->postmaster);
    while (pg->databases) {
        struct database *next = pg->databases->next;
        free(pg->databases);
        pg->databases = next;
    }
    free(pg);
}

static void admin_sql(struct pg *pg, const char *sql)
{
    struct err err;
    if (db_wait_connected(pg->db, START_TIMEOUT_MS, &err) < 0 || db_sql(pg->db, sql, NULL, RESULT_TEXT, NULL, &err) < 0)
        die("%s: %s\n%s", sql, err.text, process_stderr(pg->postmaster));
}

static const char *add_database(struct pg *pg, const char *name)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database)
        die("out of memory");
    snprintf(database->conninfo, CONNINFO_SIZE, "host=%s dbname=%s user=postgres", pg->directory, name);
    database->next = pg->databases;
    pg->databases = database;
    return database->conninfo;
}

static const char *make_database(struct pg *pg, const char *template)
{
    char sql[128], name[32];
    snprintf(name, sizeof name, "test_%d", ++pg->made);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE %s", name, template);
    admin_sql(pg, sql);
    return add_database(pg, name);
}

static void make_template(struct pg *pg)
{
    struct db *db AUTO_DB = NULL;
    struct err err;
    if (pg->has_template)
        return;
    admin_sql(pg, "CREATE DATABASE " TEMPLATE_DATABASE);
    if (db_open(add_database(pg, TEMPLATE_DATABASE), NULL, &db, &err) < 0 ||
        migrate_run(db, store_migrations, store_migration_count, START_TIMEOUT_MS, &err) < 0)
        die("%s", err.text);
    pg->has_template = true;
}

const char *pg_database_new(struct pg *pg)
{
    make_template(pg);
    return make_database(pg, TEMPLATE_DATABASE);
}

const char *pg_database_empty(struct pg *pg)
{
    return make_database(pg, "template1");
}

const char *pg_admin(const struct pg *pg)
{
    return pg->admin;
}

const char *pg_socket_dir(const struct pg *pg)
{
    return pg->directory;
}

pid_t pg_pid(const struct pg *pg)
{
    return process_pid(pg->postmaster);
}

void pg_kill(struct pg *pg)
{
    if (process_is_running(pg->postmaster))
        pg_processes_kill(process_pid(pg->postmaster));
}

void pg_restart(struct pg *pg)
{
    process_signal(pg->postmaster, SIGINT);
    if (process_wait(pg->postmaster, START_TIMEOUT_MS) == -1)
        die("PostgreSQL does not stop");
    start_server(pg);
}

void pg_freeze(struct pg *pg)
{
    pg_processes_signal(process_pid(pg->postmaster), SIGSTOP);
}

void pg_thaw(struct pg *pg)
{
    pg_processes_signal(process_pid(pg->postmaster), SIGCONT);
}
