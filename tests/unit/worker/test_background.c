#include "services/worker/background.h"

#include "services/common/base/loop.h"
#include "tests/support/loop_test.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct seen {
    bool ended;
    bool failed;
    struct err error;
};

static void on_done(void *context, const struct err *error)
{
    struct seen *seen = context;
    assert_false(seen->ended);
    seen->ended = true;
    seen->failed = error != NULL;
    if (error)
        seen->error = *error;
}

static struct seen run(background_fn work, const void *argument)
{
    struct err err;
    struct loop *loop;
    struct seen seen = {0};
    struct background *background;
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(background_start(loop, work, argument, on_done, &seen, &background, &err), err);
    assert_false(seen.ended);
    assert_true(loop_until_set(loop, &seen.ended, 60000));
    loop_free(loop);
    return seen;
}

static int succeed_if_five(const void *argument, struct err *err)
{
    int number = *(const int *)argument;
    return number == 5 ? 0 : err_set(err, ERR_TOO_LARGE, "%d is not five", number);
}

static void the_outcome_of_the_child_arrives(void **state)
{
    UNUSED(state);
    struct seen seen = run(succeed_if_five, &(int){5});
    assert_false(seen.failed);
    seen = run(succeed_if_five, &(int){6});
    assert_true(seen.failed);
    assert_int_equal(seen.error.code, ERR_TOO_LARGE);
    assert_string_equal(seen.error.text, "6 is not five");
}

static int die_hard(const void *argument, struct err *err)
{
    UNUSED(argument);
    UNUSED(err);
    raise(SIGKILL);
    return 0;
}

static void a_child_that_is_killed_has_failed(void **state)
{
    UNUSED(state);
    struct seen seen = run(die_hard, NULL);
    assert_true(seen.failed);
    assert_int_equal(seen.error.code, ERR_IO);
}

static int find_descriptor(const void *argument, struct err *err)
{
    int fd = *(const int *)argument;
    return fcntl(fd, F_GETFD) < 0 ? 0 : err_set(err, ERR_INTERNAL, "descriptor %d is open", fd);
}

static void the_child_has_no_descriptor_of_its_parent(void **state)
{
    UNUSED(state);
    int fd = fcntl(STDIN_FILENO, F_DUPFD, 100);
    assert_true(fd >= 100);
    struct seen seen = run(find_descriptor, &fd);
    assert_false(seen.failed);
    close(fd);
}

static int wait_for_ever(const void *argument, struct err *err)
{
    UNUSED(argument);
    UNUSED(err);
    while (pause() < 0)
        continue;
    return 0;
}

static void a_cancelled_one_is_gone_and_says_nothing(void **state)
{
    UNUSED(state);
    struct err err;
    struct loop *loop;
    struct seen seen = {0};
    struct background *background;
    assert_ok(loop_new(&loop, &err), err);
    assert_ok(background_start(loop, wait_for_ever, NULL, on_done, &seen, &background, &err), err);
    background_cancel(background);
    background_cancel(NULL);
    loop_for(loop, 20);
    assert_false(seen.ended);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outcome_of_the_child_arrives),
        cmocka_unit_test(a_child_that_is_killed_has_failed),
        cmocka_unit_test(the_child_has_no_descriptor_of_its_parent),
        cmocka_unit_test(a_cancelled_one_is_gone_and_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
