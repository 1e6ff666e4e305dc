#include "services/common/store/hot_cache.h"

#include "services/common/base/macros.h"
#include "tests/support/test.h"

#include <stdlib.h>

static struct hot_cache cache;

static int setup(void **state)
{
    UNUSED(state);
    cache = (struct hot_cache){.bytes_max = 100000};
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    hot_cache_release(&cache);
    assert_int_equal(cache.bytes, 0);
    return 0;
}

static void put(int64_t key, int value, size_t bytes)
{
    int *kept = malloc(sizeof *kept);
    assert_non_null(kept);
    *kept = value;
    hot_cache_put(&cache, (struct hot_key){key, -key, 7}, kept, bytes);
}

static int find(int64_t key)
{
    const int *value = hot_cache_find(&cache, (struct hot_key){key, -key, 7}, NULL, NULL);
    return value ? *value : -1;
}

static void what_was_put_is_found(void **state)
{
    UNUSED(state);
    assert_int_equal(find(1), -1);
    for (int i = 0; i < 500; i++)
        put(i, i * 3, 8);
    for (int i = 0; i < 500; i++)
        assert_int_equal(find(i), i * 3);
    assert_null(hot_cache_find(&cache, (struct hot_key){1, -1, 8}, NULL, NULL));
}

static void the_longest_unused_goes_first(void **state)
{
    UNUSED(state);
    cache.bytes_max = 5000;
    for (int i = 0; i < 4; i++)
        put(i, i, 1000);
    assert_int_equal(find(0), 0);
    put(4, 4, 1000);
    assert_int_equal(find(0), 0);
    assert_int_equal(find(1), -1);
    assert_int_equal(find(2), 2);
    for (int i = 0; i < 100; i++) {
        put(1000 + i, i, 777);
        assert_true(cache.bytes <= cache.bytes_max);
    }
    put(9, 9, 6000); // no room at all
    assert_int_equal(find(9), -1);
    assert_int_equal(find(1099), 99);
}

static bool is_even(const void *value, const void *context)
{
    return (*(const int *)value + *(const int *)context) % 2 == 0;
}

static void values_of_one_key_are_told_apart(void **state)
{
    UNUSED(state);
    const int zero = 0, one = 1;
    put(5, 10, 8);
    put(5, 11, 8);
    const int *even = hot_cache_find(&cache, (struct hot_key){5, -5, 7}, is_even, &zero);
    const int *odd = hot_cache_find(&cache, (struct hot_key){5, -5, 7}, is_even, &one);
    assert_int_equal(*even, 10);
    assert_int_equal(*odd, 11);
    put(6, 1, 8);
    hot_cache_drop(&cache, (struct hot_key){5, -5, 7});
    assert_int_equal(find(5), -1);
    assert_int_equal(find(6), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_unused_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(values_of_one_key_are_told_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
