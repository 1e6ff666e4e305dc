// Fresh working directories for tasks and services, filled with the files of the job's bundle.
//
// Bundles are fetched once by hash from the manager, checked, unpacked into a cache below the state directory, and
// copied (or hard-linked where nothing can write through the link) into each working directory. Unpacking and copying
// happen in a child process, so that the loop never blocks; entries that would leave the directory are refused.
#pragma once

#include "services/common/base/err.h"

struct workspaces;
struct loop;
struct http_async;

int workspaces_new(struct loop *loop, struct http_async *http, const char *directory, struct workspaces **out,
                   struct err *err) WARN_UNUSED;
void workspaces_free(struct workspaces *workspaces); // takes NULL; removes what is left of working directories

// `directory` is absolute, valid during the call and the caller's to give back with workspace_remove(); NULL on
// failure, and then `err` says why (ERR_NOT_FOUND: the manager has no such bundle).
typedef void (*workspace_fn)(void *context, const char *directory, const struct err *err);

struct workspace_request;
// Calls `done` once, never from within; the request is gone then. `bundle` may be NULL: an empty directory. `name`
// becomes part of the path.
int workspace_prepare(struct workspaces *workspaces, const char *name, const char *bundle, workspace_fn done,
                      void *context, struct workspace_request **out, struct err *err) WARN_UNUSED;
void workspace_cancel(struct workspace_request *request); // no callback; what was made is removed. Takes NULL
// The path of a file among the working directories that nobody else has; the caller's to free, and to remove what it
// puts there.
int workspace_path(struct workspaces *workspaces, const char *name, char **out, struct err *err) WARN_UNUSED;
// Removes it in the background.
void workspace_remove(struct workspaces *workspaces, const char *directory);
