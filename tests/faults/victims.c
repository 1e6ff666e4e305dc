#include "tests/faults/victims.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "tests/support/oracle.h"
#include "tests/support/pg.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PIDS_MAX 1024

static const char *const names[VICTIM_COUNT] = {
    [VICTIM_WORKER] = "worker",   [VICTIM_MANAGER] = "manager",
    [VICTIM_REAPER] = "reaper",   [VICTIM_POSTGRES] = "postgres",
    [VICTIM_SHIM] = "shim",       [VICTIM_SERVICE] = "service",
    [VICTIM_DOCKERD] = "dockerd", [VICTIM_CONTAINERD] = "containerd",
};

static const enum victim of_processes[] = {VICTIM_WORKER,   VICTIM_MANAGER, VICTIM_REAPER,
                                           VICTIM_POSTGRES, VICTIM_SHIM,    VICTIM_SERVICE};
static const enum victim of_containers[] = {VICTIM_WORKER, VICTIM_MANAGER, VICTIM_REAPER, VICTIM_DOCKERD,
                                            VICTIM_CONTAINERD};
const struct victims victims_of_processes = {of_processes, ARRAY_LEN(of_processes)};
const struct victims victims_of_containers = {of_containers, ARRAY_LEN(of_containers)};

const char *victim_name(enum victim victim)
{
    return names[victim];
}

static bool kill_program(struct system *system, enum system_part part, unsigned choice, int pause_ms)
{
    int index = (int)(choice % (unsigned)system_count(system, part));
    system_kill(system, part, index);
    poll(NULL, 0, pause_ms);
    system_restart(system, part, index);
    return true;
}

// Reads /proc/PID/NAME; "" when the process has gone.
static void read_process(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];
    AUTO_FILE FILE *file = NULL;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    size_t length = file ? fread(out, 1, size - 1, file) : 0;
    out[length] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static bool is_victim(pid_t pid, const char *command, bool main_of_service)
{
    char name[64], environment[8192];
    read_process(pid, "comm", name, sizeof name);
    if (strcmp(name, command) != 0)
        return false;
    if (!main_of_service)
        return true;
    read_process(pid, "environ", environment, sizeof environment);
    for (const char *variable = environment; *variable; variable += strlen(variable) + 1)
        if (strncmp(variable, "CURFEW_SERVICE=", 15) == 0)
            return true;
    return false;
}

// Only what carries the marker of this system is ever looked at.
static bool kill_marked(struct system *system, const char *command, bool main_of_service, unsigned choice)
{
    pid_t pids[PIDS_MAX], fitting[PIDS_MAX];
    int64_t found = oracle_find(system_marker(system), pids, PIDS_MAX);
    unsigned count = 0;
    for (int64_t i = 0; i < found && i < PIDS_MAX; i++)
        if (is_victim(pids[i], command, main_of_service))
            fitting[count++] = pids[i];
    return count > 0 && kill(fitting[choice % count], SIGKILL) == 0;
}

bool victim_kill(struct system *system, struct engine *engine, enum victim victim, unsigned choice, int pause_ms)
{
    switch (victim) {
    case VICTIM_WORKER:
        return kill_program(system, SYSTEM_WORKER, choice, pause_ms);
    case VICTIM_MANAGER:
        return kill_program(system, SYSTEM_MANAGER, choice, pause_ms);
    case VICTIM_REAPER:
        return kill_program(system, SYSTEM_REAPER, choice, pause_ms);
    case VICTIM_POSTGRES:
        pg_kill(system_pg(system));
        poll(NULL, 0, pause_ms);
        pg_restart(system_pg(system));
        return true;
    case VICTIM_SHIM:
        return kill_marked(system, "curfew-shim", false, choice);
    case VICTIM_SERVICE:
        return kill_marked(system, "nasty", true, choice);
    case VICTIM_DOCKERD:
        if (!engine_kill(engine, ENGINE_DOCKERD))
            return false;
        poll(NULL, 0, pause_ms);
        engine_restart(engine);
        return true;
    case VICTIM_CONTAINERD: // dockerd starts it again
        return engine_kill(engine, ENGINE_CONTAINERD);
    }
    return false;
}
