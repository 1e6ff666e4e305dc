#include "tests/support/system.h"

#include "services/common/base/fd.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "tests/support/contract_proxy.h"
#include "tests/support/die.h"
#include "tests/support/engine.h"
#include "tests/support/oracle.h"
#include "tests/support/pg.h"
#include "tests/support/process.h"
#include "tests/support/system_calls.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS_MAX 16
#define ARGUMENTS_MAX 32
#define START_MS 60000
#define LOG_TAIL_BYTES 6000

struct member {
    struct process *process;
    char name[24];
    char *arguments[ARGUMENTS_MAX];
    size_t argument_count;
    char port_file[128], url[64]; // of managers
    pid_t last_pid;
};

struct system {
    struct pg *pg;
    struct db *db;
    const char *conninfo;
    char *directory;
    char marker[64];
    int count[SYSTEM_PARTS];
    struct member members[SYSTEM_PARTS][MEMBERS_MAX];
    struct http_client *clients[MEMBERS_MAX];
    struct contract_proxy *proxies[MEMBERS_MAX]; // before each manager, for what is no client of the test
};

static const char *const part_names[] = {"manager", "worker", "reaper"};
static const char *const part_programs[] = {"curfew-jobmanager", "curfew-worker", "curfew-reaper"};

// ---- what they are started with

__attribute__((format(printf, 2, 3))) static void add(struct member *member, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (member->argument_count + 1 >= ARGUMENTS_MAX ||
        vasprintf(&member->arguments[member->argument_count], format, values) < 0)
        die("too many arguments");
    va_end(values);
    member->argument_count++;
}

static void add_program(struct system *system, enum system_part part, int index)
{
    struct member *member = &system->members[part][index];
    const char *program = program_path(part_programs[part]);
    if (!program)
        die("there is no %s", part_programs[part]);
    snprintf(member->name, sizeof(member->name), "%s-%d", part_names[part], index);
    add(member, "%s", program);
}

static void plan_manager(struct system *system, const struct system_plan *plan, int index)
{
    struct member *member = &system->members[SYSTEM_MANAGER][index];
    add_program(system, SYSTEM_MANAGER, index);
    snprintf(member->port_file, sizeof(member->port_file), "%s/%s-%d.port", system->directory,
             part_names[SYSTEM_MANAGER], index);
    add(member, "serve");
    add(member, "--listen=127.0.0.1:%s", member->url[0] ? strrchr(member->url, ':') + 1 : "0");
    add(member, "--port-file=%s", member->port_file);
    add(member, "--database-url=%s", system->conninfo);
    if (plan->patient)
        return;
    int lease_ms = plan->lease_ms ? plan->lease_ms : SYSTEM_LEASE_MS;
    add(member, "--worker-lease=%dms", lease_ms);
    add(member, "--worker-fence=%dms", lease_ms - 1000);
    add(member, "--worker-poll=500ms"); // two of them have to fit into the fence
    add(member, "--worker-skew=800ms");
}

static void plan_worker(struct system *system, const struct system_plan *plan, int index)
{
    struct member *member = &system->members[SYSTEM_WORKER][index];
    add_program(system, SYSTEM_WORKER, index);
    add(member, "--server=%s", system_program_url(system, index % system->count[SYSTEM_MANAGER]));
    add(member, "--name=%s", member->name);
    add(member, "--state-dir=%s/%s", system->directory, member->name);
    add(member, "--slots=%d", plan->slots ? plan->slots : 8);
    add(member, "--labels=name=%s", member->name);
    add(member, "--max-services=64");
    if (plan->engine) {
        add(member, "--engine=%s", engine_host(plan->engine));
        add(member, "--engine-address=" ENGINE_ADDRESS);
    }
    for (const char *const *more = plan->worker_settings; more && *more; more++)
        add(member, "%s", *more);
}

