// The operating system's side of a PostgreSQL cluster: its processes, found from its data directory or its postmaster.
#pragma once

#include <sys/types.h>

// The postmaster that runs on this data directory, 0 when none does. Never another process, whatever postmaster.pid
// says.
pid_t pg_processes_postmaster(const char *data_directory);
// Sends a signal to the postmaster and all of its children; the postmaster is kept from making more meanwhile.
void pg_processes_signal(pid_t postmaster, int signal_number);
// SIGKILL to all, and waits until they are gone. Reaps the postmaster when it is a child of ours.
void pg_processes_kill(pid_t postmaster);
// Removes the shared memory that a killed server left behind.
void pg_processes_clear_memory(const char *data_directory);
// Stops what runs on directory/data immediately and removes the directory. Safe in a forked child.
void pg_processes_remove(const char *directory);
