// The machine that `curfew doctor` runs on, as the user who runs it sees it: a worker on it by the same user has the
// same.
#include "services/cli/doctor.h"
#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/process.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define AREA "machine"
#define FILES_WANTED 4096
#define DISK_WARNS_BYTES ((uint64_t)1 << 30)
#define DISK_IS_WRONG_BYTES ((uint64_t)64 << 20)
#define BOUNDARY_ADVICE                                                                                              \
    "allow user namespaces, run the worker as root, or give it a cgroup of its own: else it ends what it starts by " \
    "walking through descendants"

// The number in a small file of /proc or /sys; -1: it cannot be read.
static long long read_number(const char *path)
{
    AUTO_FREE char *text = NULL;
    struct err err;
    size_t length;
    return file_read(path, 64, &text, &length, &err) < 0 ? -1 : strtoll(text, NULL, 10);
}

static bool may_make_namespaces(void)
{
    return geteuid() == 0 || (read_number("/proc/sys/user/max_user_namespaces") > 0 &&
                              read_number("/proc/sys/kernel/unprivileged_userns_clone") != 0);
}

// Its own cgroup of version 2, and whether it may make others below it, which can be killed as a whole.
static bool may_make_cgroups(char *path, size_t size)
{
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    AUTO_FREE char *text = NULL;
    struct err err;
    size_t length;
    *path = '\0';
    if (file_read("/proc/self/cgroup", 65536, &text, &length, &err) < 0)
        return false;
    char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!line)
        return false;
    line = strstr(line, "::") + 2;
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        char kill[PATH_MAX];
        snprintf(path, size, "%s%s", roots[i], line);
        snprintf(kill, sizeof kill, "%s/cgroup.events", path);
        if (access(path, W_OK) == 0 && (access(kill, R_OK) == 0 || strcmp(line, "/") == 0))
            return true;
    }
    return false;
}

static void look_at_boundary(struct findings *findings)
{
    char path[1024];
    bool namespaces = may_make_namespaces(), groups = may_make_cgroups(path, sizeof path);
    findings_add(findings, AREA, "kill_boundary", namespaces || groups ? VERDICT_OK : VERDICT_WARNING, BOUNDARY_ADVICE,
                 "PID namespaces %s, cgroups %s (%s)", namespaces ? "yes" : "no", groups ? "yes" : "no",
                 *path ? path : "no version 2");
}

static void look_at_files(struct findings *findings)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    bool fine = files.rlim_max == RLIM_INFINITY || files.rlim_max >= FILES_WANTED;
    findings_add(
        findings, AREA, "files", fine ? VERDICT_OK : VERDICT_WARNING,
        "raise the limit of open files (ulimit -Hn, LimitNOFILE=): a manager takes one for each waiting worker",
        "%llu may be open, %llu at most", (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
    struct rlimit processes = {0};
    getrlimit(RLIMIT_NPROC, &processes);
    bool enough = geteuid() == 0 || processes.rlim_cur == RLIM_INFINITY || processes.rlim_cur >= 1024;
    findings_add(findings, AREA, "processes", enough ? VERDICT_OK : VERDICT_WARNING,
                 "raise the limit of processes (ulimit -u, TasksMax=)", "%llu of this user",
                 (unsigned long long)processes.rlim_cur);
}

static void look_at_disk(struct findings *findings)
{
    const char *directory = getenv("TMPDIR");
    struct statvfs disk;
    if (!directory || !*directory)
        directory = "/tmp";
    if (statvfs(directory, &disk) < 0) {
        findings_add(findings, AREA, "disk", VERDICT_WRONG, "make it, or set TMPDIR", "%s cannot be looked at",
                     directory);
        return;
    }
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    bool inodes = disk.f_files == 0 || disk.f_favail > 1000;
    bool writable = access(directory, W_OK) == 0;
    findings_add(findings, AREA, "disk",
                 room < DISK_IS_WRONG_BYTES || !inodes || !writable ? VERDICT_WRONG
                 : room < DISK_WARNS_BYTES                          ? VERDICT_WARNING
                                                                    : VERDICT_OK,
                 "make room: working directories, bundles and logs go there", "%s has %llu MiB and %llu inodes left%s",
                 directory, (unsigned long long)(room >> 20), (unsigned long long)disk.f_favail,
                 writable ? "" : ", and is not writable");
}

static void look_at_clock(struct findings *findings)
{
    struct timex state = {0};
    int outcome = adjtimex(&state);
    bool synchronised = outcome >= 0 && outcome != TIME_ERROR;
    findings_add(findings, AREA, "clock", synchronised ? VERDICT_OK : VERDICT_WARNING,
                 "run a time service (chrony, systemd-timesyncd): leases do not need it, times in logs do", "%s",
                 synchronised ? "synchronised" : "nothing synchronises it");
}

static void look_at_boot(struct findings *findings)
{
    char boot[PROCESS_BOOT_ID_SIZE];
    struct err err;
    struct process_stat self;
    bool fine = process_boot_id(boot, &err) == 0 && process_stat_read(getpid(), &self) == 0;
    AUTO_CLOSE int pidfd = process_open(getpid());
    findings_add(findings, AREA, "identity", fine && pidfd >= 0 ? VERDICT_OK : VERDICT_WRONG,
                 "mount /proc, and use Linux 5.4 or later: processes are told apart by boot, start time and pidfd",
                 "%s", fine ? boot : "no boot id, or no /proc");
}

void doctor_machine(struct findings *findings)
{
    look_at_boundary(findings);
    look_at_boot(findings);
    look_at_clock(findings);
    look_at_disk(findings);
    look_at_files(findings);
}
