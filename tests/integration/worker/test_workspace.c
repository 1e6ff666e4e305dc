#include "services/worker/workspace.h"

#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "services/common/http/client_async.h"
#include "tests/support/bundle_make.h"
#include "tests/support/bundle_server.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define CHAIN_LENGTH 30

struct rig {
    struct bundle_server *server;
    struct loop *loop;
    struct http_async *http;
    struct workspaces *workspaces;
};

struct made {
    bool called;
    char *directory;
    struct err error;
    struct workspace_request *request;
};

static void on_made(void *context, const char *directory, const struct err *error)
{
    struct made *made = context;
    assert_false(made->called);
    made->called = true;
    made->directory = directory ? strdup(directory) : NULL;
    if (error)
        made->error = *error;
}

static struct rig rig_open(void **state)
{
    struct err err;
    struct rig rig = {.server = bundle_server_start()};
    const struct http_client_settings settings = {.base_url = bundle_server_url(rig.server)};
    assert_ok(loop_new(&rig.loop, &err), err);
    assert_ok(http_async_new(rig.loop, &settings, 0, &rig.http, &err), err);
    assert_ok(workspaces_new(rig.loop, rig.http, *state, &rig.workspaces, &err), err);
    return rig;
}

static void rig_close(struct rig *rig)
{
    workspaces_free(rig->workspaces);
    http_async_free(rig->http);
    loop_free(rig->loop);
    bundle_server_stop(rig->server);
}

static void request(struct rig *rig, const char *name, const char *bundle, struct made *made)
{
    struct err err;
    *made = (struct made){0};
    assert_ok(workspace_prepare(rig->workspaces, name, bundle, on_made, made, &made->request, &err), err);
    assert_false(made->called);
}

static void make(struct rig *rig, const char *name, const char *bundle, struct made *made)
{
    request(rig, name, bundle, made);
    assert_true(loop_until_set(rig->loop, &made->called, PATIENCE_MS));
}

static const char *make_bundle(struct rig *rig, void **state, int files)
{
    char path[512];
    snprintf(path, sizeof path, "%s", temp_path(state, "made.tar.zst"));
    struct bundle_maker *maker = bundle_maker_new(path);
    bundle_add_file(maker, "bin/run.sh", 0755, "#!/bin/sh\n", 10);
    for (int i = 1; i < files; i++) {
        char name[32];
        snprintf(name, sizeof name, "data/%d.txt", i);
        bundle_add_text(maker, name, name);
    }
    bundle_maker_close(maker);
    return bundle_server_add(rig->server, path);
}

static bool has_file(const char *directory, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static void without_a_bundle_it_is_empty(void **state)
{
    struct rig rig = rig_open(state);
    struct made one, two;
    make(&rig, "job/stage/1", NULL, &one);
    make(&rig, "job/stage/1", NULL, &two);
    assert_int_equal(one.directory[0], '/');
    assert_string_not_equal(one.directory, two.directory);
    assert_int_equal(rmdir(one.directory), 0);
    workspace_remove(rig.workspaces, one.directory); // gone already
    workspace_remove(rig.workspaces, two.directory);
    assert_int_not_equal(access(two.directory, F_OK), 0);
    free(one.directory);
    free(two.directory);
    rig_close(&rig);
}

static void each_has_its_own_files_of_the_bundle(void **state)
{
    struct err err;
    struct rig rig = rig_open(state);
    struct made one, two;
    // A small bundle is copied in the process, a big one by a child.
    const char *bundles[] = {make_bundle(&rig, state, 2), make_bundle(&rig, state, 300)};
    for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
        char path[1024];
        make(&rig, "a", bundles[i], &one);
        assert_non_null(one.directory);
        assert_true(has_file(one.directory, "data/1.txt"));
        snprintf(path, sizeof path, "%s/bin/run.sh", one.directory);
        assert_int_equal(access(path, X_OK), 0);
        assert_ok(file_replace(path, "changed", 7, 0644, &err), err);
        make(&rig, "b", bundles[i], &two);
        snprintf(path, sizeof path, "%s/bin/run.sh", two.directory);
        assert_int_equal(access(path, X_OK), 0);
        workspace_remove(rig.workspaces, one.directory);
        workspace_remove(rig.workspaces, two.directory);
        assert_int_not_equal(access(one.directory, F_OK), 0);
        free(one.directory);
        free(two.directory);
    }
    assert_int_equal(bundle_server_requests(rig.server), 2);
    rig_close(&rig);
}

