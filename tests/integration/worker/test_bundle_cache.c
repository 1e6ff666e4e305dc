#include "services/worker/bundle_cache.h"

#include "services/common/base/fd.h"
#include "services/common/base/loop.h"
#include "services/common/http/client_async.h"
#include "services/worker/trash.h"
#include "tests/support/bundle_make.h"
#include "tests/support/bundle_server.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000

struct rig {
    struct bundle_server *server;
    struct loop *loop;
    struct http_async *http;
    struct trash *trash;
    struct bundle_cache *cache;
};

struct got {
    bool called;
    struct bundle *bundle;
    struct bundle_wait *wait;
    struct err error;
};

static void on_bundle(void *context, struct bundle *bundle, const struct err *error)
{
    struct got *got = context;
    assert_false(got->called);
    got->called = true;
    got->wait = NULL;
    got->bundle = bundle;
    if (error)
        got->error = *error;
}

static void cache_open(struct rig *rig, void **state, int64_t bytes_max)
{
    struct err err;
    char trash[512];
    snprintf(trash, sizeof trash, "%s", temp_path(state, "trash"));
    assert_ok(trash_new(rig->loop, trash, &rig->trash, &err), err);
    assert_ok(
        bundle_cache_new(rig->loop, rig->http, rig->trash, temp_path(state, "bundles"), bytes_max, &rig->cache, &err),
        err);
}

static void cache_close(struct rig *rig)
{
    bundle_cache_free(rig->cache);
    trash_free(rig->trash);
}

static struct rig rig_open(void **state, int64_t bytes_max)
{
    struct err err;
    struct rig rig = {.server = bundle_server_start()};
    const struct http_client_settings settings = {.base_url = bundle_server_url(rig.server)};
    assert_ok(loop_new(&rig.loop, &err), err);
    assert_ok(http_async_new(rig.loop, &settings, 0, &rig.http, &err), err);
    cache_open(&rig, state, bytes_max);
    return rig;
}

static void rig_close(struct rig *rig)
{
    cache_close(rig);
    http_async_free(rig->http);
    loop_free(rig->loop);
    bundle_server_stop(rig->server);
}

static const char *make_bundle(struct rig *rig, void **state, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s", temp_path(state, "made.tar.zst"));
    struct bundle_maker *maker = bundle_maker_new(path);
    bundle_add_text(maker, "text", text);
    bundle_maker_close(maker);
    return bundle_server_add(rig->server, path);
}

// Waits for the answer; 1 when it came at once.
static int get(struct rig *rig, const char *name, struct got *got)
{
    struct err err;
    *got = (struct got){0};
    int outcome = bundle_cache_get(rig->cache, name, on_bundle, got, &got->bundle, &got->wait, &err);
    assert_ok(outcome, err);
    if (outcome == 0)
        assert_true(loop_until_set(rig->loop, &got->called, PATIENCE_MS));
    return outcome;
}

static void assert_text(const struct bundle *bundle, const char *text)
{
    struct err err;
    char path[512];
    AUTO_FREE char *content = NULL;
    size_t length;
    snprintf(path, sizeof path, "%s/text", bundle->files);
    assert_ok(file_read(path, 1 << 20, &content, &length, &err), err);
    assert_string_equal(content, text);
}

static void a_bundle_is_fetched_once(void **state)
{
    struct err err;
    struct rig rig = rig_open(state, BUNDLE_CACHE_BYTES);
    struct got first = {0}, second = {0}, third;
    const char *name = make_bundle(&rig, state, "hello");
    assert_ok(bundle_cache_get(rig.cache, name, on_bundle, &first, &first.bundle, &first.wait, &err), err);
    assert_ok(bundle_cache_get(rig.cache, name, on_bundle, &second, &second.bundle, &second.wait, &err), err);
    assert_true(loop_until_set(rig.loop, &second.called, PATIENCE_MS));
    assert_true(first.called);
    assert_text(first.bundle, "hello");
    assert_ptr_equal(first.bundle, second.bundle);
    assert_int_equal(get(&rig, name, &third), 1);
    assert_int_equal(bundle_server_requests(rig.server), 1);
    bundle_drop(first.bundle);
    bundle_drop(second.bundle);
    bundle_drop(third.bundle);
    rig_close(&rig);
}

static void what_is_complete_outlives_the_worker(void **state)
{
    struct rig rig = rig_open(state, BUNDLE_CACHE_BYTES);
    struct got got;
    const char *name = make_bundle(&rig, state, "hello");
    get(&rig, name, &got);
    cache_close(&rig);
    cache_open(&rig, state, BUNDLE_CACHE_BYTES);
    assert_int_equal(get(&rig, name, &got), 1);
    assert_text(got.bundle, "hello");
    assert_int_equal(got.bundle->size.entries, 1);
    cache_close(&rig);
    // Not what was written before the machine was started again.
    struct err err;
    assert_ok(file_replace(temp_path(state, "bundles/.boot"), "another", 7, 0600, &err), err);
    cache_open(&rig, state, BUNDLE_CACHE_BYTES);
    assert_int_equal(get(&rig, name, &got), 0);
    assert_text(got.bundle, "hello");
    assert_int_equal(bundle_server_requests(rig.server), 2);
    rig_close(&rig);
}

