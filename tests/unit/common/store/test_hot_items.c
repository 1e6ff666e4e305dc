#include "services/common/store/hot_items.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#include <string.h>

static struct hot hot;

static int setup(void **state)
{
    UNUSED(state);
    hot = (struct hot){.items.bytes_max = 1000000};
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    hot_cache_release(&hot.items);
    return 0;
}

static void remember(int64_t first, int64_t count, const char *lines)
{
    struct hot_chunk chunk = {.first = first, .count = count, .length = strlen(lines), .lines = lines};
    hot_chunk_remember(&hot, 1, 0, &chunk);
}

static void chunks_are_found_by_any_of_their_tasks(void **state)
{
    UNUSED(state);
    remember(0, 2, "a\nb\n");
    remember(2, 1000, "c\n");
    remember(1002, 500, "d\n"); // reaches into the next block
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 0)->lines, "a\nb\n");
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 1)->lines, "a\nb\n");
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 2)->lines, "c\n");
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 1001)->lines, "c\n");
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 1023)->lines, "d\n");
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 1024)->lines, "d\n");
    assert_string_equal(hot_chunk_find(&hot, 1, 0, 1501)->lines, "d\n");
    assert_null(hot_chunk_find(&hot, 1, 0, 1502));
    assert_null(hot_chunk_find(&hot, 1, 1, 0));
    size_t bytes = hot.items.bytes;
    remember(0, 2, "a\nb\n"); // known already
    assert_int_equal(hot.items.bytes, bytes);
}

static void lines_are_found_by_task(void **state)
{
    UNUSED(state);
    remember(10, 3, "1\n\"two\"\n[3]\n");
    struct hot_chunk *chunk = hot_chunk_find(&hot, 1, 0, 11);
    assert_ptr_equal(hot_chunk_line(chunk, 10), chunk->lines);
    assert_memory_equal(hot_chunk_line(chunk, 11), "\"two\"\n", 6);
    assert_string_equal(hot_chunk_line(chunk, 12), "[3]\n");
    assert_string_equal(hot_chunk_line(chunk, 13), "");
    // In any order, and beyond the end again and again.
    assert_memory_equal(hot_chunk_line(chunk, 11), "\"two\"\n", 6);
    assert_string_equal(hot_chunk_line(chunk, 14), "");
    assert_string_equal(hot_chunk_line(chunk, 14), "");
    assert_ptr_equal(hot_chunk_line(chunk, 10), chunk->lines);
    assert_string_equal(hot_chunk_line(chunk, 12), "[3]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_are_found_by_any_of_their_tasks, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_found_by_task, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