static void a_bundle_that_cannot_be_had_leaves_nothing(void **state)
{
    struct rig rig = rig_open(state);
    struct made made;
    char unknown[80];
    snprintf(unknown, sizeof unknown, "sha256:%064d", 7);
    make(&rig, "a", unknown, &made);
    assert_null(made.directory);
    assert_int_equal(made.error.code, ERR_NOT_FOUND);
    make(&rig, "a", "nonsense", &made);
    assert_null(made.directory);
    assert_int_equal(made.error.code, ERR_INVALID);
    assert_int_equal(rmdir(temp_path(state, "work")), 0);
    rig_close(&rig);
}

static void a_cancelled_request_leaves_nothing(void **state)
{
    struct rig rig = rig_open(state);
    struct made empty, fetching, small, big, last;
    const char *few = make_bundle(&rig, state, 2), *many = make_bundle(&rig, state, 300);
    request(&rig, "fetching", few, &fetching);
    workspace_cancel(fetching.request);
    make(&rig, "big", many, &last);
    free(last.directory);
    make(&rig, "small", few, &last);
    free(last.directory);
    request(&rig, "empty", NULL, &empty);
    request(&rig, "small", few, &small);
    request(&rig, "big", many, &big);
    workspace_cancel(empty.request);
    workspace_cancel(small.request);
    workspace_cancel(big.request);
    workspace_cancel(NULL);
    make(&rig, "last", many, &last);
    free(last.directory);
    loop_for(rig.loop, 100);
    assert_false(empty.called || fetching.called || small.called || big.called);
    rig_close(&rig);
    assert_int_not_equal(access(temp_path(state, "work"), F_OK), 0);
}

static void what_an_earlier_life_left_is_removed(void **state)
{
    struct err err;
    assert_ok(dir_make(temp_path(state, "work/1-old/deep"), 0755, &err), err);
    struct rig rig = rig_open(state);
    assert_int_not_equal(access(temp_path(state, "work/1-old"), F_OK), 0);
    struct made made;
    make(&rig, "old", NULL, &made);
    assert_non_null(made.directory);
    free(made.directory);
    rig_close(&rig);
}

struct chain {
    struct rig *rig;
    const char *bundle;
    int left;
    bool ended;
};

static void on_link(void *context, const char *directory, const struct err *error)
{
    struct chain *chain = context;
    struct err err;
    struct workspace_request *next;
    assert_null(error);
    workspace_remove(chain->rig->workspaces, directory);
    chain->ended = --chain->left == 0;
    if (!chain->ended)
        assert_ok(workspace_prepare(chain->rig->workspaces, "x", chain->bundle, on_link, chain, &next, &err), err);
}

// Of this process alone, however busy the machine is: what the loop is held up.
static int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void run_chain(struct rig *rig, const char *bundle, const char *what)
{
    struct chain chain = {.rig = rig, .bundle = bundle, .left = CHAIN_LENGTH};
    struct workspace_request *request;
    struct err err;
    int64_t start_us = cpu_us();
    assert_ok(workspace_prepare(rig->workspaces, "x", bundle, on_link, &chain, &request, &err), err);
    assert_true(loop_until_set(rig->loop, &chain.ended, PATIENCE_MS));
    print_message("%s: %lld us\n", what, (long long)(cpu_us() - start_us) / CHAIN_LENGTH);
}

static void callbacks_may_ask_for_more(void **state)
{
    struct rig rig = rig_open(state);
    struct made made;
    const char *small = make_bundle(&rig, state, 2), *big = make_bundle(&rig, state, 100);
    make(&rig, "first", small, &made);
    free(made.directory);
    make(&rig, "first", big, &made);
    free(made.directory);
    run_chain(&rig, NULL, "an empty working directory");
    run_chain(&rig, small, "with 2 files");
    run_chain(&rig, big, "with 100 files");
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_bundle_it_is_empty, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(each_has_its_own_files_of_the_bundle, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_bundle_that_cannot_be_had_leaves_nothing, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_request_leaves_nothing, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_an_earlier_life_left_is_removed, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(callbacks_may_ask_for_more, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
