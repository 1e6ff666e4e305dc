#include "tests/support/pg_processes.h"

#include "services/common/base/fd.h"
#include "tests/support/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define CHILDREN_MAX 512
#define STOP_TIMEOUT_MS 20000

static bool command_line_contains(pid_t pid, const char *text)
{
    char path[64];
    char *content AUTO_FREE = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    return file_read(path, 1 << 20, &content, &length, NULL) == 0 && memmem(content, length, text, strlen(text));
}

static char *read_pid_file(const char *data_directory)
{
    char path[PATH_MAX];
    char *content = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/postmaster.pid", data_directory);
    return file_read(path, 1 << 16, &content, &length, NULL) == 0 ? content : NULL;
}

pid_t pg_processes_postmaster(const char *data_directory)
{
    char *content AUTO_FREE = read_pid_file(data_directory);
    pid_t pid = content ? (pid_t)strtol(content, NULL, 10) : 0;
    return pid > 1 && command_line_contains(pid, data_directory) ? pid : 0;
}

// Parent and state of a process; false when it is gone. A zombie counts as gone.
static bool read_stat(pid_t pid, pid_t *parent)
{
    char path[64];
    char *content AUTO_FREE = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, 1 << 16, &content, &length, NULL) < 0)
        return false;
    const char *state = strrchr(content, ')');
    if (!state || state[1] == '\0' || state[2] == 'Z' || state[2] == 'X')
        return false;
    *parent = (pid_t)strtol(state + 3, NULL, 10);
    return true;
}

static int list_children(pid_t parent, pid_t children[static CHILDREN_MAX])
{
    int count = 0;
    DIR *directory = opendir("/proc");
    if (!directory)
        return 0;
    for (struct dirent *entry; count < CHILDREN_MAX && (entry = readdir(directory));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), its_parent;
        if (pid > 1 && read_stat(pid, &its_parent) && its_parent == parent)
            children[count++] = pid;
    }
    closedir(directory);
    return count;
}

void pg_processes_signal(pid_t postmaster, int signal_number)
{
    pid_t children[CHILDREN_MAX];
    kill(postmaster, SIGSTOP);
    int count = list_children(postmaster, children);
    for (int i = 0; i < count; i++)
        kill(children[i], signal_number);
    kill(postmaster, signal_number);
    if (signal_number != SIGSTOP)
        kill(postmaster, SIGCONT);
}

static bool is_gone(void *context)
{
    pid_t *pid = context, parent;
    waitpid(*pid, NULL, WNOHANG);
    return !read_stat(*pid, &parent);
}

void pg_processes_kill(pid_t postmaster)
{
    pid_t children[CHILDREN_MAX];
    kill(postmaster, SIGSTOP);
    int count = list_children(postmaster, children);
    for (int i = 0; i < count; i++)
        kill(children[i], SIGKILL);
    kill(postmaster, SIGKILL);
    for (int i = 0; i < count; i++)
        wait_until(is_gone, &children[i], STOP_TIMEOUT_MS);
    wait_until(is_gone, &postmaster, STOP_TIMEOUT_MS);
}

// The seventh line of postmaster.pid holds key and identifier of the segment.
void pg_processes_clear_memory(const char *data_directory)
{
    char *content AUTO_FREE = read_pid_file(data_directory);
    char *line = content;
    for (int i = 1; line && i < 7; i++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    unsigned long key;
    int identifier;
    if (line && sscanf(line, "%lu %d", &key, &identifier) == 2) {
        struct shmid_ds segment;
        if (shmctl(identifier, IPC_STAT, &segment) == 0 && segment.shm_nattch == 0)
            shmctl(identifier, IPC_RMID, NULL);
    }
}

void pg_processes_remove(const char *directory)
{
    char data[PATH_MAX];
    snprintf(data, sizeof data, "%s/data", directory);
    pid_t postmaster = pg_processes_postmaster(data);
    if (postmaster) {
        kill(postmaster, SIGQUIT);
        kill(postmaster, SIGCONT);
        if (!wait_until(is_gone, &postmaster, 3000))
            pg_processes_kill(postmaster);
    }
    pg_processes_clear_memory(data);
    UNUSED(tree_remove(directory, NULL) < 0);
}
