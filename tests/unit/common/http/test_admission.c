#include "services/common/http/admission.h"

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static struct http_address address_of(const char *text, bool *is_loopback)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return http_address_from((const void *)&v4, is_loopback);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_address_from((const void *)&v6, is_loopback);
}

static bool is_loopback(const char *text)
{
    bool result = false;
    address_of(text, &result);
    return result;
}

static void knows_loopback(void **state)
{
    UNUSED(state);
    assert_true(is_loopback("127.0.0.1"));
    assert_true(is_loopback("127.9.9.9"));
    assert_true(is_loopback("::1"));
    assert_true(is_loopback("::ffff:127.0.0.1"));
    assert_false(is_loopback("128.0.0.1"));
    assert_false(is_loopback("::2"));
    assert_false(is_loopback("::ffff:10.0.0.1"));
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    bool result = false;
    assert_false(http_address_from((const void *)&local, &result).is_counted);
    assert_true(result);
    assert_false(http_address_from(NULL, &result).is_counted);
}

static void counts_by_address(void **state)
{
    UNUSED(state);
    bool ignored = false;
    struct http_admission *admission = NULL;
    struct err err = {0};
    assert_ok(http_admission_new(2, &admission, &err), err);
    struct http_address a = address_of("10.0.0.1", &ignored), b = address_of("10.0.0.2", &ignored);
    struct http_address mapped = address_of("::ffff:10.0.0.1", &ignored);
    assert_true(http_admission_enter(admission, &a));
    assert_true(http_admission_enter(admission, &mapped));
    assert_false(http_admission_enter(admission, &a));
    assert_true(http_admission_enter(admission, &b));
    http_admission_leave(admission, &a);
    assert_false(http_admission_enter(admission, &a));
    http_admission_leave(admission, &a);
    http_admission_leave(admission, &a);
    assert_true(http_admission_enter(admission, &a));
    http_admission_free(admission);
}

static void counts_ipv6_by_network(void **state)
{
    UNUSED(state);
    bool ignored = false;
    struct http_admission *admission = NULL;
    struct err err = {0};
    assert_ok(http_admission_new(1, &admission, &err), err);
    struct http_address a = address_of("2001:db8::1", &ignored), same = address_of("2001:db8::2:3", &ignored);
    struct http_address other = address_of("2001:db8:0:1::1", &ignored);
    assert_true(http_admission_enter(admission, &a));
    assert_false(http_admission_enter(admission, &same));
    assert_true(http_admission_enter(admission, &other));
    http_admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_loopback),
        cmocka_unit_test(counts_by_address),
        cmocka_unit_test(counts_ipv6_by_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