static void what_is_incomplete_is_thrown_away(void **state)
{
    struct err err;
    struct rig rig = rig_open(state, BUNDLE_CACHE_BYTES);
    struct got got;
    const char *name = make_bundle(&rig, state, "hello");
    get(&rig, name, &got);
    char size[256];
    snprintf(size, sizeof size, "bundles/%s/size", name + 7);
    assert_int_equal(unlink(temp_path(state, size)), 0);
    cache_close(&rig);
    assert_ok(dir_make(temp_path(state, "bundles/half.new/files"), 0755, &err), err);
    cache_open(&rig, state, BUNDLE_CACHE_BYTES);
    assert_int_not_equal(access(temp_path(state, "bundles/half.new"), F_OK), 0);
    assert_int_equal(get(&rig, name, &got), 0);
    assert_text(got.bundle, "hello");
    rig_close(&rig);
}

static void the_least_recently_used_goes(void **state)
{
    struct rig rig = rig_open(state, 10);
    struct got got, held;
    const char *one = make_bundle(&rig, state, "1111"), *two = make_bundle(&rig, state, "2222"),
               *three = make_bundle(&rig, state, "3333");
    get(&rig, one, &got);
    bundle_drop(got.bundle);
    get(&rig, two, &held); // held: stays, whatever comes
    assert_int_equal(get(&rig, one, &got), 1);
    bundle_drop(got.bundle);
    get(&rig, three, &got);
    bundle_drop(got.bundle);
    assert_int_equal(bundle_server_requests(rig.server), 3);
    assert_text(held.bundle, "2222");
    bundle_drop(held.bundle);
    assert_int_equal(get(&rig, one, &got), 0); // it was the oldest that nobody held
    bundle_drop(got.bundle);
    assert_int_equal(get(&rig, three, &got), 1);
    bundle_drop(got.bundle);
    rig_close(&rig);
}

static void a_manager_that_is_away_is_asked_again(void **state)
{
    struct rig rig = rig_open(state, BUNDLE_CACHE_BYTES);
    struct got got;
    const char *name = make_bundle(&rig, state, "hello");
    bundle_server_refuse(rig.server, 503, 2);
    get(&rig, name, &got);
    assert_text(got.bundle, "hello");
    assert_int_equal(bundle_server_requests(rig.server), 3);
    rig_close(&rig);
}

static void failures_say_what_is_wrong(void **state)
{
    struct err err;
    struct rig rig = rig_open(state, BUNDLE_CACHE_BYTES);
    struct got got;
    char unknown[80];
    snprintf(unknown, sizeof unknown, "sha256:%064d", 7);
    get(&rig, unknown, &got);
    assert_null(got.bundle);
    assert_int_equal(got.error.code, ERR_NOT_FOUND);
    char path[512];
    snprintf(path, sizeof path, "%s", temp_path(state, "made.tar.zst"));
    assert_ok(file_replace(path, "no archive", 10, 0600, &err), err);
    get(&rig, bundle_server_add(rig.server, path), &got);
    assert_null(got.bundle);
    assert_int_equal(got.error.code, ERR_INVALID);
    bundle_server_refuse(rig.server, 400, 1);
    get(&rig, make_bundle(&rig, state, "hello"), &got);
    assert_int_equal(got.error.code, ERR_IO);
    assert_error(bundle_cache_get(rig.cache, "sha256:12", on_bundle, &got, &got.bundle, &got.wait, &err), err,
                 ERR_INVALID, "no name");
    rig_close(&rig);
}

static void content_with_another_hash_is_never_used(void **state)
{
    struct err err;
    struct rig rig = rig_open(state, BUNDLE_CACHE_BYTES);
    struct got got = {0};
    const char *name = make_bundle(&rig, state, "hello");
    bundle_server_corrupt(rig.server);
    assert_ok(bundle_cache_get(rig.cache, name, on_bundle, &got, &got.bundle, &got.wait, &err), err);
    while (bundle_server_requests(rig.server) < 2)
        loop_for(rig.loop, 10);
    assert_false(got.called);
    bundle_wait_cancel(got.wait); // nobody wants it any more: the retry is the last
    loop_for(rig.loop, 50);
    assert_false(got.called);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bundle_is_fetched_once, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_complete_outlives_the_worker, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_incomplete_is_thrown_away, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(the_least_recently_used_goes, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_manager_that_is_away_is_asked_again, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(failures_say_what_is_wrong, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(content_with_another_hash_is_never_used, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
