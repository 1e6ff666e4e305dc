#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"
#include "services/worker/shim/spec.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char STRINGS[] = "/work\0/cgroup\0echo\0a b\0\0HOME=/\0"; // two and argv of 3 and one variable

static struct shim_spec_header header_of(uint32_t arguments, uint32_t variables)
{
    return (struct shim_spec_header){.magic = SHIM_MAGIC,
                                     .size = (uint32_t)(sizeof(struct shim_spec_header) + sizeof(STRINGS) - 1),
                                     .argument_count = arguments,
                                     .variable_count = variables,
                                     .flags = SHIM_PID_NAMESPACE,
                                     .stop_signal = 15,
                                     .stop_grace_ms = 10000,
                                     .lease_deadline_boot_ms = 77};
}

// Writes header and strings into a memory file and reads it as a spec.
static int read_spec(struct shim_spec_header header, const char *strings, size_t length, struct shim_spec *out,
                     struct err *err)
{
    AUTO_CLOSE int fd = memfd_create("spec", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(fd_write_all(fd, &header, sizeof(header), err), *err);
    assert_ok(fd_write_all(fd, strings, length, err), *err);
    return shim_spec_read(fd, out, err);
}

static void a_spec_is_read(void **state)
{
    UNUSED(state);
    struct shim_spec spec;
    struct err err;
    assert_ok(read_spec(header_of(3, 1), STRINGS, sizeof(STRINGS) - 1, &spec, &err), err);
    assert_int_equal(spec.header.lease_deadline_boot_ms, 77);
    assert_string_equal(spec.directory, "/work");
    assert_string_equal(spec.cgroup, "/cgroup");
    assert_string_equal(spec.argv[0], "echo");
    assert_string_equal(spec.argv[1], "a b");
    assert_string_equal(spec.argv[2], "");
    assert_null(spec.argv[3]);
    assert_string_equal(spec.env[0], "HOME=/");
    assert_null(spec.env[1]);
    shim_spec_release(&spec);
    assert_null(spec.argv);
}

static void assert_refused(struct shim_spec_header header, const char *strings, size_t length, const char *part)
{
    struct shim_spec spec;
    struct err err = {0};
    assert_error(read_spec(header, strings, length, &spec, &err), err, ERR_INVALID, part);
}

static void damaged_specs_are_refused(void **state)
{
    UNUSED(state);
    const size_t length = sizeof(STRINGS) - 1;
    struct shim_spec_header header = header_of(3, 1);
    header.magic++;
    assert_refused(header, STRINGS, length, "another build");
    header = header_of(3, 1);
    header.size = sizeof(header);
    assert_refused(header, STRINGS, length, "size");
    header.size = SHIM_SPEC_MAX + 1;
    assert_refused(header, STRINGS, length, "size");
    assert_refused(header_of(3, 1), STRINGS, length - 1, "ends after");
    assert_refused(header_of(0, 1), STRINGS, length, "counts");
    assert_refused(header_of(3, UINT32_MAX), STRINGS, length, "counts");
    assert_refused(header_of(3, 2), STRINGS, length, "fewer strings");
    assert_refused(header_of(4, 1), STRINGS, length, "fewer strings");
    assert_refused(header_of(2, 1), STRINGS, length, "more strings");
    char open_end[sizeof(STRINGS)];
    memcpy(open_end, STRINGS, sizeof(STRINGS));
    open_end[length - 1] = 'x';
    assert_refused(header_of(3, 1), open_end, length, "no end");
}

// Whatever the bytes are, reading ends with a well-formed spec or an error.
static void any_header_is_survived(void **state)
{
    UNUSED(state);
    for (uint32_t arguments = 0; arguments < 12; arguments++) {
        for (uint32_t variables = 0; variables < 12; variables++) {
            struct shim_spec spec;
            struct err err;
            int result = read_spec(header_of(arguments, variables), STRINGS, sizeof(STRINGS) - 1, &spec, &err);
            assert_int_equal(result, arguments >= 1 && arguments + variables == 4 ? 0 : -1);
            if (result == 0)
                shim_spec_release(&spec);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_is_read),
        cmocka_unit_test(damaged_specs_are_refused),
        cmocka_unit_test(any_header_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
