#include "tests/support/temp_dir.h"

#include "services/common/base/err.h"
#include "services/common/base/fd.h"
#include "tests/support/die.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

#define DIRECTORIES_MAX 256
#define TEMPLATE "/tmp/curfew-test-XXXXXX"

// Removed when the program exits, by the process that made them only.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char paths[DIRECTORIES_MAX][sizeof TEMPLATE];
static pid_t owner;

static void remove_all(void)
{
    if (getpid() != owner)
        return;
    for (int i = 0; i < DIRECTORIES_MAX; i++)
        if (paths[i][0])
            UNUSED(tree_remove(paths[i], NULL) < 0);
}

static char *find(const char *path)
{
    for (int i = 0; i < DIRECTORIES_MAX; i++)
        if (strcmp(paths[i], path) == 0)
            return paths[i];
    return NULL;
}

static void remember(const char *path)
{
    pthread_mutex_lock(&mutex);
    if (!owner) {
        owner = getpid();
        atexit(remove_all);
    }
    char *place = find("");
    if (place)
        strcpy(place, path);
    pthread_mutex_unlock(&mutex);
    if (!place)
        die("more than %d temporary directories", DIRECTORIES_MAX);
}

char *temp_dir_new(void)
{
    char *path = strdup(TEMPLATE);
    if (!path || !mkdtemp(path))
        die("temp_dir_new: %s", strerror(errno));
    remember(path);
    return path;
}

void temp_dir_free(char *path)
{
    struct err err;
    if (!path)
        return;
    if (tree_remove(path, &err) < 0)
        die("%s", err.text);
    pthread_mutex_lock(&mutex);
    char *place = find(path);
    if (place)
        place[0] = '\0';
    pthread_mutex_unlock(&mutex);
    free(path);
}
