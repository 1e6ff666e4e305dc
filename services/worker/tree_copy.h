// Copies a directory tree: files, directories, symbolic links, with permissions and times of files.
#pragma once

#include "services/common/base/err.h"

// Copies what is in the directory `from` into the directory `to`, which exists and is empty. Follows no symbolic link
// within the tree. What was copied before a failure stays. ERR_IO; ERR_UNSUPPORTED: something that is none of the
// three.
int tree_copy(const char *from, const char *to, struct err *err) WARN_UNUSED;