static void plan_reaper(struct system *system, const struct system_plan *plan, int index)
{
    struct member *member = &system->members[SYSTEM_REAPER][index];
    add_program(system, SYSTEM_REAPER, index);
    add(member, "--database-url=%s", system->conninfo);
    add(member, "--term=%s", plan->engine ? "5s" : "1s"); // an engine may be away for longer than a second
    if (!plan->patient)
        add(member, "--skew=800ms");
    add(member, "--patience=1s");
    if (plan->engine)
        add(member, "--engine=%s", engine_host(plan->engine));
}

// ---- their lives

static void launch(struct member *member)
{
    member->process = process_start((const char *const *)member->arguments, NULL);
    member->last_pid = process_pid(member->process);
}

// Keeps what it wrote in the directory of CURFEW_TEST_LOGS, if there is one, since a restart begins a new text.
static void keep_log(struct member *member)
{
    const char *directory = getenv("CURFEW_TEST_LOGS");
    char path[256];
    if (!directory || !member->process)
        return;
    snprintf(path, sizeof(path), "%s/%s.log", directory, member->name);
    FILE *file = fopen(path, "ae");
    if (!file)
        die("cannot write %s", path);
    fprintf(file, "---- %s %d\n%s", member->name, (int)member->last_pid, process_stderr(member->process));
    fclose(file);
}

static void bury(struct member *member)
{
    if (!member->process)
        return;
    process_signal(member->process, SIGKILL);
    if (process_wait(member->process, START_MS) == -1)
        die("%s does not end", member->name);
    const char *text = process_stderr(member->process);
    keep_log(member);
    if (strstr(text, "Sanitizer") || strstr(text, "runtime error:"))
        die("%s:\n%s", member->name, text);
    process_free(member->process);
    member->process = NULL;
}

static bool port_known(void *context)
{
    struct member *member = context;
    AUTO_FREE char *text = NULL;
    size_t length;
    if (!process_is_running(member->process))
        die("%s ended:\n%s", member->name, process_stderr(member->process));
    if (file_read(member->port_file, 32, &text, &length, NULL) < 0)
        return false;
    snprintf(member->url, sizeof(member->url), "http://127.0.0.1:%d", atoi(text));
    return true;
}

static void start_managers(struct system *system, const struct system_plan *plan)
{
    for (int i = 0; i < system->count[SYSTEM_MANAGER]; i++) {
        plan_manager(system, plan, i);
        launch(&system->members[SYSTEM_MANAGER][i]);
    }
    for (int i = 0; i < system->count[SYSTEM_MANAGER]; i++) {
        struct member *member = &system->members[SYSTEM_MANAGER][i];
        if (!wait_until(port_known, member, START_MS))
            die("%s does not listen:\n%s", member->name, process_stderr(member->process));
        free(member->arguments[2]); // from now on on this port
        if (asprintf(&member->arguments[2], "--listen=127.0.0.1:%s", strrchr(member->url, ':') + 1) < 0)
            die("out of memory");
        system->clients[i] = system_client(system, i);
        system->proxies[i] = contract_proxy_start(member->url);
    }
}

static void read_marker(struct system *system)
{
    struct err err;
    AUTO_RESULT struct result rows = RESULT_INIT;
    struct db_options options = {.application_name = "curfew tests",
                                 .statements = store_statements,
                                 .statement_count = STATEMENT_COUNT,
                                 .statement_timeout_ms = 120000};
    if (db_open(system->conninfo, &options, &system->db, &err) < 0 ||
        db_wait_connected(system->db, START_MS, &err) < 0 ||
        db_sql(system->db, "SELECT value FROM setting WHERE name = 'deployment'", NULL, RESULT_TEXT, &rows, &err) < 0)
        die("%s", err.text);
    snprintf(system->marker, sizeof(system->marker), "CURFEW_DEPLOYMENT=%s", result_text(&rows, 0, 0));
}

static int planned(int count)
{
    return count == 0 ? 1 : MAX(count, 0);
}

