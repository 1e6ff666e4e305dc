#include "services/common/base/macros.h"
#include "services/jobmanager/int_map.h"
#include "tests/support/test.h"

#define COUNT 5000

static void finds_what_was_added(void **state)
{
    UNUSED(state);
    static struct int_node nodes[COUNT];
    struct int_map map = {0};
    assert_null(int_map_find(&map, 0));
    assert_null(int_map_next(&map, NULL));
    for (int i = 0; i < COUNT; i++) {
        nodes[i].key = (int64_t)i * 1000003 - 77;
        assert_int_equal(int_map_add(&map, &nodes[i], NULL), 0);
    }
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(int_map_find(&map, nodes[i].key), &nodes[i]);
    for (int i = 0; i < COUNT; i += 2)
        int_map_remove(&map, &nodes[i]);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(int_map_find(&map, nodes[i].key), i % 2 ? &nodes[i] : NULL);
    int_map_release(&map);
}

static void walks_over_all_once(void **state)
{
    UNUSED(state);
    static struct int_node nodes[COUNT];
    static int seen[COUNT];
    struct int_map map = {0};
    for (int i = 0; i < COUNT; i++) {
        nodes[i].key = i;
        assert_int_equal(int_map_add(&map, &nodes[i], NULL), 0);
    }
    for (struct int_node *node = int_map_next(&map, NULL); node; node = int_map_next(&map, node))
        seen[node->key]++;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    int_map_release(&map);
}

static void equal_keys_live_side_by_side(void **state)
{
    UNUSED(state);
    struct int_node a = {.key = 5}, b = {.key = 5};
    struct int_map map = {0};
    assert_int_equal(int_map_add(&map, &a, NULL), 0);
    assert_int_equal(int_map_add(&map, &b, NULL), 0);
    assert_ptr_equal(int_map_find(&map, 5), &b);
    int_map_remove(&map, &b);
    assert_ptr_equal(int_map_find(&map, 5), &a);
    int_map_release(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added),
        cmocka_unit_test(walks_over_all_once),
        cmocka_unit_test(equal_keys_live_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
