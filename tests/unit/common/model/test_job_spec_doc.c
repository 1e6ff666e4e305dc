#include "services/common/base/cleanup.h"
#include "services/common/model/job_spec_fields.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *print(void)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    job_spec_print_markdown(out);
    fclose(out);
    return text;
}

static void assert_has_rows(const char *text, const struct spec_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct spec_row *row = &table->rows[i];
        char cell[128];
        if (row->table)
            assert_has_rows(text, row->table);
        if (row->kind == SPEC_INCLUDE)
            continue;
        snprintf(cell, sizeof cell, "| `%s`", row->name);
        if (!strstr(text, cell))
            fail_msg("%s is missing", row->name);
    }
}

static void has_every_field(void **state)
{
    UNUSED(state);
    char *text AUTO_FREE = print();
    assert_has_rows(text, &job_table);
    assert_has_rows(text, &autostop_table);
    assert_has_rows(text, &restart_table);
}

static void is_a_well_formed_page(void **state)
{
    UNUSED(state);
    char *text AUTO_FREE = print();
    int tables = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (*line != '|')
            continue;
        size_t cells = 0;
        for (const char *at = line; *at; at++)
            cells += *at == '|';
        assert_true(cells == 5 || cells == 3);
        assert_int_equal(line[strlen(line) - 1], '|');
        assert_null(strstr(line, "|  |  |"));
        tables += strncmp(line, "| Field", strlen("| Field")) == 0;
    }
    assert_int_equal(tables, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_field),
        cmocka_unit_test(is_a_well_formed_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
