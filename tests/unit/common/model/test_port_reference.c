#include "services/common/model/port_reference.h"
#include "tests/support/test.h"

#include <string.h>

static const char *const names[] = {"main", "admin-ui"};
static const int ports[] = {40123, 8080};

static void assert_becomes(const char *text, const char *expected)
{
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    struct err err = {0};
    assert_ok(port_references_replace(text, names, ports, 2, &out, &err), err);
    assert_string_equal(strbuf_text(&out), expected);
}

static void replaces_what_names_a_port(void **state)
{
    UNUSED(state);
    assert_becomes("", "");
    assert_becomes("${PORT}", "40123");
    assert_becomes("--port=${PORT_MAIN} ${PORT_ADMIN_UI}!", "--port=40123 8080!");
    assert_becomes("${PORT}${PORT}", "4012340123");
}

static void leaves_everything_else(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"$PORT", "${HOME}", "${PORTAL}", "${port}", "${PORT",
                                        "$",     "${",      "${}",       "$${X}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_becomes(texts[i], texts[i]);
    assert_becomes("$${PORT}", "$40123");
    assert_becomes("${HOME}${PORT}", "${HOME}40123");
}

static void refuses_what_names_no_port(void **state)
{
    UNUSED(state);
    static const char *const texts[] = {"${PORT_}", "${PORT_X}", "${PORT_main}", "${PORT_ADMIN-UI}", "${PORT_MAINX}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct strbuf out AUTO_STRBUF = STRBUF_INIT;
        struct err err = {0};
        assert_error(port_references_replace(texts[i], names, ports, 2, &out, &err), err, ERR_INVALID, "names no port");
    }
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    struct err err = {0};
    assert_error(port_references_replace("${PORT}", NULL, NULL, 0, &out, &err), err, ERR_INVALID, "${PORT}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_what_names_a_port),
        cmocka_unit_test(leaves_everything_else),
        cmocka_unit_test(refuses_what_names_no_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
