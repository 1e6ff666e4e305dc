#include "services/worker/task_output.h"

#include "services/common/base/fd.h"
#include "services/common/base/strbuf.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena *arena;

static int setup(void **state)
{
    arena = arena_new(64);
    return temp_dir_setup(state);
}

static int teardown(void **state)
{
    arena_free(arena);
    return temp_dir_teardown(state);
}

static int read_text(void **state, const char *text, size_t length, struct task_outputs *out, struct err *err)
{
    const char *path = temp_path(state, "output");
    assert_ok(file_replace(path, text, length, 0600, err), *err);
    return task_outputs_read(path, arena, out, err);
}

static void each_line_is_a_value(void **state)
{
    static const char text[] = "{ \"a\" : [1, 2.50] }\n\n \t\r\n\"x\\u0041\"\r\nnull\n17";
    struct task_outputs out;
    struct err err;
    assert_ok(read_text(state, text, strlen(text), &out, &err), err);
    assert_int_equal(out.count, 4);
    assert_string_equal(out.json[0], "{\"a\":[1,2.50]}");
    assert_string_equal(out.json[1], "\"x\\u0041\"");
    assert_string_equal(out.json[2], "null");
    assert_string_equal(out.json[3], "17");
}

static void no_file_and_an_empty_one_hold_nothing(void **state)
{
    struct task_outputs out;
    struct err err;
    assert_ok(task_outputs_read(temp_path(state, "none"), arena, &out, &err), err);
    assert_int_equal(out.count, 0);
    assert_ok(read_text(state, "", 0, &out, &err), err);
    assert_int_equal(out.count, 0);
}

static void a_line_that_is_no_json_is_named(void **state)
{
    struct task_outputs out;
    struct err err;
    assert_error(read_text(state, "1\n{\"a\":}\n", 9, &out, &err), err, ERR_INVALID, "outputs: line 2");
    assert_error(read_text(state, "{\"a\":1,\"a\":2}\n", 14, &out, &err), err, ERR_INVALID, "outputs: line 1");
    assert_error(read_text(state, "\"\xff\"\n", 4, &out, &err), err, ERR_INVALID, "outputs: line 1");
    assert_error(read_text(state, "1\0\n", 3, &out, &err), err, ERR_INVALID, "outputs: line 1");
}

static void too_much_is_refused(void **state)
{
    struct task_outputs out;
    struct err err;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i <= TASK_OUTPUT_LINES_MAX; i++)
        strbuf_add_text(&text, "1\n");
    assert_error(read_text(state, text.data, text.length, &out, &err), err, ERR_TOO_LARGE, "10000 lines");
    strbuf_clear(&text);
    strbuf_add_char(&text, '"');
    for (size_t i = 0; i < SPEC_ITEM_BYTES_MAX; i++)
        strbuf_add_char(&text, 'x');
    strbuf_add_text(&text, "\"\n");
    assert_error(read_text(state, text.data, text.length, &out, &err), err, ERR_TOO_LARGE, "outputs: line 1");
    strbuf_clear(&text);
    while (text.length <= TASK_OUTPUT_BYTES_MAX)
        strbuf_add_text(&text, "\"some text\"\n");
    assert_error(read_text(state, text.data, text.length, &out, &err), err, ERR_TOO_LARGE, "1048576 bytes");
}

static void what_is_no_file_is_refused(void **state)
{
    struct task_outputs out;
    struct err err;
    assert_int_equal(mkfifo(temp_path(state, "output"), 0600), 0);
    assert_error(task_outputs_read(temp_path(state, "output"), arena, &out, &err), err, ERR_INVALID, "no file");
    assert_int_equal(unlink(temp_path(state, "output")), 0);
    assert_int_equal(symlink("/etc/passwd", temp_path(state, "output")), 0);
    assert_error(task_outputs_read(temp_path(state, "output"), arena, &out, &err), err, ERR_INVALID, "outputs");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_line_is_a_value),
        TEST(no_file_and_an_empty_one_hold_nothing),
        TEST(a_line_that_is_no_json_is_named),
        TEST(too_much_is_refused),
        TEST(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
