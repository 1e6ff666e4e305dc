// What a reaper makes of an engine that answers as no real one can be made to answer; tests/containers has the real
// one.
#include "services/reaper/engine_watch.h"

#include "services/common/base/id.h"
#include "services/common/db/db.h"
#include "services/common/engine/forgotten.h"
#include "services/common/http/server.h"
#include "services/common/model/engine_labels.h"
#include "services/common/model/states.h"
#include "services/common/store/wakes.h"
#include "tests/support/pg.h"
#include "tests/support/store_db.h"
#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 3

// Containers "c0" to "c2", which have ended, with an identity of nobody's to begin with; and empty networks "n0" to
// "n2" of a job that nobody knows.
static struct {
    char deployment[64], identity[64];
    atomic_bool removed[COUNT], network_removed[COUNT];
    atomic_bool refuses;   // to remove c0
    atomic_bool babbles;   // when c0 or n0 is looked at
    atomic_int miscounted; // so many networks, from n0 on, are not empty for it
} engine;

// What the machine shows of every container, in place of common/engine/forgotten.c; 0: nothing.
static int forgotten_pid;

int engine_forgotten_end(const char *container, struct engine_forgotten *out, struct err *err)
{
    UNUSED(container);
    UNUSED(err);
    *out = (struct engine_forgotten){
        .found = forgotten_pid != 0, .refused = forgotten_pid != 0, .refused_pid = forgotten_pid};
    if (forgotten_pid)
        snprintf(out->text, sizeof out->text, "process %d is there", forgotten_pid);
    return 0;
}

static enum http_handled json(struct http_reply *reply, const char *text)
{
    return http_reply_text(reply, 200, "application/json", text);
}

static enum http_handled get_version(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return json(reply, "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}");
}

static enum http_handled get_info(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return json(reply, "{\"ID\":\"scripted\"}");
}

static void write_labels(struct strbuf *out)
{
    strbuf_add_format(out, "\"Labels\":{\"" ENGINE_LABEL_DEPLOYMENT "\":\"%s\",\"" ENGINE_LABEL_IDENTITY "\":\"%s\"}",
                      engine.deployment, engine.identity);
}

static enum http_handled get_containers(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    UNUSED(app);
    UNUSED(request);
    for (int i = 0; i < COUNT; i++) {
        if (atomic_load(&engine.removed[i]))
            continue;
        strbuf_add_format(&text, "%s{\"Id\":\"c%d\",\"State\":\"exited\",", text.length > 0 ? "," : "[", i);
        write_labels(&text);
        strbuf_add_char(&text, '}');
    }
    strbuf_add_text(&text, text.length > 0 ? "]" : "[]");
    return json(reply, strbuf_text(&text));
}

// Of the object that the path names.
static int index_of(struct http_request *request)
{
    return atoi(http_request_param(request, "id") + 1);
}

static enum http_handled get_container(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    UNUSED(app);
    if (index_of(request) == 0 && atomic_load(&engine.babbles))
        return json(reply, "[");
    strbuf_add_format(&text, "{\"Id\":\"%s\",\"State\":{\"Status\":\"exited\",\"ExitCode\":0},\"Config\":{",
                      http_request_param(request, "id"));
    write_labels(&text);
    strbuf_add_text(&text, "}}");
    return json(reply, strbuf_text(&text));
}

static enum http_handled delete_container(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    int index = index_of(request);
    if (index == 0 && atomic_load(&engine.refuses))
        return http_reply_text(reply, 500, "application/json", "{\"message\":\"device or resource busy\"}");
    atomic_store(&engine.removed[index], true);
    return http_reply_empty(reply, 204);
}

static enum http_handled get_networks(void *app, struct http_request *request, struct http_reply *reply)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    UNUSED(app);
    UNUSED(request);
    for (int i = 0; i < COUNT; i++)
        if (!atomic_load(&engine.network_removed[i]))
            strbuf_add_format(&text,
                              "%s{\"Id\":\"n%d\",\"Created\":\"2026\",\"Labels\":{\"" ENGINE_LABEL_DEPLOYMENT
                              "\":\"%s\",\"" ENGINE_LABEL_JOB "\":\"j0cnv6bv2mqe4m\"}}",
                              text.length > 0 ? "," : "[", i, engine.deployment);
    strbuf_add_text(&text, text.length > 0 ? "]" : "[]");
    return json(reply, strbuf_text(&text));
}

