// Private directories of tests.
#pragma once

#include "services/common/base/cleanup.h"

// A fresh directory below TMPDIR per test, as cmocka's setup and teardown: *state is its path (char *).
int temp_dir_setup(void **state);
int temp_dir_teardown(void **state); // removes it with everything in it

// "<directory>/<name>"; valid until the next call in this thread.
const char *temp_path(void **state, const char *name);

// A directory below /tmp with a short path (sockets in it have room), removed by temp_dir_free() or when the program
// exits. Only its owner may enter it.
char *temp_dir_new(void);
void temp_dir_free(char *path); // removes the tree; takes NULL
DEFINE_CLEANUP(char *, temp_dir_free);
#define AUTO_TEMP_DIR CLEANUP(cleanup_temp_dir_free)
