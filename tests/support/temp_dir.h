// A fresh directory per test, as cmocka's setup and teardown: *state is its path (char *).
#pragma once

int temp_dir_setup(void **state);
int temp_dir_teardown(void **state); // removes it with everything in it

// "<directory>/<name>"; valid until the next call in this thread.
const char *temp_path(void **state, const char *name);
