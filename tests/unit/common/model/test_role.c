#include "services/common/model/role.h"
#include "tests/support/test.h"

#include <string.h>

static void names_and_roles_agree(void **state)
{
    UNUSED(state);
    for (int role = ROLE_VIEWER; role < ROLE_COUNT; role++)
        assert_int_equal(role_of_token(role_name(role)), role);
    static const char *const no_roles[] = {"none", "any", "", "Admin", "admin ", "root"};
    for (size_t i = 0; i < ARRAY_LEN(no_roles); i++)
        assert_int_equal(role_of_token(no_roles[i]), -1);
    assert_string_equal(role_name(-1), "?");
    assert_string_equal(role_name(ROLE_COUNT), "?");
}

// A row for what a token has, a column for what a call needs: none, any, viewer, submitter, worker, admin.
static void who_may_what(void **state)
{
    UNUSED(state);
    static const char *const may[ROLE_COUNT] = {
        [ROLE_NONE] = "y.....",      [ROLE_ANY] = "......",    [ROLE_VIEWER] = "yyy...",
        [ROLE_SUBMITTER] = "yyyy..", [ROLE_WORKER] = "yy..y.", [ROLE_ADMIN] = "yyyyyy",
    };
    for (int has = 0; has < ROLE_COUNT; has++)
        for (int needs = 0; needs < ROLE_COUNT; needs++)
            if (role_may((enum role)has, (enum role)needs) != (may[has][needs] == 'y'))
                fail_msg("%s for %s", role_name(has), role_name(needs));
    assert_false(role_may((enum role)ROLE_COUNT, ROLE_NONE));
    assert_false(role_may(ROLE_ADMIN, (enum role)ROLE_COUNT));
}

static void they_are_listed_for_people(void **state)
{
    UNUSED(state);
    static const struct {
        enum role needs;
        const char *text;
    } lists[] = {{ROLE_ANY, "viewer, submitter, worker or admin"},
                 {ROLE_VIEWER, "viewer, submitter or admin"},
                 {ROLE_SUBMITTER, "submitter or admin"},
                 {ROLE_ADMIN, "admin"}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        role_list(lists[i].needs, &text);
        assert_string_equal(strbuf_text(&text), lists[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_roles_agree),
        cmocka_unit_test(who_may_what),
        cmocka_unit_test(they_are_listed_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