struct system *system_start(const struct system_plan *plan)
{
    struct system *system = calloc(1, sizeof(*system));
    if (!system)
        die("out of memory");
    system->directory = temp_dir_new();
    system->pg = pg_start(plan->pg_flags);
    system->conninfo = pg_database_new(system->pg);
    system->count[SYSTEM_MANAGER] = planned(plan->managers);
    system->count[SYSTEM_WORKER] = planned(plan->workers);
    system->count[SYSTEM_REAPER] = planned(plan->reapers);
    read_marker(system);
    start_managers(system, plan);
    for (int i = 0; i < system->count[SYSTEM_REAPER]; i++) {
        plan_reaper(system, plan, i);
        launch(&system->members[SYSTEM_REAPER][i]);
    }
    for (int i = 0; i < system->count[SYSTEM_WORKER]; i++) {
        plan_worker(system, plan, i);
        launch(&system->members[SYSTEM_WORKER][i]);
    }
    system_wait_ready(system, system->count[SYSTEM_WORKER]);
    return system;
}

static void end_part(struct system *system, enum system_part part)
{
    for (int i = 0; i < system->count[part]; i++) {
        struct member *member = &system->members[part][i];
        bury(member);
        for (size_t k = 0; k < member->argument_count; k++)
            free(member->arguments[k]);
    }
}

// What the workers were told was what the document says.
static void end_proxies(struct system *system)
{
    size_t count = 0;
    for (int i = 0; i < system->count[SYSTEM_MANAGER]; i++)
        count += contract_proxy_end(system->proxies[i]);
    if (count == 0 && system->count[SYSTEM_WORKER] > 0)
        die("no reply to a worker was checked");
}

void system_free(struct system *system)
{
    if (!system)
        return;
    end_part(system, SYSTEM_WORKER);
    int64_t left = oracle_wait_none(system->marker, 20000);
    if (left > 0) {
        oracle_print(system->marker);
        die("%d processes are left after the workers were killed", (int)left);
    }
    end_part(system, SYSTEM_REAPER);
    end_proxies(system);
    end_part(system, SYSTEM_MANAGER);
    for (int i = 0; i < system->count[SYSTEM_MANAGER]; i++)
        http_client_free(system->clients[i]);
    db_close(system->db);
    pg_stop(system->pg);
    temp_dir_free(system->directory);
    free(system);
}

// ---- asking

struct pg *system_pg(struct system *system)
{
    return system->pg;
}

const char *system_conninfo(const struct system *system)
{
    return system->conninfo;
}

struct db *system_db(struct system *system)
{
    struct err err;
    if (db_wait_connected(system->db, START_MS, &err) < 0)
        die("%s", err.text);
    return system->db;
}

int system_count(const struct system *system, enum system_part part)
{
    return system->count[part];
}

const char *system_url(const struct system *system, int manager)
{
    return system->members[SYSTEM_MANAGER][manager].url;
}

const char *system_program_url(const struct system *system, int manager)
{
    return contract_proxy_url(system->proxies[manager]);
}

struct http_client *system_client(const struct system *system, int manager)
{
    struct http_client_settings settings = {.base_url = system_url(system, manager), .timeout_ms = 60000};
    struct http_client *client;
    struct err err;
    if (http_client_new(&settings, &client, &err) < 0)
        die("no client: %s", err.text);
    return client;
}

struct http_client *system_own_client(const struct system *system, int manager)
{
    return system->clients[manager];
}

const char *system_marker(const struct system *system)
{
    return system->marker;
}

const char *system_deployment(const struct system *system)
{
    return strchr(system_marker(system), '=') + 1;
}

static struct member *member_of(const struct system *system, enum system_part part, int index)
{
    if (index < 0 || index >= system->count[part])
        die("there is no %s %d", part_names[part], index);
    return (struct member *)&system->members[part][index];
}

pid_t system_pid(const struct system *system, enum system_part part, int index)
{
    return member_of(system, part, index)->last_pid;
}

void system_signal(struct system *system, enum system_part part, int index, int signal_number)
{
    struct member *member = member_of(system, part, index);
    if (member->process)
        process_signal(member->process, signal_number);
}

