#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/common/base/macros.h"
#include "services/common/base/strbuf.h"
#include "services/worker/logs.h"

static struct logs *small_logs(void)
{
    const struct logs_settings settings = {.head_bytes = 20, .tail_bytes = 8, .total_bytes = 1000};
    struct logs *logs = NULL;
    assert_int_equal(logs_new(&settings, &logs, NULL), 0);
    return logs;
}

// Ships everything and returns it as "source@position:bytes|...".
static char *ship_all(struct logs *logs, size_t max_bytes)
{
    struct strbuf text = STRBUF_INIT;
    struct log_piece pieces[4];
    size_t count;
    while ((count = logs_collect(logs, pieces, ARRAY_LEN(pieces), max_bytes)) > 0) {
        for (size_t i = 0; i < count; i++) {
            strbuf_add_format(&text, "%s@%lld:", pieces[i].source, (long long)pieces[i].position);
            strbuf_add(&text, pieces[i].bytes, pieces[i].length);
            strbuf_add_char(&text, '|');
        }
        logs_shipped(logs);
    }
    char *out = NULL;
    assert_int_equal(strbuf_take(&text, &out, NULL), 0);
    return out;
}

static void assert_ships(struct logs *logs, size_t max_bytes, const char *expected)
{
    char *text = ship_all(logs, max_bytes);
    assert_string_equal(text, expected);
    assert_false(logs_pending(logs));
    free(text);
}

static void what_is_written_is_shipped_once(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    struct log_source *source = logs_open(logs, "j1", "a");
    log_write(source, "one ", 4);
    assert_true(logs_pending(logs));
    assert_ships(logs, 100, "a@0:one |");
    log_write(source, "two", 3);
    assert_ships(logs, 100, "a@4:two|");
    log_close(source);
    assert_ships(logs, 100, "");
    logs_free(logs);
}

static void what_may_be_lost_comes_again_at_the_same_place(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    struct log_source *source = logs_open(logs, "j1", "a");
    struct log_piece piece;
    log_write(source, "hello", 5);
    assert_int_equal(logs_collect(logs, &piece, 1, 3), 1);
    assert_int_equal(piece.length, 3);
    log_write(source, "!", 1); // while the report is under way
    logs_not_shipped(logs);
    assert_ships(logs, 4, "a@0:hell|a@4:o!|");
    log_close(source);
    logs_free(logs);
}

static void the_middle_is_dropped_and_counted(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    struct log_source *source = logs_open(logs, "j1", "a");
    log_write(source, "0123456789abcdefghijKLMNOPQRSTUVWXYZ", 36);
    assert_true(log_is_over_head(source));
    log_write(source, "+-", 2);
    assert_ships(logs, 100, "a@0:0123456789abcdefghij|");
    log_close(source);
    assert_ships(logs, 100, "a@20:\n[10 bytes of log dropped]\nUVWXYZ+-|");
    logs_free(logs);
}

static void a_short_tail_drops_nothing(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    struct log_source *source = logs_open(logs, "j1", "a");
    log_write(source, "0123456789abcdefghijXYZ", 23);
    log_close(source);
    assert_ships(logs, 100, "a@0:0123456789abcdefghijXYZ|");
    logs_free(logs);
}

// Against a plain copy of everything: any sequence of writes leaves the last bytes in the tail.
static void the_tail_is_the_end_of_the_stream(void **state)
{
    UNUSED(state);
    srand(7);
    for (int round = 0; round < 500; round++) {
        struct logs *logs = small_logs();
        struct log_source *source = logs_open(logs, "j1", "a");
        struct strbuf all = STRBUF_INIT;
        while (all.length < 60) {
            char bytes[24];
            size_t length = (size_t)(rand() % 24);
            for (size_t i = 0; i < length; i++)
                bytes[i] = (char)('a' + rand() % 26);
            log_write(source, bytes, length);
            strbuf_add(&all, bytes, length);
        }
        log_close(source);
        char *text = ship_all(logs, 1000);
        assert_memory_equal(text + strlen("a@0:"), all.data, 20);
        assert_memory_equal(text + strlen(text) - 1 - 8, all.data + all.length - 8, 8);
        free(text);
        strbuf_release(&all);
        logs_free(logs);
    }
}

static void memory_is_bounded_for_all_together(void **state)
{
    UNUSED(state);
    const struct logs_settings settings = {.head_bytes = 1000, .tail_bytes = 10, .total_bytes = 1500};
    struct logs *logs = NULL;
    assert_int_equal(logs_new(&settings, &logs, NULL), 0);
    char bytes[900] = {0};
    struct log_source *first = logs_open(logs, "j1", "a"), *second = logs_open(logs, "j1", "b");
    log_write(first, bytes, sizeof bytes);
    log_write(second, bytes, sizeof bytes);
    struct log_piece pieces[2];
    assert_int_equal(logs_collect(logs, pieces, 2, 10000), 2);
    assert_int_equal(pieces[0].length, 900);
    assert_int_equal(pieces[1].length, 600);
    logs_shipped(logs);
    log_close(first);
    log_close(second);
    assert_int_equal(logs_collect(logs, pieces, 2, 10000), 1);
    assert_non_null(memmem(pieces[0].bytes, pieces[0].length, "290 bytes of log dropped", 24));
    logs_free(logs);
}

static void sources_take_turns(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    struct log_source *a = logs_open(logs, "j1", "a"), *b = logs_open(logs, "j1", "b");
    log_write(a, "aaaaaa", 6);
    log_write(b, "bbb", 3);
    assert_ships(logs, 3, "a@0:aaa|b@0:bbb|a@3:aaa|");
    log_close(a);
    log_close(b);
    log_write(NULL, "x", 1);
    log_close(NULL);
    logs_free(logs);
}

static int pending_calls;
static void count_pending(void *context)
{
    UNUSED(context);
    pending_calls++;
}

static void the_owner_is_told_once(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    logs_on_pending(logs, count_pending, NULL);
    pending_calls = 0;
    struct log_source *source = logs_open(logs, "j1", "a");
    log_write(source, "x", 1);
    log_write(source, "y", 1);
    assert_int_equal(pending_calls, 1);
    free(ship_all(logs, 100));
    log_write(source, "z", 1);
    assert_int_equal(pending_calls, 2);
    logs_free(logs);
}

static void what_was_logged_before_is_left_out(void **state)
{
    UNUSED(state);
    struct logs *logs = small_logs();
    struct log_source *source = logs_open_again(logs, "j1", "a", 6);
    log_write(source, "once", 4);
    assert_false(logs_pending(logs));
    log_write(source, " more", 5);
    assert_ships(logs, 100, "a@6:ore|");
    log_write(source, "123456789012345", 15); // the head is that of the whole
    log_close(source);
    assert_ships(logs, 100, "a@9:123456789012345|");
    logs_free(logs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_written_is_shipped_once),
                                       cmocka_unit_test(what_may_be_lost_comes_again_at_the_same_place),
                                       cmocka_unit_test(the_middle_is_dropped_and_counted),
                                       cmocka_unit_test(a_short_tail_drops_nothing),
                                       cmocka_unit_test(the_tail_is_the_end_of_the_stream),
                                       cmocka_unit_test(memory_is_bounded_for_all_together),
                                       cmocka_unit_test(sources_take_turns),
                                       cmocka_unit_test(the_owner_is_told_once),
                                       cmocka_unit_test(what_was_logged_before_is_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
