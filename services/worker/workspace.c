#include "services/worker/workspace.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "services/worker/background.h"
#include "services/worker/bundle_cache.h"
#include "services/worker/trash.h"
#include "services/worker/tree_copy.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 80 // of a caller's name that stay in the path

// A bundle that is copied right here. A fork costs about half a millisecond, a file up to 0.2 ms, much less on a fast
// disk.
#define SMALL_ENTRIES 2
#define SMALL_BYTES ((int64_t)256 << 10)

struct workspace_request {
    struct workspaces *workspaces;
    workspace_fn done; // NULL: cancelled while a child copies
    void *context;
    char *directory;
    struct bundle *bundle;    // held while it is copied
    struct bundle_wait *wait; // for the bundle
    struct background *copy;  // a child that copies
    bool ended, failed;       // `done` is due, from the timer
    struct err error;         // when it failed
    struct workspace_request *previous, *next;
};

struct workspaces {
    struct loop *loop;
    struct loop_timer *timer; // calls back for requests that have ended
    struct trash *trash;
    struct bundle_cache *bundles;
    char *directory; // <state>/work
    unsigned long long count;
    struct workspace_request *first, *last;
};

static void link_last(struct workspace_request *request)
{
    struct workspaces *workspaces = request->workspaces;
    request->previous = workspaces->last;
    *(workspaces->last ? &workspaces->last->next : &workspaces->first) = request;
    workspaces->last = request;
}

static void free_request(struct workspace_request *request)
{
    struct workspaces *workspaces = request->workspaces;
    *(request->previous ? &request->previous->next : &workspaces->first) = request->next;
    *(request->next ? &request->next->previous : &workspaces->last) = request->previous;
    bundle_wait_cancel(request->wait);
    background_cancel(request->copy);
    bundle_drop(request->bundle);
    free(request->directory);
    free(request);
}

// ---- the end of a request

static void end(struct workspace_request *request, const struct err *error)
{
    request->ended = true;
    request->failed = error != NULL;
    if (error)
        request->error = *error;
    bundle_drop(TAKE_PTR(request->bundle));
    loop_timer_arm(request->workspaces->timer, clock_boot_ms());
}

static void call_back(struct workspace_request *request)
{
    AUTO_FREE char *directory = TAKE_PTR(request->directory);
    struct err error = request->error;
    bool failed = request->failed;
    struct workspaces *workspaces = request->workspaces;
    workspace_fn done = request->done;
    void *context = request->context;
    free_request(request);
    if (failed)
        workspace_remove(workspaces, directory);
    done(context, failed ? NULL : directory, failed ? &error : NULL);
}

static struct workspace_request *first_ended(const struct workspaces *workspaces)
{
    struct workspace_request *request = workspaces->first;
    while (request && !request->ended)
        request = request->next;
    return request;
}

static size_t count_ended(const struct workspaces *workspaces)
{
    size_t count = 0;
    for (const struct workspace_request *request = workspaces->first; request; request = request->next)
        count += request->ended;
    return count;
}

// What ends during a callback has its turn when the timer fires again.
static void on_timer(void *context)
{
    struct workspaces *workspaces = context;
    size_t count = count_ended(workspaces);
    for (struct workspace_request *request = first_ended(workspaces); request && count > 0; count--) {
        call_back(request);
        request = first_ended(workspaces);
    }
}

// ---- copying a bundle

struct copy_paths {
    const char *from, *to;
};

static int copy_in_child(const void *argument, struct err *err)
{
    const struct copy_paths *paths = argument;
    return tree_copy(paths->from, paths->to, err);
}

static void on_copied(void *context, const struct err *error)
{
    struct workspace_request *request = context;
    request->copy = NULL;
    if (request->done) {
        end(request, error);
        return;
    }
    workspace_remove(request->workspaces, request->directory);
    free_request(request);
}

static int copy_bundle(struct workspace_request *request, struct err *err)
{
    const struct bundle *bundle = request->bundle;
    struct copy_paths paths = {.from = bundle->files, .to = request->directory};
    if (bundle->size.entries > SMALL_ENTRIES || bundle->size.bytes > SMALL_BYTES)
        return background_start(request->workspaces->loop, copy_in_child, &paths, on_copied, request, &request->copy,
                                err);
    if (tree_copy(paths.from, paths.to, err) < 0)
        return -1;
    end(request, NULL);
    return 0;
}

static void on_bundle(void *context, struct bundle *bundle, const struct err *error)
{
    struct workspace_request *request = context;
    struct err err;
    request->wait = NULL;
    request->bundle = bundle;
    if (error)
        end(request, error);
    else if (copy_bundle(request, &err) < 0)
        end(request, &err);
}

