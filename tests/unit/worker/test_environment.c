#include "services/worker/environment.h"

#include "services/common/base/fd.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *value_of(struct environment *environment, const char *name)
{
    const char *const *list;
    struct err err;
    size_t length = strlen(name);
    assert_ok(environment_list(environment, &list, &err), err);
    for (; *list; list++)
        if (strncmp(*list, name, length) == 0 && (*list)[length] == '=')
            return *list + length + 1;
    return NULL;
}

static struct environment *make(void)
{
    struct environment *environment;
    struct err err;
    assert_ok(environment_new(true, &environment, &err), err);
    return environment;
}

static void names_are_unique(void **state)
{
    UNUSED(state);
    AUTO_ENVIRONMENT struct environment *environment = make();
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "N%d", i % 100);
        environment_set_i64(environment, name, i);
    }
    assert_string_equal(value_of(environment, "N7"), "107");
    assert_null(value_of(environment, "N"));
    const char *const *list;
    struct err err;
    size_t count = 0;
    assert_ok(environment_list(environment, &list, &err), err);
    while (list[count])
        count++;
    assert_int_equal(count, 102); // with PATH and LANG
    environment_free(NULL);
}

static void path_and_language_are_there(void **state)
{
    UNUSED(state);
    unsetenv("LANG");
    unsetenv("PATH");
    AUTO_ENVIRONMENT struct environment *fallback = make();
    assert_string_equal(value_of(fallback, "LANG"), "C.UTF-8");
    assert_non_null(strstr(value_of(fallback, "PATH"), "/usr/bin"));
    setenv("PATH", "/somewhere", 1);
    AUTO_ENVIRONMENT struct environment *ours = make();
    assert_string_equal(value_of(ours, "PATH"), "/somewhere");
    assert_null(value_of(ours, "HOME"));
}

static void the_directory_gives_way_to_the_spec(void **state)
{
    UNUSED(state);
    AUTO_ENVIRONMENT struct environment *environment = make();
    struct text_pair own = {(char[]){"HOME"}, (char[]){"/mine"}};
    struct run_spec run = {.env = {&own, 1}};
    environment_add_variables(environment, &run.env);
    environment_set_directory(environment, &run, "/here/1");
    environment_set_directory(environment, &run, "/here/2");
    assert_string_equal(value_of(environment, "HOME"), "/mine");
    assert_string_equal(value_of(environment, "TMPDIR"), "/here/2");
}

static void services_without_ports_have_a_host_only(void **state)
{
    UNUSED(state);
    AUTO_ENVIRONMENT struct environment *environment = make();
    const struct service_address services[] = {
        {.name = "a-b", .host = "h", .ports = {{"x", 1}, {"y-z", 2}}, .port_count = 2},
        {.name = "none", .host = NULL},
    };
    environment_add_services(environment, services, ARRAY_LEN(services));
    assert_string_equal(value_of(environment, "CURFEW_SERVICE_A_B_ADDR"), "h:1");
    assert_string_equal(value_of(environment, "CURFEW_SERVICE_A_B_PORT"), "1");
    assert_string_equal(value_of(environment, "CURFEW_SERVICE_A_B_PORT_Y_Z"), "2");
    assert_string_equal(value_of(environment, "CURFEW_SERVICE_NONE_HOST"), "");
    assert_null(value_of(environment, "CURFEW_SERVICE_NONE_PORT"));
    assert_null(value_of(environment, "CURFEW_SERVICE_NONE_ADDR"));
}

static void secrets_are_read_from_files(void **state)
{
    struct err err;
    AUTO_ENVIRONMENT struct environment *environment = make();
    AUTO_FREE char *directory = strdup(*state);
    char *names[] = {(char[]){"KEY"}, (char[]){"LINES"}};
    const struct text_list list = {names, 2};
    assert_ok(file_replace(temp_path(state, "KEY"), "value", 5, 0600, &err), err);
    assert_ok(file_replace(temp_path(state, "LINES"), "a\nb\n\n", 5, 0600, &err), err);
    assert_ok(environment_add_secrets(environment, &list, directory, &err), err);
    assert_string_equal(value_of(environment, "KEY"), "value");
    assert_string_equal(value_of(environment, "LINES"), "a\nb\n");

    char *missing[] = {(char[]){"MISSING"}}, *outside[] = {(char[]){"../KEY"}}, *zero[] = {(char[]){"ZERO"}};
    assert_error(environment_add_secrets(environment, &(struct text_list){missing, 1}, directory, &err), err,
                 ERR_NOT_FOUND, "MISSING");
    assert_error(environment_add_secrets(environment, &(struct text_list){missing, 1}, NULL, &err), err, ERR_NOT_FOUND,
                 "no directory of secrets");
    assert_error(environment_add_secrets(environment, &(struct text_list){outside, 1}, directory, &err), err,
                 ERR_INVALID, "../KEY");
    assert_ok(file_replace(temp_path(state, "ZERO"), "a\0b", 3, 0600, &err), err);
    assert_error(environment_add_secrets(environment, &(struct text_list){zero, 1}, directory, &err), err, ERR_INVALID,
                 "NUL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(path_and_language_are_there),
        cmocka_unit_test(the_directory_gives_way_to_the_spec),
        cmocka_unit_test(services_without_ports_have_a_host_only),
        cmocka_unit_test_setup_teardown(secrets_are_read_from_files, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
