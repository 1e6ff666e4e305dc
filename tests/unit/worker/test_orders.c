#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/common/base/macros.h"
#include "services/worker/orders.h"

#define RUN "{\"name\":\"count\",\"command\":[\"./count.sh\"],\"timeout\":\"10s\"}"
#define SLICE_HEAD \
    "{\"slice\":\"j1/0/5\",\"token\":9,\"job\":\"j1\",\"stage\":\"count\",\"first\":5,\"count\":2,\"attempt\":1,"

static int read_reply(const char *text, struct poll_reply *out, struct err *err)
{
    return poll_reply_read(text, strlen(text), out, err);
}

static void an_empty_reply_is_a_heartbeat(void **state)
{
    UNUSED(state);
    struct poll_reply reply;
    struct err err;
    assert_int_equal(
        read_reply("{\"lease_ms\":30000,\"slices\":[],\"start\":[],\"stop\":[],\"drain\":true}", &reply, &err), 0);
    assert_int_equal(reply.lease_ms, 30000);
    assert_true(reply.drain);
    assert_false(reply.drill);
    assert_int_equal(reply.slice_count, 0);
    poll_reply_release(&reply);
    assert_int_equal(read_reply("{\"lease_ms\":30000,\"drill\":true}", &reply, &err), 0);
    assert_true(reply.drill);
    poll_reply_release(&reply);
}

static void a_slice_outlives_the_reply(void **state)
{
    UNUSED(state);
    struct poll_reply reply;
    struct err err = {0};
    const char *text =
        "{\"lease_ms\":1,\"slices\":[" SLICE_HEAD "\"items\":[{\"file\": \"a\"},null],\"run\":" RUN ",\"services\":"
        "[{\"name\":\"cache\",\"host\":\"127.0.0.1\",\"ports\":{\"main\":4000,\"admin\":4001}}],\"bundle\":null}]}";
    if (read_reply(text, &reply, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(reply.slice_count, 1);
    struct slice_order *order = reply.slices[0];
    reply.slices[0] = NULL;
    poll_reply_release(&reply);

    assert_string_equal(order->slice, "j1/0/5");
    assert_int_equal(order->token, 9);
    assert_string_equal(order->stage, "count");
    assert_int_equal(order->first, 5);
    assert_string_equal(order->items[0], "{\"file\":\"a\"}");
    assert_string_equal(order->items[1], "null");
    assert_string_equal(order->run.run.command.items[0], "./count.sh");
    assert_int_equal(order->run.timeout_ms, 10000);
    assert_int_equal(order->service_count, 1);
    assert_string_equal(order->services[0].host, "127.0.0.1");
    assert_int_equal(order->services[0].port_count, 2);
    assert_string_equal(order->services[0].ports[1].name, "admin");
    assert_int_equal(order->services[0].ports[1].number, 4001);
    assert_null(order->bundle);
    slice_order_free(order);
}

static void all_orders_are_read(void **state)
{
    UNUSED(state);
    struct poll_reply reply;
    struct err err = {0};
    const char *text =
        "{\"lease_ms\":1,\"start\":[{\"job\":\"j1\",\"service\":\"cache\",\"epoch\":2,\"object\":\"curfew-d-j1-cache-"
        "2\","
        "\"run\":{\"name\":\"cache\",\"command\":[\"redis-server\"]},\"services\":[],\"bundle\":\"sha256:aa\"}],"
        "\"stop\":[{\"job\":\"j1\",\"service\":\"a\",\"epoch\":1,\"reason\":\"failed\"},{\"job\":\"j1\",\"service\":"
        "\"b\",\"epoch\":3}],"
        "\"verify\":[{\"job\":\"j2\",\"service\":\"c\",\"epoch\":1}],\"cancel\":[{\"slice\":\"j1/0/0\",\"token\":4}],"
        "\"stale\":[\"j3/0/0\",\"j3/0/1\",\"j3/0/2\"],\"something_new\":{\"a\":[1]}}";
    if (read_reply(text, &reply, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(reply.start_count, 1);
    assert_string_equal(reply.starts[0]->object, "curfew-d-j1-cache-2");
    assert_string_equal(reply.starts[0]->run.name, "cache");
    assert_string_equal(reply.starts[0]->bundle, "sha256:aa");
    assert_int_equal(reply.stop_count, 2);
    assert_string_equal(reply.stops[0].reason, "failed");
    assert_string_equal(reply.stops[1].service, "b");
    assert_null(reply.stops[1].reason);
    assert_int_equal(reply.verify_count, 1);
    assert_int_equal(reply.cancel_count, 1);
    assert_int_equal(reply.cancels[0].token, 4);
    assert_int_equal(reply.stale_count, 3);
    assert_string_equal(reply.stale[2], "j3/0/2");
    poll_reply_release(&reply);
}

static void what_cannot_be_is_refused(void **state)
{
    UNUSED(state);
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"", ""},
        {"[]", ""},
        {"{\"slices\":[{}]}", "/slices/0"},
        {"{\"slices\":[" SLICE_HEAD "\"run\":{}}]}", "/slices/0"},
        {"{\"slices\":[" SLICE_HEAD "\"items\":[1],\"run\":" RUN "}]}", "/slices/0/items"},
        {"{\"slices\":[" SLICE_HEAD "\"run\":" RUN ",\"services\":[{\"name\":\"a\",\"ports\":{\"p\":0}}]}]}",
         "/slices/0/services/0/ports/p"},
        {"{\"stop\":[{\"job\":\"j1\"}]}", "/stop/0"},
        {"{\"cancel\":{}}", "/cancel"},
        {"{\"stale\":[1]}", "/stale/0"},
        {"{\"lease_ms\":-1}", "/lease_ms"},
        {"{\"lease_ms\":1} x", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct poll_reply reply = {0};
        struct err err = {0};
        if (read_reply(cases[i].text, &reply, &err) != -1)
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(err.code, ERR_INVALID);
        if (!strstr(err.text, cases[i].where))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_reply_is_a_heartbeat),
        cmocka_unit_test(a_slice_outlives_the_reply),
        cmocka_unit_test(all_orders_are_read),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
