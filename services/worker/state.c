#include "services/worker/state.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/id.h"
#include "services/common/base/parse.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES_MAX 256

int state_path(const struct state *state, const char *name, char out[static PATH_MAX], struct err *err)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", state->directory, name);
    return length < PATH_MAX ? 0 : err_set(err, ERR_INVALID, "state-dir is too long");
}

// A file that is not there, or that makes no sense, proves nothing: the name is free when its lease is over.
static void read_registration(struct state *state)
{
    char path[PATH_MAX];
    AUTO_FREE char *text = NULL;
    size_t length;
    char engine[8] = "";
    long long id;
    int incarnation;
    if (state_path(state, "registration", path, NULL) < 0 || file_read(path, TEXT_BYTES_MAX, &text, &length, NULL) < 0)
        return;
    if (sscanf(text, "%lld %d %7s", &id, &incarnation, engine) < 2 || id < 1 || incarnation < 1)
        return;
    state->had_engine = engine[0] != '\0';
    state->former_worker = id;
    state->former_incarnation = incarnation;
}

// Kept by itself: there may have been some before the first one was answered.
static void read_registrations(struct state *state)
{
    char path[PATH_MAX];
    AUTO_FREE char *text = NULL;
    size_t length;
    if (state_path(state, "registrations", path, NULL) < 0 || file_read(path, TEXT_BYTES_MAX, &text, &length, NULL) < 0)
        return;
    if (parse_i64(text, 0, INT64_MAX - 1, "registrations", &state->registrations, NULL) < 0)
        state->registrations = 0;
}

static int read_deployment(struct state *state, struct err *err)
{
    char path[PATH_MAX];
    size_t length;
    if (state_path(state, "deployment", path, err) < 0)
        return -1;
    if (access(path, F_OK) < 0)
        return 0;
    if (file_read(path, TEXT_BYTES_MAX, &state->deployment, &length, err) < 0)
        return -1;
    state->deployment[strcspn(state->deployment, "\n")] = '\0';
    read_registration(state);
    return 0;
}

static int make_owner(struct state *state, const char *path, struct err *err)
{
    unsigned char random[STATE_OWNER_SIZE / 2];
    if (random_bytes(random, sizeof random, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(state->owner + 2 * i, 3, "%02x", random[i]);
    return file_replace(path, state->owner, STATE_OWNER_SIZE - 1, 0600, err);
}

static int read_owner(struct state *state, struct err *err)
{
    char path[PATH_MAX];
    AUTO_FREE char *text = NULL;
    size_t length;
    if (state_path(state, "owner", path, err) < 0)
        return -1;
    bool found = file_read(path, TEXT_BYTES_MAX, &text, &length, NULL) == 0 && length == STATE_OWNER_SIZE - 1;
    if (!found)
        return make_owner(state, path, err);
    memcpy(state->owner, text, STATE_OWNER_SIZE);
    return 0;
}

int state_open(const char *directory, struct state *out, struct err *err)
{
    *out = (struct state){.directory = strdup(directory)};
    if (!out->directory)
        return err_set(err, ERR_NO_MEMORY, "no memory for the state directory");
    if (dir_make(directory, 0711, err) < 0 || read_owner(out, err) < 0)
        return -1;
    read_registrations(out);
    return read_deployment(out, err);
}

void state_release(struct state *state)
{
    free(state->directory);
    free(state->deployment);
    *state = (struct state){0};
}

int state_keep_deployment(struct state *state, const char *deployment, struct err *err)
{
    char path[PATH_MAX];
    if (state_path(state, "deployment", path, err) < 0 ||
        file_replace(path, deployment, strlen(deployment), 0600, err) < 0)
        return -1;
    state->deployment = strdup(deployment);
    return state->deployment ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for the deployment's name");
}

int state_count_registration(struct state *state, int64_t *out, struct err *err)
{
    char path[PATH_MAX], text[32];
    int length = snprintf(text, sizeof text, "%lld", (long long)state->registrations + 1);
    if (state_path(state, "registrations", path, err) < 0 || file_replace(path, text, (size_t)length, 0600, err) < 0)
        return -1;
    *out = ++state->registrations;
    return 0;
}

int state_keep_registration(struct state *state, int64_t worker, int incarnation, const char *engine, struct err *err)
{
    char path[PATH_MAX], text[TEXT_BYTES_MAX];
    int length = snprintf(text, sizeof text, "%lld %d %.150s\n", (long long)worker, incarnation, engine ? engine : "");
    if (state_path(state, "registration", path, err) < 0)
        return -1;
    return file_replace(path, text, (size_t)length, 0600, err);
}
