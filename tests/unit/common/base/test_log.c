// The log's lines, read back from a file in the place of stderr.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/log.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int real_stderr = -1;

// From here on stderr is a file.
static void capture(void **state)
{
    AUTO_CLOSE int fd = open(temp_path(state, "log"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
}

static char *captured(void **state)
{
    struct err err = {0};
    char *text = NULL;
    size_t length = 0;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    assert_ok(file_read(temp_path(state, "log"), 10 << 20, &text, &length, &err), err);
    return text;
}

// The line without its time, which differs.
static const char *after_time(const char *line)
{
    const char *found = strstr(line, "level");
    assert_non_null(found);
    return found;
}

static void writes_keys_and_values(void **state)
{
    log_init("curfew-test", LOG_INFO, LOG_KEY_VALUE);
    capture(state);
    log_event(LOG_INFO, "job submitted", "job", "j1", "tasks", LOG_NUMBER(-12), "name", "", NULL);
    AUTO_FREE char *text = captured(state);
    assert_memory_equal(text, "time=2", 6);
    assert_string_equal(after_time(text),
                        "level=info program=curfew-test event=\"job submitted\" job=j1 tasks=-12 name=\"\"\n");
}

static void escapes_values(void **state)
{
    log_init("curfew-test", LOG_INFO, LOG_KEY_VALUE);
    capture(state);
    log_event(LOG_WARN, "x", "a", "two\nlines", "b", "say \"hi\"", "c", "k=v", "d", "\\", "e", "\xC3\xA4", "f", "\xFF",
              NULL);
    AUTO_FREE char *text = captured(state);
    assert_string_equal(after_time(text),
                        "level=warn program=curfew-test event=x a=\"two\\nlines\" b=\"say \\\"hi\\\"\" c=\"k=v\" "
                        "d=\"\\\\\" e=\"\xC3\xA4\" f=\"\xEF\xBF\xBD\"\n");
}

static void writes_json(void **state)
{
    log_init("curfew-test", LOG_DEBUG, LOG_JSON);
    capture(state);
    log_event(LOG_DEBUG, "poll", "bad", "\xED\xA0\x80|\xC0\xAF|\xF0\x9F\x99\x82|\xE2\x82", "null", (char *)NULL, NULL);
    AUTO_FREE char *text = captured(state);
    const char replaced[] = "\xEF\xBF\xBD";
    char expected[400];
    snprintf(expected, sizeof expected,
             "level\":\"debug\",\"program\":\"curfew-test\",\"event\":\"poll\",\"bad\":\"%s%s%s|%s%s|"
             "\xF0\x9F\x99\x82|%s%s\",\"null\":\"\"}\n",
             replaced, replaced, replaced, replaced, replaced, replaced, replaced);
    assert_memory_equal(text, "{\"time\":\"", 9);
    assert_string_equal(after_time(text), expected);
}

static void leaves_out_what_is_below_the_level(void **state)
{
    log_init("curfew-test", LOG_WARN, LOG_KEY_VALUE);
    capture(state);
    log_event(LOG_INFO, "no", NULL);
    log_event(LOG_DEBUG, "no", NULL);
    log_event(LOG_ERROR, "yes", NULL);
    AUTO_FREE char *text = captured(state);
    assert_string_equal(after_time(text), "level=error program=curfew-test event=yes\n");
}

static void cuts_long_values(void **state)
{
    char value[5000];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_init("curfew-test", LOG_INFO, LOG_KEY_VALUE);
    capture(state);
    log_event(LOG_INFO, "long", "value", value, NULL);
    AUTO_FREE char *text = captured(state);
    assert_true(strlen(text) < 1200);
    assert_string_equal(text + strlen(text) - 6, "x...\"\n");
}

static void keeps_errno(void **state)
{
    log_init("curfew-test", LOG_INFO, LOG_KEY_VALUE);
    capture(state);
    close(STDERR_FILENO);
    errno = ENOSPC;
    log_event(LOG_INFO, "nobody reads this", NULL);
    int seen = errno;
    AUTO_FREE char *text = captured(state);
    assert_int_equal(seen, ENOSPC);
    assert_string_equal(text, "");
}

static void *log_many(void *argument)
{
    UNUSED(argument);
    for (int i = 0; i < 500; i++)
        log_event(LOG_INFO, "tick", "number", LOG_NUMBER(i), NULL);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    log_init("curfew-test", LOG_INFO, LOG_KEY_VALUE);
    capture(state);
    pthread_t threads[3];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    AUTO_FREE char *text = captured(state);
    int lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++)
        assert_memory_equal(after_time(line), "level=info program=curfew-test event=tick number=", 49);
    assert_int_equal(lines, 1500);
}

static void reads_levels(void **state)
{
    UNUSED(state);
    enum log_level level = LOG_ERROR;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("error", &level), 0);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse("Error", &level), -1);
    assert_int_equal(log_level_parse("", &level), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_keys_and_values, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(escapes_values, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(writes_json, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(leaves_out_what_is_below_the_level, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(cuts_long_values, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(keeps_errno, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(lines_of_threads_do_not_mix, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test(reads_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
