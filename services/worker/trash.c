#include "services/worker/trash.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "services/worker/background.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELAY_MS 50 // one child for everything that comes within

struct trash {
    struct loop *loop;
    struct loop_timer *timer;
    struct background *removal;
    char *directory;
    int64_t born_us;     // with the count: names that no earlier life has used
    unsigned long count; // entries so far
    bool waiting;        // something came that no removal has seen yet
};

static void cleanup_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

// The directory itself stays: things are moved into it meanwhile.
static int remove_all(const void *argument, struct err *err)
{
    const char *directory = argument;
    int result = 0;
    CLEANUP(cleanup_dir) DIR *dir = opendir(directory);
    if (!dir)
        return err_errno(err, ERR_IO, errno, "open directory '%s'", directory);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char path[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (tree_remove(path, err) < 0)
            result = -1; // the others go nevertheless
    }
    return result;
}

static void schedule(struct trash *trash)
{
    trash->waiting = true;
    if (!trash->removal)
        loop_timer_arm(trash->timer, clock_boot_ms() + DELAY_MS);
}

// What could not be removed is tried again with what comes next.
static void on_removed(void *context, const struct err *error)
{
    struct trash *trash = context;
    UNUSED(error);
    trash->removal = NULL;
    if (trash->waiting)
        schedule(trash);
}

static void on_timer(void *context)
{
    struct trash *trash = context;
    trash->waiting = false;
    struct err err;
    if (background_start(trash->loop, remove_all, trash->directory, on_removed, trash, &trash->removal, &err) < 0)
        schedule(trash);
}

static void cleanup_trash(struct trash **trash)
{
    trash_free(*trash);
}

int trash_new(struct loop *loop, const char *directory, struct trash **out, struct err *err)
{
    CLEANUP(cleanup_trash) struct trash *trash = calloc(1, sizeof *trash);
    if (!trash)
        return err_set(err, ERR_NO_MEMORY, "no memory for a trash directory");
    trash->loop = loop;
    trash->born_us = clock_wall_us();
    trash->directory = strdup(directory);
    if (!trash->directory)
        return err_set(err, ERR_NO_MEMORY, "no memory for a trash directory");
    if (dir_make(directory, 0700, err) < 0 || loop_timer_add(loop, on_timer, trash, &trash->timer, err) < 0)
        return -1;
    schedule(trash);
    *out = TAKE_PTR(trash);
    return 0;
}

void trash_free(struct trash *trash)
{
    if (!trash)
        return;
    background_cancel(trash->removal);
    loop_timer_remove(trash->timer);
    if (trash->directory)
        (void)!tree_remove(trash->directory, NULL);
    free(trash->directory);
    free(trash);
}

int trash_add(struct trash *trash, const char *path, struct err *err)
{
    if (rmdir(path) == 0 || errno == ENOENT)
        return 0;
    char target[PATH_MAX];
    snprintf(target, sizeof target, "%s/%lld-%lu", trash->directory, (long long)trash->born_us, trash->count++);
    if (rename(path, target) < 0)
        return err_errno(err, ERR_IO, errno, "move '%.160s' away", path);
    schedule(trash);
    return 0;
}
