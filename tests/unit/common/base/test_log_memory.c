// What a log line says when there is no memory for it.
#include "tests/support/test.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/log.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long allocations_left = -1; // until one fails, and all that follow; negative: none does

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOCATOR_IS_OURS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOCATOR_IS_OURS false
#endif
#endif
#ifndef ALLOCATOR_IS_OURS
#define ALLOCATOR_IS_OURS true

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
// glibc's allocator below ours; sanitizers have one of their own.
void *__libc_realloc(void *block, size_t bytes);

void *realloc(void *block, size_t bytes)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return __libc_realloc(block, bytes);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
#endif

// What is written with memory for so many allocations.
static char *line_with(void **state, long allocations)
{
    struct err err = {0};
    char *text = NULL;
    size_t length = 0;
    int real_stderr = dup(STDERR_FILENO);
    AUTO_CLOSE int fd = open(temp_path(state, "log"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    dup2(fd, STDERR_FILENO);
    allocations_left = allocations;
    log_event(LOG_WARN, "a \"job\" is late", "job", "j1", "error", "it broke", NULL);
    allocations_left = -1;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    assert_ok(file_read(temp_path(state, "log"), 1 << 20, &text, &length, &err), err);
    return text;
}

// The line is whole, or says what is known without memory: never that nothing happened.
static long fail_everywhere(void **state, const char *whole, const char *shortened)
{
    for (long count = 0;; count++) {
        AUTO_FREE char *text = line_with(state, count);
        assert_int_equal(strcspn(text, "\n") + 1, strlen(text));
        const char *line = strstr(text, "level");
        assert_non_null(line);
        if (strcmp(line, whole) == 0)
            return count;
        assert_string_equal(line, shortened);
        assert_true(count < 100);
    }
}

static void says_what_happened(void **state)
{
    log_init("curfew-test", LOG_INFO, LOG_KEY_VALUE);
    long failed = fail_everywhere(state,
                                  "level=warn program=curfew-test event=\"a \\\"job\\\" is late\" job=j1 error=\"it "
                                  "broke\"\n",
                                  "level=warn program=curfew-test event=\"a ?job? is late\" lost=\"no memory for the "
                                  "rest\"\n");
    assert_true(failed > 0 || !ALLOCATOR_IS_OURS);
}

static void says_it_as_json(void **state)
{
    log_init("curfew-test", LOG_INFO, LOG_JSON);
    long failed = fail_everywhere(state,
                                  "level\":\"warn\",\"program\":\"curfew-test\",\"event\":\"a \\\"job\\\" is late\","
                                  "\"job\":\"j1\",\"error\":\"it broke\"}\n",
                                  "level\":\"warn\",\"program\":\"curfew-test\",\"event\":\"a ?job? is late\",\"lost\":"
                                  "\"no memory for the rest\"}\n");
    assert_true(failed > 0 || !ALLOCATOR_IS_OURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_what_happened, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(says_it_as_json, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
