#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/worker/shim/record.h"

#include <string.h>
#include <unistd.h>

static void lines_are_whole_or_not_there(void **state)
{
    UNUSED(state);
    int fds[2];
    char text[512] = "", longer[400];
    assert_int_equal(pipe(fds), 0);
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    record_line(fds[1], "signal %d %lld\n", 15, 77LL);
    record_line(fds[1], "%s\n", longer);
    record_line(-1, "nowhere\n");
    record_line(fds[1], "gone %d\n", 1);
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "signal 15 77\ngone 1\n");
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_whole_or_not_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
