#include "services/common/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void allocations_are_aligned_and_apart(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(0);
    assert_non_null(arena);
    char *before = NULL;
    for (size_t i = 1; i < 3000; i++) {
        char *bytes = arena_alloc(arena, i);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        memset(bytes, (int)(i & 0x7f), i);
        if (before)
            assert_int_equal(before[i - 2], (int)((i - 1) & 0x7f));
        before = bytes;
    }
}

static void copies_end_with_nul(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(16);
    assert_string_equal(arena_copy(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_copy(arena, NULL, 0), "");
}

static void growing_keeps_the_elements(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(64);
    int *items = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 10000; i++) {
        items = arena_grow(arena, items, (size_t)i, &capacity, sizeof(*items));
        assert_non_null(items);
        items[i] = i;
    }
    for (int i = 0; i < 10000; i++)
        assert_int_equal(items[i], i);
}

static void sizes_that_overflow_are_refused(void **state)
{
    UNUSED(state);
    AUTO_ARENA struct arena *arena = arena_new(64);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc_zero(arena, SIZE_MAX / 2, 3));
    unsigned char *zeroed = arena_alloc_zero(arena, 7, 3);
    for (size_t i = 0; i < 21; i++)
        assert_int_equal(zeroed[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(copies_end_with_nul),
        cmocka_unit_test(growing_keeps_the_elements),
        cmocka_unit_test(sizes_that_overflow_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
