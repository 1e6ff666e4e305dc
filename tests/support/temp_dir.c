// A fresh directory per test, below TMPDIR.
#include "tests/support/temp_dir.h"

#include "services/common/base/err.h"
#include "services/common/base/fd.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int temp_dir_setup(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/curfew-test-XXXXXX", parent && *parent ? parent : "/tmp") < 0)
        return -1;
    if (!mkdtemp(path)) {
        perror(path);
        free(path);
        return -1;
    }
    *state = path;
    return 0;
}

int temp_dir_teardown(void **state)
{
    struct err err = {0};
    int outcome = tree_remove(*state, &err);
    if (outcome < 0)
        fprintf(stderr, "%s\n", err.text);
    free(*state);
    return outcome;
}

const char *temp_path(void **state, const char *name)
{
    static _Thread_local char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", (const char *)*state, name);
    return path;
}