bool system_is_running(struct system *system, enum system_part part, int index)
{
    struct member *member = member_of(system, part, index);
    return member->process && process_is_running(member->process);
}

void system_kill(struct system *system, enum system_part part, int index)
{
    bury(member_of(system, part, index));
}

void system_restart(struct system *system, enum system_part part, int index)
{
    struct member *member = member_of(system, part, index);
    bury(member);
    if (part == SYSTEM_MANAGER)
        unlink(member->port_file);
    launch(member);
}

int system_terminate(struct system *system, enum system_part part, int index, int64_t timeout_ms)
{
    struct member *member = member_of(system, part, index);
    process_signal(member->process, SIGTERM);
    return process_wait(member->process, timeout_ms);
}

struct wanted_workers {
    struct system *system;
    int count;
};

static bool workers_are_ready(void *context)
{
    struct wanted_workers *wanted = context;
    AUTO_JSON_OBJECT struct json_object *reply = NULL;
    int ready = 0;
    for (int i = 0; i < wanted->system->count[SYSTEM_MANAGER]; i++) {
        if (client_call(wanted->system->clients[i], "GET", "/readyz", NULL, 0, NULL, NULL) != 200)
            return false;
    }
    if (system_call(wanted->system, "GET", "/v1/workers", NULL, &reply) != 200)
        return false;
    for (size_t i = 0; i < json_length_at(reply, "/workers"); i++) {
        char pointer[48];
        snprintf(pointer, sizeof(pointer), "/workers/%zu/state", i);
        ready += strcmp(json_text_at(reply, pointer), "ready") == 0;
    }
    return ready >= wanted->count;
}

void system_wait_ready(struct system *system, int workers)
{
    if (wait_until(workers_are_ready, &(struct wanted_workers){system, workers}, START_MS))
        return;
    system_print_logs(system);
    die("%d workers were not ready in time", workers);
}

int64_t system_resident_bytes(pid_t pid)
{
    char path[64];
    AUTO_FREE char *text = NULL;
    size_t length;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    long long total, resident;
    if (file_read(path, 256, &text, &length, NULL) < 0 || sscanf(text, "%lld %lld", &total, &resident) != 2)
        die("cannot read %s", path);
    return resident * sysconf(_SC_PAGESIZE);
}

int system_leader(struct system *system)
{
    struct err err;
    AUTO_RESULT struct result rows = RESULT_INIT;
    if (db_sql(system_db(system), "SELECT holder FROM leader WHERE expires_at > clock_timestamp()", NULL, RESULT_TEXT,
               &rows, &err) < 0)
        die("%s", err.text);
    for (int i = 0; result_rows(&rows) > 0 && i < system->count[SYSTEM_REAPER]; i++) {
        char pid[16];
        snprintf(pid, sizeof(pid), ":%d:", (int)system_pid(system, SYSTEM_REAPER, i));
        if (strstr(result_text(&rows, 0, 0), pid))
            return i;
    }
    return -1;
}

const char *system_log(struct system *system, enum system_part part, int index)
{
    struct member *member = member_of(system, part, index);
    return member->process ? process_stderr(member->process) : "";
}

void system_print_logs(struct system *system)
{
    for (int part = 0; part < SYSTEM_PARTS; part++) {
        for (int i = 0; i < system->count[part]; i++) {
            struct member *member = &system->members[part][i];
            const char *text = member->process ? process_stderr(member->process) : "(not running)";
            size_t length = strlen(text);
            fprintf(stderr, "---- %s:\n%s\n", member->name,
                    text + (length > LOG_TAIL_BYTES ? length - LOG_TAIL_BYTES : 0));
        }
    }
    for (int i = 0; i < MEMBERS_MAX; i++)
        if (system->proxies[i] && *contract_proxy_complaint(system->proxies[i]))
            fprintf(stderr, "---- what programs were told by manager-%d:\n%s\n", i,
                    contract_proxy_complaint(system->proxies[i]));
}
