// A private PostgreSQL cluster for one test program: Unix socket in a private directory only, ended and removed with
// the program, however that ends.
//
//     static int setup(void **state) { *state = pg_start(0); return 0; }         // cmocka group setup
//     static int teardown(void **state) { pg_stop(*state); return 0; }
//     ... const char *conninfo = pg_database_new(pg);                            // fresh, migrated, a few ms
//
// What goes wrong in here ends the test program with a message and the server's log.
#pragma once

#include "services/common/base/cleanup.h"

#include <sys/types.h>

struct pg;

enum pg_flag {
    PG_FSYNC = 1,      // as in production; without it kill -9 of the server is fine too, but not of the machine. Slower
    PG_STATEMENTS = 2, // counts statements: databases may have the extension pg_stat_statements
};

struct pg *pg_start(unsigned flags);
void pg_stop(struct pg *pg); // immediately, and removes everything; takes NULL
DEFINE_CLEANUP(struct pg *, pg_stop);
#define AUTO_PG CLEANUP(cleanup_pg_stop)

// A new database with the schema of store/migrations; its conninfo, owned by pg.
const char *pg_database_new(struct pg *pg);
const char *pg_database_empty(struct pg *pg); // the same without schema
const char *pg_admin(const struct pg *pg);    // conninfo of the database `postgres`, as superuser
const char *pg_socket_dir(const struct pg *pg);
pid_t pg_pid(const struct pg *pg); // the postmaster's

void pg_kill(struct pg *pg);    // SIGKILL to all of its processes; the data stays
void pg_restart(struct pg *pg); // starts it again on the same socket (after pg_kill, or stopping it fast), waits until
                                // it takes connections
void pg_freeze(struct pg *pg);  // SIGSTOP to all of its processes
void pg_thaw(struct pg *pg);
