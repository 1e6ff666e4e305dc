#include "services/common/db/notify_batch.h"

#include "services/common/db/notifier.h"
#include "services/common/db/type.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(struct notify_batch *, notify_batch_free);
#define AUTO_BATCH CLEANUP(cleanup_notify_batch_free)

struct payloads {
    struct params params;
    uint32_t count;
    const char *at;
};

static struct payloads payloads_of(const struct notify_batch *batch)
{
    struct err err = {0};
    struct payloads payloads = {0};
    notify_batch_payloads(batch, &payloads.params);
    assert_ok(params_ok(&payloads.params, &err), err);
    payloads.count = wire_u32(payloads.params.bytes.data) ? wire_u32(payloads.params.bytes.data + 12) : 0;
    payloads.at = payloads.params.bytes.data + 20;
    return payloads;
}

static uint32_t next(struct payloads *payloads, const char **text)
{
    uint32_t length = wire_u32(payloads->at);
    *text = payloads->at + 4;
    payloads->at += 4 + length;
    return length;
}

static void assert_payload(const struct notify_batch *batch, const char *expected)
{
    const char *text;
    struct payloads payloads = payloads_of(batch);
    assert_int_equal(payloads.count, 1);
    assert_int_equal(next(&payloads, &text), strlen(expected));
    assert_memory_equal(text, expected, strlen(expected));
    params_release(&payloads.params);
}

static void equal_items_are_kept_once(void **state)
{
    UNUSED(state);
    struct notify_batch *batch AUTO_BATCH = notify_batch_new();
    assert_true(notify_batch_is_empty(batch));
    notify_batch_add(batch, "a");
    notify_batch_add(batch, "b");
    notify_batch_add(batch, "a");
    notify_batch_add(batch, "ab");
    assert_false(notify_batch_is_empty(batch));
    assert_payload(batch, "a\nb\nab");
    notify_batch_clear(batch);
    assert_true(notify_batch_is_empty(batch));
    notify_batch_add(batch, "b");
    assert_payload(batch, "b");
}

static void payloads_stay_below_the_limit(void **state)
{
    UNUSED(state);
    enum { ITEMS = 1000 };
    struct notify_batch *batch AUTO_BATCH = notify_batch_new();
    size_t total = 0;
    for (int i = 0; i < ITEMS; i++) {
        char item[256];
        snprintf(item, sizeof item, "%0*d", 20 + i % 200, i);
        notify_batch_add(batch, item);
        total += strlen(item);
    }
    struct payloads payloads = payloads_of(batch);
    size_t sum = 0, newlines = 0;
    for (uint32_t i = 0; i < payloads.count; i++) {
        const char *text;
        uint32_t length = next(&payloads, &text);
        assert_in_range(length, 1, 7999);
        assert_int_not_equal(text[length - 1], '\n');
        for (uint32_t k = 0; k < length; k++)
            newlines += text[k] == '\n';
        sum += length;
    }
    assert_int_equal(newlines, ITEMS - payloads.count);
    assert_int_equal(sum, total + newlines);
    params_release(&payloads.params);
}

static void what_cannot_be_sent_becomes_everything(void **state)
{
    UNUSED(state);
    char too_long[NOTIFIER_ITEM_MAX + 2] = {0};
    memset(too_long, 'x', sizeof too_long - 1);
    const char *const wrong[] = {"", "two\nlines", too_long, NOTIFIER_EVERYTHING};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct notify_batch *batch AUTO_BATCH = notify_batch_new();
        notify_batch_add(batch, "before");
        notify_batch_add(batch, wrong[i]);
        notify_batch_add(batch, "after");
        assert_payload(batch, NOTIFIER_EVERYTHING);
    }
}

static void too_many_items_become_everything(void **state)
{
    UNUSED(state);
    struct notify_batch *batch AUTO_BATCH = notify_batch_new();
    for (int i = 0; i < 100000; i++) {
        char item[16];
        snprintf(item, sizeof item, "%d", i);
        notify_batch_add(batch, item);
    }
    assert_payload(batch, NOTIFIER_EVERYTHING);
    notify_batch_clear(batch);
    notify_batch_add(batch, "fine");
    assert_payload(batch, "fine");
    notify_batch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_items_are_kept_once),
        cmocka_unit_test(payloads_stay_below_the_limit),
        cmocka_unit_test(what_cannot_be_sent_becomes_everything),
        cmocka_unit_test(too_many_items_become_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
