#include "services/common/base/parse.h"
#include "services/common/model/job_spec_fields.h"
#include "tests/support/test.h"

#include <string.h>

// A default is within what the field allows, and a field says what it is for.
static void check_row(const struct spec_row *row)
{
    int64_t value = 0;
    struct err err = {0};
    assert_true(row->name && row->meaning && strlen(row->meaning) > 5);
    assert_int_equal(row->meaning[strlen(row->meaning) - 1], '.');
    assert_null(strchr(row->meaning, '|'));
    assert_false(row->required && row->fallback);
    if (row->kind == SPEC_INTEGER && row->fallback)
        assert_ok(parse_i64(row->fallback, row->min, row->max, row->name, &value, &err), err);
    if (row->kind == SPEC_DURATION && row->fallback) {
        assert_ok(parse_duration_ms(row->fallback, row->name, &value, &err), err);
        assert_in_range(value, row->min, row->max);
    }
    if (row->kind == SPEC_CUSTOM)
        assert_true(row->read && row->write && row->type);
    if (row->kind == SPEC_TEXT)
        assert_true(row->max > 0);
}

static void check_table(const struct spec_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_row *row = &table->rows[i];
        if (row->kind != SPEC_INCLUDE)
            check_row(row);
        if (row->table)
            check_table(row->table);
    }
}

static void rows_are_consistent(void **state)
{
    UNUSED(state);
    check_table(&job_table);
    check_table(&autostop_table);
    check_table(&restart_table);
}

static void names_are_unique(void **state)
{
    UNUSED(state);
    static const struct spec_table *const tables[] = {&job_table, &service_table, &stage_table, &autostop_table};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        const char *names[SPEC_NAMES_MAX];
        size_t count = spec_names(tables[t], names, 0);
        assert_true(count > 2 && count < SPEC_NAMES_MAX / 2);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(names[i], names[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_consistent),
        cmocka_unit_test(names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
