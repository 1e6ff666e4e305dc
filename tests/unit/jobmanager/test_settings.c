#include "services/jobmanager/settings.h"
#include "tests/support/test.h"

#include <string.h>

#define LOAD(out, err, ...)                                                                     \
    ({                                                                                          \
        char *arguments_[] = {"serve", "--database-url", "postgresql:///x", __VA_ARGS__, NULL}; \
        settings_load((int)ARRAY_LEN(arguments_) - 1, arguments_, out, err);                    \
    })

static void addresses(void **state)
{
    UNUSED(state);
    static const struct {
        char *text;
        const char *address;
        uint16_t port;
        bool loopback;
    } good[] = {{"127.0.0.1:19001", "127.0.0.1", 19001, true},
                {"127.3.0.1:1", "127.3.0.1", 1, true},
                {"0.0.0.0:80", "0.0.0.0", 80, false},
                {"[::1]:0", "::1", 0, true},
                {"[::]:5", "::", 5, false},
                {"10.0.0.1:65535", "10.0.0.1", 65535, false},
                {"unix:/tmp/x.sock", "unix:/tmp/x.sock", 0, true}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO_SETTINGS struct settings settings = {0};
        struct err err;
        assert_ok(LOAD(&settings, &err, "--listen", good[i].text), err);
        assert_string_equal(settings.address, good[i].address);
        assert_int_equal(settings.port, good[i].port);
        assert_int_equal(settings.loopback, good[i].loopback);
    }
}

static void wrong_ones_are_named(void **state)
{
    UNUSED(state);
    static const struct {
        char *flag, *value;
        const char *part;
    } wrong[] = {{"--listen", "localhost", "no port"},
                 {"--listen", "localhost:1", "not a numeric address"},
                 {"--listen", "127.0.0.1:70000", "port"},
                 {"--listen", "::1", "not a numeric address"},
                 {"--log-level", "loud", "log-level"},
                 {"--log-format", "xml", "log-format"},
                 {"--worker-fence", "29s", "worker-lease"},
                 {"--worker-poll", "15s", "worker-poll"},
                 {"--lanes", "0", "lanes"}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_SETTINGS struct settings settings = {0};
        struct err err;
        assert_error(LOAD(&settings, &err, wrong[i].flag, wrong[i].value), err, ERR_INVALID, wrong[i].part);
    }
}

static void the_defaults_hold_together(void **state)
{
    UNUSED(state);
    AUTO_SETTINGS struct settings settings = {0};
    struct err err;
    assert_ok(LOAD(&settings, &err, "--log-format", "json"), err);
    assert_string_equal(settings.listen, "127.0.0.1:19001");
    assert_int_equal(settings.worker_lease_ms, 30000);
    assert_int_equal(settings.poll_ms, 5000);
    assert_null(settings.token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(wrong_ones_are_named),
        cmocka_unit_test(the_defaults_hold_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
