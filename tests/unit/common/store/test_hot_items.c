#include "services/common/store/hot_items.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#include <string.h>

static struct hot hot;

static int setup(void **state)
{
    UNUSED(state);
    hot = (struct hot){.runs.bytes_max = 10000, .items.bytes_max = 1000000};
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    hot_cache_release(&hot.runs);
    hot_cache_release(&hot.items);
    return 0;
}

static void runs_are_copied(void **state)
{
    UNUSED(state);
    char name[] = "count", run[] = "{}";
    struct hot_run given = {.has_items = true, .name = name, .run = run};
    hot_run_remember(&hot, 1, 2, &given);
    name[0] = run[0] = '?';
    const struct hot_run *found = hot_run_find(&hot, 1, 2);
    assert_non_null(found);
    assert_string_equal(found->name, "count");
    assert_string_equal(found->run, "{}");
    assert_null(found->bundle);
    assert_true(found->has_items);
    assert_false(found->has_services);
    assert_null(hot_run_find(&hot, 1, 3));
    assert_null(hot_run_find(&hot, 2, 2));
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
        cmocka_unit_test_setup_teardown(runs_are_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks_are_found_by_any_of_their_tasks, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_found_by_task, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