static enum http_handled get_network(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    return json(reply, index_of(request) == 0 && atomic_load(&engine.babbles) ? "[" : "{\"Containers\":{}}");
}

static enum http_handled delete_network(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    int index = index_of(request);
    if (index < atomic_load(&engine.miscounted))
        return http_reply_text(reply, 403, "application/json", "{\"message\":\"network n has active endpoints\"}");
    atomic_store(&engine.network_removed[index], true);
    return http_reply_empty(reply, 204);
}

static const struct http_route routes[] = {
    {"GET", "/version", get_version, 0, "", 0, 0, 0},
    {"GET", "/v1.41/info", get_info, 0, "", 0, 0, 0},
    {"GET", "/v1.41/networks", get_networks, 0, "", 0, 0, 0},
    {"GET", "/v1.41/networks/{id}", get_network, 0, "", 0, 0, 0},
    {"DELETE", "/v1.41/networks/{id}", delete_network, 0, "", 0, 0, 0},
    {"GET", "/v1.41/containers/json", get_containers, 0, "", 0, 0, 0},
    {"GET", "/v1.41/containers/{id}/json", get_container, 0, "", 0, 0, 0},
    {"DELETE", "/v1.41/containers/{id}", delete_container, 0, "", 0, 0, 0},
};

static int setup(void **state)
{
    *state = pg_start(0);
    return 0;
}

static int teardown(void **state)
{
    pg_stop(*state);
    return 0;
}

static int look(struct engine_watch *watch, struct err *err)
{
    AUTO_WAKES struct wakes wakes = WAKES_INIT;
    return engine_watch_round(watch, &wakes, err);
}

// A reaper at the engine; its containers have the identity of `job`'s service, or nobody's (0).
static struct engine_watch *watch_new(struct db *db, int64_t job, struct http_server **server)
{
    AUTO_FREE char *deployment = store_sql_text(db, "SELECT value FROM setting WHERE name = 'deployment'");
    struct engine_watch *watch = NULL;
    struct err err = {0};
    char name[ID_TEXT_SIZE] = "j0cnv6bv2mqe4m";
    static char url[64];
    memset(&engine, 0, sizeof engine);
    if (job)
        id_format('j', job, name);
    for (int i = 0; i < COUNT; i++)
        atomic_store(&engine.network_removed[i], true);
    snprintf(engine.deployment, sizeof engine.deployment, "%s", deployment);
    snprintf(engine.identity, sizeof engine.identity, "%s/cache/1", name);
    const struct http_server_settings serving = {
        .address = "127.0.0.1", .routes = {routes, ARRAY_LEN(routes)}, .threads = 1};
    assert_ok(http_server_start(&serving, server, &err), err);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(*server));
    const struct engine_watch_settings settings = {.url = url, .term_ms = 60000, .limit = 100};
    assert_ok(engine_watch_new(&settings, db, &watch, &err), err);
    return watch;
}

static void what_cannot_be_removed_holds_up_no_others(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct http_server *server = NULL;
    struct engine_watch *watch = watch_new(db, 0, &server);
    struct err err = {0};
    atomic_store(&engine.refuses, true);
    assert_error(look(watch, &err), err, ERR_IO, "removing: the engine at http://127.0.0.1");
    assert_false(engine.removed[0]);
    assert_true(engine.removed[1] && engine.removed[2]);
    assert_int_equal(store_sql(db, "SELECT containers FROM engine WHERE id = 'scripted'"),
                     COUNT); // the round was whole
    atomic_store(&engine.refuses, false);
    assert_int_equal(look(watch, &err), 1);
    assert_int_equal(look(watch, &err), 0);
    assert_true(engine.removed[0]);
    engine_watch_free(watch);
    http_server_free(server);
}

static int64_t networks_kept(struct db *db)
{
    return store_sql(db, "SELECT networks_kept FROM engine WHERE id = 'scripted'");
}

