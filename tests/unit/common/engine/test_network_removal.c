// A network's removal as a talk with an engine, which is a table here.
#include "services/common/engine/network_removal.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/macros.h"
#include "tests/support/test.h"

#include <string.h>

#define EMPTY "{\"Name\":\"n\",\"Id\":\"N\",\"Containers\":{}}"
#define WITH(name) "{\"Name\":\"n\",\"Containers\":{\"ep-1\":{\"Name\":\"" name "\",\"EndpointID\":\"1\"}}}"
#define BUSY 403, "{\"message\":\"network n has active endpoints\"}"

struct turn {
    const char *question; // method, path, and the body if there is one
    int status;
    const char *answer;
    int outcome;
};

static void expect_talk(const struct turn *turns, size_t count)
{
    struct network_removal removal;
    AUTO_STRBUF struct strbuf path = STRBUF_INIT, body = STRBUF_INIT;
    network_removal_begin(&removal, "N");
    for (size_t i = 0; i < count; i++) {
        AUTO_STRBUF struct strbuf question = STRBUF_INIT;
        struct err err = {0};
        const char *method = network_removal_ask(&removal, &path, &body);
        strbuf_add_format(&question, "%s %s%s%s", method, path.data, body.length > 0 ? " " : "", strbuf_text(&body));
        assert_string_equal(strbuf_text(&question), turns[i].question);
        assert_int_equal(
            network_removal_answered(&removal, turns[i].status, turns[i].answer, strlen(turns[i].answer), &err),
            turns[i].outcome);
    }
}

static void nothing_stands_in_its_way(void **state)
{
    static const struct turn removed[] = {{"DELETE /networks/N", 204, "", REMOVAL_DONE}};
    static const struct turn absent[] = {{"DELETE /networks/N", 404, "", REMOVAL_DONE}};
    UNUSED(state);
    expect_talk(removed, ARRAY_LEN(removed));
    expect_talk(absent, ARRAY_LEN(absent));
}

static void a_container_keeps_it(void **state)
{
    static const struct turn turns[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                        {"GET /networks/N", 200, WITH("curfew-d-j1.cache.1"), REMOVAL_GOES_ON},
                                        {"GET /containers/curfew-d-j1.cache.1/json", 200, "{}", REMOVAL_IN_USE}};
    UNUSED(state);
    expect_talk(turns, ARRAY_LEN(turns));
}

static void what_belongs_to_no_container_is_taken_out(void **state)
{
    static const struct turn turns[] = {
        {"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
        {"GET /networks/N", 200, WITH("a"), REMOVAL_GOES_ON},
        {"GET /containers/a/json", 404, "", REMOVAL_GOES_ON},
        {"POST /networks/N/disconnect {\"Container\":\"a\",\"Force\":true}", 200, "", REMOVAL_GOES_ON},
        {"GET /networks/N", 200, WITH("b"), REMOVAL_GOES_ON},
        {"GET /containers/b/json", 404, "", REMOVAL_GOES_ON},
        {"POST /networks/N/disconnect {\"Container\":\"b\",\"Force\":true}", 200, "", REMOVAL_GOES_ON},
        {"GET /networks/N", 200, EMPTY, REMOVAL_GOES_ON},
        {"DELETE /networks/N", 204, "", REMOVAL_DONE},
    };
    UNUSED(state);
    expect_talk(turns, ARRAY_LEN(turns));
}

static void an_engine_that_has_lost_count_is_told_from_one_in_use(void **state)
{
    static const struct turn miscounted[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                             {"GET /networks/N", 200, EMPTY, REMOVAL_GOES_ON},
                                             {"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                             {"GET /networks/N", 200, "{}", REMOVAL_GOES_ON},
                                             {"DELETE /networks/N", BUSY, REMOVAL_MISCOUNTED}};
    static const struct turn filled[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                         {"GET /networks/N", 200, EMPTY, REMOVAL_GOES_ON},
                                         {"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                         {"GET /networks/N", 200, WITH("a"), REMOVAL_GOES_ON},
                                         {"GET /containers/a/json", 200, "{}", REMOVAL_IN_USE}};
    UNUSED(state);
    expect_talk(miscounted, ARRAY_LEN(miscounted));
    expect_talk(filled, ARRAY_LEN(filled));
}

static void it_has_an_end(void **state)
{
    static const struct turn refused[] = {{"DELETE /networks/N", 500, "{\"message\":\"not now\"}", REMOVAL_GOES_ON},
                                          {"GET /networks/N", 200, EMPTY, REMOVAL_GOES_ON},
                                          {"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                          {"GET /networks/N", 200, "{}", REMOVAL_GOES_ON},
                                          {"DELETE /networks/N", 500, "{\"message\":\"not now\"}", REMOVAL_IN_USE}};
    static const struct turn not_taken_out[] = {
        {"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
        {"GET /networks/N", 200, WITH("a"), REMOVAL_GOES_ON},
        {"GET /containers/a/json", 404, "", REMOVAL_GOES_ON},
        {"POST /networks/N/disconnect {\"Container\":\"a\",\"Force\":true}", 500, "", REMOVAL_IN_USE}};
    static const struct turn unknown[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                          {"GET /networks/N", 200, WITH("a"), REMOVAL_GOES_ON},
                                          {"GET /containers/a/json", 500, "", REMOVAL_IN_USE}};
    static const struct turn vanished[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                           {"GET /networks/N", 404, "", REMOVAL_DONE}};
    static const struct turn strange[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                          {"GET /networks/N", 200, WITH("a/../b"), REMOVAL_IN_USE}};
    static const struct turn unreadable[] = {{"DELETE /networks/N", BUSY, REMOVAL_GOES_ON},
                                             {"GET /networks/N", 200, "[", -1}};
    UNUSED(state);
    expect_talk(refused, ARRAY_LEN(refused));
    expect_talk(not_taken_out, ARRAY_LEN(not_taken_out));
    expect_talk(unknown, ARRAY_LEN(unknown));
    expect_talk(vanished, ARRAY_LEN(vanished));
    expect_talk(strange, ARRAY_LEN(strange));
    expect_talk(unreadable, ARRAY_LEN(unreadable));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_stands_in_its_way),
        cmocka_unit_test(a_container_keeps_it),
        cmocka_unit_test(what_belongs_to_no_container_is_taken_out),
        cmocka_unit_test(an_engine_that_has_lost_count_is_told_from_one_in_use),
        cmocka_unit_test(it_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
