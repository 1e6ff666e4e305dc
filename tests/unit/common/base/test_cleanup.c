// Cleanup attributes: what is owned is released at the end of the scope, what was handed on is not.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int released;

struct thing {
    int number;
};

static void thing_free(struct thing *thing)
{
    if (thing)
        released++;
}

DEFINE_CLEANUP(struct thing *, thing_free);

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void releases_at_the_end_of_the_scope(void **state)
{
    UNUSED(state);
    struct thing thing = {0};
    released = 0;
    {
        CLEANUP(cleanup_thing_free) struct thing *owned = &thing;
        CLEANUP(cleanup_thing_free) struct thing *nothing = NULL;
        assert_non_null(owned);
        assert_null(nothing);
    }
    assert_int_equal(released, 1);
}

static void take_hands_on(void **state)
{
    UNUSED(state);
    struct thing thing = {0};
    struct thing *out = NULL;
    released = 0;
    {
        CLEANUP(cleanup_thing_free) struct thing *owned = &thing;
        out = TAKE_PTR(owned);
        assert_null(owned);
    }
    assert_ptr_equal(out, &thing);
    assert_int_equal(released, 0);
}

static void closes_descriptors(void **state)
{
    UNUSED(state);
    int seen = -1;
    int kept = -1;
    {
        AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        AUTO_CLOSE int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        AUTO_CLOSE int none = -1;
        seen = fd;
        kept = TAKE_FD(other);
        assert_true(is_open(seen));
        assert_int_equal(none, -1);
    }
    assert_false(is_open(seen));
    assert_true(is_open(kept));
    close(kept);
}

static void closing_keeps_errno(void **state)
{
    UNUSED(state);
    int fd = 1 << 20;
    errno = ENOSPC;
    cleanup_close(&fd);
    assert_int_equal(errno, ENOSPC);
}

static void frees_and_closes_files(void **state)
{
    UNUSED(state);
    AUTO_FREE char *memory = malloc(10);
    AUTO_FREE char *nothing = NULL;
    AUTO_FILE FILE *file = fopen("/dev/null", "re");
    AUTO_FILE FILE *none = NULL;
    assert_non_null(memory);
    assert_non_null(file);
    assert_null(nothing);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(releases_at_the_end_of_the_scope),
        cmocka_unit_test(take_hands_on),
        cmocka_unit_test(closes_descriptors),
        cmocka_unit_test(closing_keeps_errno),
        cmocka_unit_test(frees_and_closes_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
