// Standard input and the log pipes of an instance.
#include "tests/integration/worker/runtime_fixture.h"

#include <sys/resource.h>

static struct rig rig;

static int setup(void **state)
{
    UNUSED(state);
    rig_open(&rig, RIG_BEST);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    rig_close(&rig);
    return 0;
}

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

static void standard_input_from_bytes(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err = {0};
    size_t length = 1000 * 1000;
    AUTO_FREE char *bytes = malloc(length);
    memset(bytes, 'a', length);
    struct runtime_spec spec = rig_spec(&rig, SHELL("wc -c"));
    spec.stdin_mode = RUNTIME_STDIN_BYTES;
    spec.stdin_bytes = bytes;
    spec.stdin_length = length;
    assert_ok(seen_start(&seen, &rig, spec, &err), err);
    seen_await_gone(&seen);
    assert_string_equal(strbuf_text(&seen.out[0]), "1000000\n");
    seen_finish(&seen);
}

static void standard_input_through_a_pipe(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err = {0};
    static char bytes[50000];
    memset(bytes, 'b', sizeof(bytes));
    struct runtime_spec spec = rig_spec(&rig, SHELL("wc -c"));
    spec.stdin_mode = RUNTIME_STDIN_PIPE;
    assert_ok(seen_start(&seen, &rig, spec, &err), err);
    size_t total = 0, full = 0;
    while (total < 20 * sizeof(bytes)) {
        size_t wanted = MIN(sizeof(bytes), 20 * sizeof(bytes) - total);
        seen.writable = false;
        ssize_t taken = runtime_write(seen.instance, bytes, wanted, &err);
        assert_ok((int)taken, err);
        total += (size_t)taken;
        if ((size_t)taken < wanted) {
            full++;
            assert_true(rig_await(&rig, &seen.writable, RIG_TIMEOUT_MS));
        }
    }
    assert_true(full > 0);
    runtime_close_stdin(seen.instance);
    runtime_close_stdin(seen.instance);
    assert_error((int)runtime_write(seen.instance, "x", 1, &err), err, ERR_CONFLICT, "closed");
    seen_await_gone(&seen);
    assert_string_equal(strbuf_text(&seen.out[0]), "1000000\n");
    seen_finish(&seen);
}

static void writing_to_who_does_not_read_is_no_accident(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err = {0};
    struct runtime_spec spec = rig_spec(&rig, SHELL("exec <&-; echo ready; sleep 60"));
    spec.stdin_mode = RUNTIME_STDIN_PIPE;
    assert_ok(seen_start(&seen, &rig, spec, &err), err);
    while (!seen.gone && !strstr(strbuf_text(&seen.out[0]), "ready"))
        rig_await(&rig, &seen.gone, 10);
    ssize_t taken = 1; // until the last one who started it has let go of its copy
    while (taken >= 0 && !seen.gone) {
        rig_await(&rig, &seen.gone, 10);
        taken = runtime_write(seen.instance, "x", 1, &err);
    }
    assert_non_null(strstr(err.text, "does not read"));
    assert_ok(runtime_kill(seen.instance, &err), err);
    seen_finish(&seen);
}

static int64_t memory_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void a_gigabyte_of_log_costs_nothing(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    int64_t before = memory_kb();
    seen_run(&seen, &rig, SHELL("head -c 1073741824 /dev/zero; echo finished >&2"));
    seen.drop = true;
    while (seen.bytes < 10 * 1000 * 1000 && !seen.gone)
        rig_await(&rig, &seen.gone, 10);
    assert_ok(runtime_set_output(seen.instance, RUNTIME_STDOUT, RUNTIME_DISCARD, &err), err);
    int64_t delivered = seen.bytes;
    seen_await_gone(&seen);
    assert_int_equal(seen.end.exit.code, 0);
    assert_string_equal(strbuf_text(&seen.out[RUNTIME_STDERR]), "finished\n");
    assert_int_equal(seen.bytes, delivered + 9);
    assert_true(memory_kb() - before < 16 * 1024);
    seen_finish(&seen);
}

static void a_paused_log_holds_the_writer_and_loses_nothing(void **state)
{
    UNUSED(state);
    struct seen seen;
    struct err err;
    seen_run(&seen, &rig, SHELL("head -c 1000000 /dev/zero; echo done >&2"));
    assert_ok(runtime_set_output(seen.instance, RUNTIME_STDOUT, RUNTIME_PAUSE, &err), err);
    const bool never = false;
    rig_await(&rig, &never, 300);
    assert_int_equal(seen.bytes, 0);
    assert_false(seen.gone);
    assert_ok(runtime_set_output(seen.instance, RUNTIME_STDOUT, RUNTIME_DELIVER, &err), err);
    seen_await_gone(&seen);
    assert_int_equal(seen.bytes, 1000000 + 5);
    seen_finish(&seen);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(standard_input_from_bytes),
        TEST(standard_input_through_a_pipe),
        TEST(writing_to_who_does_not_read_is_no_accident),
        TEST(a_gigabyte_of_log_costs_nothing),
        TEST(a_paused_log_holds_the_writer_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
