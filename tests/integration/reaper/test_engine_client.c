// The removal of a network at an engine that answers as a real one does after it was killed: it keeps an endpoint of a
// container, which is gone or not; or refuses although it keeps none.
#include "services/reaper/engine_client.h"

#include "services/common/http/server.h"
#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct {
    atomic_bool has_container; // whose endpoint it is
    atomic_bool has_endpoint, has_network;
    atomic_bool miscounts;
} engine;

static enum http_handled message(struct http_reply *reply, int status, const char *text)
{
    char body[128];
    snprintf(body, sizeof body, "{\"message\":\"%s\"}", text);
    return http_reply_text(reply, status, "application/json", body);
}

static enum http_handled get_network(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return http_reply_text(reply, 200, "application/json",
                           engine.has_endpoint ? "{\"Containers\":{\"ep-1\":{\"Name\":\"guest\"}}}"
                                               : "{\"Containers\":{}}");
}

static enum http_handled delete_network(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    if (engine.has_endpoint || engine.miscounts)
        return message(reply, 403, "network n1 has active endpoints");
    engine.has_network = false;
    return http_reply_empty(reply, 204);
}

static enum http_handled get_container(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    return engine.has_container ? http_reply_text(reply, 200, "application/json", "{\"Id\":\"c1\"}")
                                : message(reply, 404, "No such container: guest");
}

static enum http_handled disconnect(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app);
    UNUSED(request);
    engine.has_endpoint = false;
    return http_reply_empty(reply, 200);
}

static const struct http_route routes[] = {
    {"GET", "/networks/{id}", get_network, 0, "", 0, 0, 0},
    {"DELETE", "/networks/{id}", delete_network, 0, "", 0, 0, 0},
    {"GET", "/containers/{id}/json", get_container, 0, "", 0, 0, 0},
    {"POST", "/networks/{id}/disconnect", disconnect, 0, "", 1024, 0, 0},
};

static int setup(void **state)
{
    struct http_server *server = NULL;
    struct err err = {0};
    const struct http_server_settings serving = {
        .address = "127.0.0.1", .routes = {routes, ARRAY_LEN(routes)}, .threads = 1};
    assert_ok(http_server_start(&serving, &server, &err), err);
    *state = server;
    return 0;
}

static int teardown(void **state)
{
    http_server_free(*state);
    return 0;
}

static struct engine_client *client_of(struct http_server *server)
{
    struct engine_client *client = NULL;
    struct err err = {0};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(server));
    assert_ok(engine_client_new(url, &client, &err), err);
    engine.has_endpoint = engine.has_network = true;
    return client;
}

static void what_is_left_of_a_container_that_is_gone_is_taken_out(void **state)
{
    struct engine_client *client = client_of(*state);
    struct err err = {0};
    engine.has_container = false;
    assert_int_equal(engine_client_remove_network(client, "n1", &err), ENGINE_DONE);
    assert_false(engine.has_network);
    engine_client_free(client);
}

static void a_container_that_is_there_keeps_it_and_is_named(void **state)
{
    struct engine_client *client = client_of(*state);
    struct err err = {0};
    engine.has_container = true;
    assert_error(engine_client_remove_network(client, "n1", &err), err, ERR_CONFLICT,
                 "the engine says: network n1 has active endpoints; in it is guest");
    assert_true(engine.has_network && engine.has_endpoint);
    engine_client_free(client);
}

static void an_engine_that_has_lost_count_is_told_from_one_in_use(void **state)
{
    struct engine_client *client = client_of(*state);
    struct err err = {0};
    engine.has_endpoint = false;
    engine.miscounts = true;
    assert_int_equal(engine_client_remove_network(client, "n1", &err), ENGINE_MISCOUNTED);
    assert_true(engine.has_network);
    engine.miscounts = false;
    assert_int_equal(engine_client_remove_network(client, "n1", &err), ENGINE_DONE);
    assert_false(engine.has_network);
    engine_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_of_a_container_that_is_gone_is_taken_out),
        cmocka_unit_test(a_container_that_is_there_keeps_it_and_is_named),
        cmocka_unit_test(an_engine_that_has_lost_count_is_told_from_one_in_use),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
