// Identifiers: growth, uniqueness over threads, text and back.
#include "tests/support/test.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define IDS_PER_THREAD 50000

static void grow_strictly(void **state)
{
    UNUSED(state);
    int64_t previous = 0;
    for (int i = 0; i < 200000; i++) {
        int64_t id = id_new();
        assert_true(id > previous);
        previous = id;
    }
}

static void carry_the_time(void **state)
{
    UNUSED(state);
    int64_t made_ms = (id_new() >> 21) + INT64_C(1577836800000);
    int64_t now_ms = clock_wall_us() / 1000;
    assert_true(llabs(made_ms - now_ms) < 60000);
}

static int64_t made[THREADS][IDS_PER_THREAD];

static void *make_ids(void *argument)
{
    int64_t *out = argument;
    for (int i = 0; i < IDS_PER_THREAD; i++)
        out[i] = id_new();
    return NULL;
}

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static void are_unique_over_threads(void **state)
{
    UNUSED(state);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, made[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int64_t *all = made[0];
    size_t count = (size_t)THREADS * IDS_PER_THREAD;
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 1; i < count; i++)
        assert_true(all[i] > all[i - 1]);
}

static void text_and_back(void **state)
{
    UNUSED(state);
    const int64_t values[] = {1, 31, 32, 1023, INT64_MAX, INT64_MAX - 1, id_new()};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char text[ID_TEXT_SIZE];
        int64_t back = 0;
        id_format('j', values[i], text);
        assert_int_equal(strlen(text), 14);
        assert_int_equal(text[0], 'j');
        assert_int_equal(id_parse('j', text, &back), 0);
        assert_true(back == values[i]);
        for (char *at = text + 1; *at; at++)
            if (*at >= 'a' && *at <= 'z')
                *at = (char)(*at - 'a' + 'A');
        assert_int_equal(id_parse('j', text, &back), 0);
        assert_true(back == values[i]);
    }
}

static void text_sorts_like_the_number(void **state)
{
    UNUSED(state);
    char one[ID_TEXT_SIZE], other[ID_TEXT_SIZE];
    for (int64_t value = 1; value < INT64_MAX / 7; value = value * 7 + 3) {
        id_format('j', value, one);
        id_format('j', value * 7 + 3, other);
        assert_true(strcmp(one, other) < 0);
    }
    id_format('j', INT64_MAX, one);
    assert_string_equal(one, "j7zzzzzzzzzzzz");
}

static void refuses_other_texts(void **state)
{
    UNUSED(state);
    static const char *const cases[] = {"",
                                        "j",
                                        "j0000000000000",
                                        "w0000000000001",
                                        "J0000000000001",
                                        "j000000000001",
                                        "j00000000000001",
                                        "j000000000000i",
                                        "j000000000000l",
                                        "j000000000000o",
                                        "j000000000000u",
                                        "j00000 0000001",
                                        "j-000000000001",
                                        "j8000000000000",
                                        "jzzzzzzzzzzzzz",
                                        "j000000000000\xC3",
                                        "j0000000000001\n"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = 42;
        assert_int_equal(id_parse('j', cases[i], &value), -1);
        assert_int_equal(value, 42);
    }
}

static void random_bytes_differ(void **state)
{
    UNUSED(state);
    struct err err = {0};
    unsigned char one[1000] = {0}, other[1000] = {0};
    assert_ok(random_bytes(one, sizeof one, &err), err);
    assert_ok(random_bytes(other, sizeof other, &err), err);
    assert_memory_not_equal(one, other, sizeof one);
    assert_ok(random_bytes(one, 0, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grow_strictly),
        cmocka_unit_test(carry_the_time),
        cmocka_unit_test(are_unique_over_threads),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(text_sorts_like_the_number),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