// ---- requests

int workspace_path(struct workspaces *workspaces, const char *name, char **out, struct err *err)
{
    char clean[NAME_BYTES + 1];
    size_t length = 0;
    for (; length < NAME_BYTES && name[length]; length++)
        clean[length] = isalnum((unsigned char)name[length]) || name[length] == '-' ? name[length] : '_';
    clean[length] = '\0';
    if (asprintf(out, "%s/%llu-%s", workspaces->directory, ++workspaces->count, clean) >= 0)
        return 0;
    *out = NULL;
    return err_set(err, ERR_NO_MEMORY, "no memory for a path");
}

static int make_directory(struct workspaces *workspaces, const char *name, char **out, struct err *err)
{
    AUTO_FREE char *path = NULL;
    if (workspace_path(workspaces, name, &path, err) < 0)
        return -1;
    if (mkdir(path, 0700) < 0)
        return err_errno(err, ERR_IO, errno, "make directory '%.160s'", path);
    *out = TAKE_PTR(path);
    return 0;
}

static int fill(struct workspace_request *request, const char *bundle, struct err *err)
{
    if (!bundle) {
        end(request, NULL);
        return 0;
    }
    int outcome = bundle_cache_get(request->workspaces->bundles, bundle, on_bundle, request, &request->bundle,
                                   &request->wait, err);
    return outcome == 1 ? copy_bundle(request, err) : outcome;
}

int workspace_prepare(struct workspaces *workspaces, const char *name, const char *bundle, workspace_fn done,
                      void *context, struct workspace_request **out, struct err *err)
{
    struct workspace_request *request = calloc(1, sizeof *request);
    if (!request)
        return err_set(err, ERR_NO_MEMORY, "no memory for a working directory");
    *request = (struct workspace_request){.workspaces = workspaces, .done = done, .context = context};
    link_last(request);
    if (make_directory(workspaces, name, &request->directory, err) < 0) {
        free_request(request);
        return -1;
    }
    struct err error;
    if (fill(request, bundle, &error) < 0)
        end(request, &error);
    *out = request;
    return 0;
}

void workspace_cancel(struct workspace_request *request)
{
    if (!request)
        return;
    request->done = NULL;
    if (request->copy)
        return; // its child ends in its own time
    workspace_remove(request->workspaces, request->directory);
    free_request(request);
}

void workspace_remove(struct workspaces *workspaces, const char *directory)
{
    trash_add(workspaces->trash, directory, NULL);
}

// ---- the whole

static void cleanup_workspaces(struct workspaces **workspaces)
{
    workspaces_free(*workspaces);
}

static int open_parts(struct workspaces *workspaces, struct http_async *http, const char *directory, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/trash", directory);
    if (trash_new(workspaces->loop, path, &workspaces->trash, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/bundles", directory);
    if (bundle_cache_new(workspaces->loop, http, workspaces->trash, path, BUNDLE_CACHE_BYTES, &workspaces->bundles,
                         err) < 0)
        return -1;
    // Whatever an earlier life has left.
    if (trash_add(workspaces->trash, workspaces->directory, err) < 0)
        return -1;
    return dir_make(workspaces->directory, 0700, err);
}

int workspaces_new(struct loop *loop, struct http_async *http, const char *directory, struct workspaces **out,
                   struct err *err)
{
    CLEANUP(cleanup_workspaces) struct workspaces *workspaces = calloc(1, sizeof *workspaces);
    if (!workspaces)
        return err_set(err, ERR_NO_MEMORY, "no memory for working directories");
    if (directory[0] != '/' || strlen(directory) > PATH_MAX / 4)
        return err_set(err, ERR_INVALID, "state directory '%.100s': no absolute path, or too long", directory);
    workspaces->loop = loop;
    if (asprintf(&workspaces->directory, "%s/work", directory) < 0) {
        workspaces->directory = NULL;
        return err_set(err, ERR_NO_MEMORY, "no memory for working directories");
    }
    if (loop_timer_add(loop, on_timer, workspaces, &workspaces->timer, err) < 0 ||
        open_parts(workspaces, http, directory, err) < 0)
        return -1;
    *out = TAKE_PTR(workspaces);
    return 0;
}

void workspaces_free(struct workspaces *workspaces)
{
    if (!workspaces)
        return;
    while (workspaces->first)
        free_request(workspaces->first);
    bundle_cache_free(workspaces->bundles);
    if (workspaces->directory && workspaces->trash)
        trash_add(workspaces->trash, workspaces->directory, NULL);
    trash_free(workspaces->trash);
    loop_timer_remove(workspaces->timer);
    free(workspaces->directory);
    free(workspaces);
}
