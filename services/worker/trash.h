// Directory trees that nobody needs any more: out of the way at once, removed by a child process in the background.
#pragma once

#include "services/common/base/err.h"

struct loop;
struct trash;

// Owns `directory`, which is made if absent; what is in it from an earlier life is removed as well.
int trash_new(struct loop *loop, const char *directory, struct trash **out, struct err *err) WARN_UNUSED;
void trash_free(struct trash *trash); // removes what is left at once; takes NULL

// Moves `path`, which is on the same file system, away. An empty directory is removed right here. A path that does not
// exist is success.
int trash_add(struct trash *trash, const char *path, struct err *err);
