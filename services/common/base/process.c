#include "services/common/base/process.h"

#include "services/common/base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// As getdents64(2) lays it out.
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short record_length;
    unsigned char type;
    char name[];
};

// Reads at most size - 1 bytes of a small file of /proc. Returns the length, or -1.
static ssize_t read_small(const char *path, char *out, size_t size)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length;
    do {
        length = read(fd, out, size - 1);
    } while (length < 0 && errno == EINTR);
    if (length >= 0)
        out[length] = '\0';
    return length;
}

int process_boot_id(char out[static PROCESS_BOOT_ID_SIZE], struct err *err)
{
    char text[64];
    if (read_small("/proc/sys/kernel/random/boot_id", text, sizeof(text)) < PROCESS_BOOT_ID_SIZE - 1)
        return err_errno(err, ERR_UNSUPPORTED, errno, "cannot read the boot id");
    memcpy(out, text, PROCESS_BOOT_ID_SIZE - 1);
    out[PROCESS_BOOT_ID_SIZE - 1] = '\0';
    return 0;
}

int process_stat_read(pid_t pid, struct process_stat *out)
{
    char path[40], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_small(path, text, sizeof(text)) <= 0)
        return -1;
    // The name in parentheses may hold anything, parentheses and spaces too: fields are counted behind the last one.
    const char *fields = strrchr(text, ')');
    int parent, session;
    long long start_time;
    if (!fields || sscanf(fields, ") %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
                          &out->state, &parent, &session, &start_time) != 4)
        return -1;
    out->parent = parent;
    out->session = session;
    out->start_time = start_time;
    return 0;
}

int process_walk_begin(struct process_walk *walk, struct err *err)
{
    walk->length = walk->offset = 0;
    walk->fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return walk->fd < 0 ? err_errno(err, ERR_IO, errno, "cannot open /proc") : 0;
}

pid_t process_walk_next(struct process_walk *walk)
{
    for (;;) {
        if (walk->offset >= walk->length) {
            long length = syscall(SYS_getdents64, walk->fd, walk->buffer, sizeof(walk->buffer));
            if (length <= 0)
                return 0;
            walk->length = (size_t)length;
            walk->offset = 0;
        }
        const struct directory_entry *entry = (const void *)(walk->buffer + walk->offset);
        walk->offset += entry->record_length;
        if (isdigit((unsigned char)entry->name[0]))
            return (pid_t)strtol(entry->name, NULL, 10);
    }
}

void process_walk_end(struct process_walk *walk)
{
    cleanup_close(&walk->fd);
    walk->fd = -1;
}

int process_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int process_send(int pidfd, int signal_number)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

// By the system call: libc refuses to touch the two that it uses for threads, which whoever started us may have
// ignored.
void process_reset_signals(void)
{
    const unsigned long by_default[8] = {0}; // struct sigaction as the kernel has it: SIG_DFL, no flags, empty mask
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, by_default, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