// It refuses two of three although it lists nothing in them, until it is started again.
static void an_engine_that_has_lost_count_is_asked_again(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct http_server *server = NULL;
    struct engine_watch *watch = watch_new(db, 0, &server);
    struct err err = {0};
    for (int i = 0; i < COUNT; i++) {
        atomic_store(&engine.removed[i], true);
        atomic_store(&engine.network_removed[i], false);
    }
    atomic_store(&engine.miscounted, 2);
    assert_int_equal(look(watch, &err), 3);
    assert_true(engine.network_removed[2]);
    assert_int_equal(networks_kept(db), 2);
    assert_int_equal(look(watch, &err), 2);
    assert_int_equal(networks_kept(db), 2);
    atomic_store(&engine.miscounted, 1);
    assert_int_equal(look(watch, &err), 2);
    assert_int_equal(networks_kept(db), 1);
    atomic_store(&engine.miscounted, 0);
    assert_int_equal(look(watch, &err), 1);
    assert_true(engine.network_removed[0] && engine.network_removed[1]);
    assert_int_equal(networks_kept(db), 0);
    assert_int_equal(look(watch, &err), 0);
    engine_watch_free(watch);
    http_server_free(server);
}

static void what_cannot_be_read_holds_up_no_others(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct http_server *server = NULL;
    struct engine_watch *watch = watch_new(db, 0, &server);
    struct err err = {0};
    for (int i = 0; i < COUNT; i++)
        atomic_store(&engine.network_removed[i], false);
    atomic_store(&engine.babbles, true);
    atomic_store(&engine.miscounted, 1);
    assert_int_equal(look(watch, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_false(engine.removed[0] || engine.network_removed[0]);
    assert_true(engine.removed[1] && engine.removed[2] && engine.network_removed[1] && engine.network_removed[2]);
    assert_int_equal(store_sql(db, "SELECT containers FROM engine WHERE id = 'scripted'"), COUNT);
    engine_watch_free(watch);
    http_server_free(server);
}

static int64_t events(struct db *db, const char *kind)
{
    return store_sql(db, "SELECT count(*) FROM event WHERE kind = 'service.%s'", kind);
}

// Of a lost worker, and nobody here may end it: it stays, as stuck, until somebody else has ended it.
static void what_may_not_be_ended_is_not_certified(void **state)
{
    AUTO_DB struct db *db = store_db_new(*state);
    struct http_server *server = NULL;
    struct err err = {0};
    int64_t worker = store_worker(db, "w1");
    int64_t job = store_submit(db, &(struct store_job){.service_count = 1, .services = {{.name = "cache"}}});
    store_place(db, job, worker);
    store_observe(db, job, "cache", INSTANCE_READY, NULL);
    store_sql(db, "UPDATE instance SET runtime = 'docker', engine = 'scripted', state = 10; "
                  "UPDATE worker SET engine = 'scripted', state = 4");
    struct engine_watch *watch = watch_new(db, job, &server);
    atomic_store(&engine.removed[1], true);
    atomic_store(&engine.removed[2], true);
    for (forgotten_pid = 7; forgotten_pid < 9; forgotten_pid++)
        for (int round = 0; round < 2; round++) {
            assert_int_equal(look(watch, &err), 1);
            assert_int_equal(store_sql(db, "SELECT state FROM instance"), INSTANCE_STUCK);
            AUTO_FREE char *error = store_sql_text(db, "SELECT error FROM instance");
            assert_string_equal(error, forgotten_pid == 7 ? "process 7 is there" : "process 8 is there");
            assert_false(engine.removed[0]);
            assert_int_equal(store_sql(db, "SELECT cleanup FROM job"), CLEANUP_STUCK);
        }
    assert_int_equal(events(db, "stuck"), 1);
    assert_int_equal(store_sql(db, "SELECT count(*) FROM instance WHERE grade IS NOT NULL"), 0);
    forgotten_pid = 0;
    assert_int_equal(look(watch, &err), 1);
    assert_true(engine.removed[0]);
    assert_int_equal(store_sql(db, "SELECT state FROM instance"), INSTANCE_STOPPED);
    assert_int_equal(look(watch, &err), 0);
    assert_int_equal(store_sql(db, "SELECT state FROM instance"), INSTANCE_VERIFIED);
    store_check(db, job);
    engine_watch_free(watch);
    http_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_cannot_be_removed_holds_up_no_others),
                                       cmocka_unit_test(what_cannot_be_read_holds_up_no_others),
                                       cmocka_unit_test(an_engine_that_has_lost_count_is_asked_again),
                                       cmocka_unit_test(what_may_not_be_ended_is_not_certified)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
