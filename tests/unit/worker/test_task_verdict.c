#include "services/worker/task_verdict.h"

#include "tests/support/test.h"

#include <signal.h>
#include <string.h>

struct verdict_case {
    struct runtime_gone gone;
    int64_t timed_out_ms;
    bool cancelled;
    const char *errors;
    enum task_end end;
    enum slice_retry retry;
    int exit;
    const char *error;
};

#define EXIT(number) {.known = true, .code = (number)}
#define SIGNAL(number) {.known = true, .code = -1, .signal = (number)}
#define REFUSED(error_code) {.code = (error_code), .text = "because"}

static const struct verdict_case cases[] = {
    {{.reason = RUNTIME_EXITED, .exit = EXIT(0)}, 0, false, "", TASK_SUCCEEDED, SLICE_RETRY_COUNTED, -1, ""},
    {{.reason = RUNTIME_EXITED, .exit = EXIT(0)}, 10, true, "", TASK_SUCCEEDED, SLICE_RETRY_COUNTED, -1, ""},
    {{.reason = RUNTIME_EXITED, .exit = EXIT(3)}, 0, false, "", TASK_FAILED, SLICE_RETRY_COUNTED, 3, "exit 3"},
    {{.reason = RUNTIME_EXITED, .exit = EXIT(3)}, 0, false, "x\n", TASK_FAILED, SLICE_RETRY_COUNTED, 3, "exit 3: x"},
    {{.reason = RUNTIME_EXITED, .exit = EXIT(75)}, 0, false, "", TASK_FAILED, SLICE_RETRY_UNCOUNTED, 75, "exit 75"},
    {{.reason = RUNTIME_EXITED, .exit = EXIT(137)},
     0,
     false,
     "x\n",
     TASK_FAILED,
     SLICE_RETRY_COUNTED,
     137,
     "exit 137 (SIGKILL: from somebody else, or for want of memory): x"},
    {{.reason = RUNTIME_EXITED, .exit = SIGNAL(SIGKILL)},
     0,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_COUNTED,
     -1,
     "killed by SIGKILL"},
    {{.reason = RUNTIME_EXITED}, 0, false, "", TASK_FAILED, SLICE_RETRY_COUNTED, -1, "its end was not seen"},
    {{.reason = RUNTIME_STOPPED, .exit = EXIT(0)}, 0, true, "", TASK_UNTOUCHED, 0, -1, ""},
    {{.reason = RUNTIME_STOPPED, .exit = EXIT(0)}, 0, false, "", TASK_UNTOUCHED, 0, -1, ""},
    {{.reason = RUNTIME_STOPPED, .exit = EXIT(143)},
     10000,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_COUNTED,
     143,
     "timed out after 10s"},
    {{.reason = RUNTIME_FENCED},
     0,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_UNCOUNTED,
     -1,
     "cut off: the worker's lease had passed"},
    {{.reason = RUNTIME_FENCED}, 0, true, "", TASK_UNTOUCHED, 0, -1, NULL},
    {{.reason = RUNTIME_LOST},
     0,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_COUNTED,
     -1,
     "its end was not seen: its shim was killed"},
    {{.reason = RUNTIME_NOT_STARTED, .start_error = REFUSED(ERR_NOT_FOUND)},
     0,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_COUNTED,
     -1,
     "no such command: ./cmd"},
    {{.reason = RUNTIME_NOT_STARTED, .start_error = REFUSED(ERR_FORBIDDEN)},
     0,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_COUNTED,
     -1,
     "not executable: ./cmd"},
    {{.reason = RUNTIME_NOT_STARTED, .start_error = REFUSED(ERR_LIMIT)},
     0,
     false,
     "",
     TASK_FAILED,
     SLICE_RETRY_UNCOUNTED,
     -1,
     "cannot start ./cmd: because"},
    {{.reason = RUNTIME_NOT_STARTED, .start_error = REFUSED(ERR_IO)}, 0, true, "", TASK_UNTOUCHED, 0, -1, NULL},
};

static void the_table(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct verdict_case *expected = &cases[i];
        struct last_line errors = {0};
        struct task_verdict verdict;
        last_line_add(&errors, expected->errors, strlen(expected->errors));
        task_verdict(&expected->gone, "./cmd", &errors, expected->timed_out_ms, expected->cancelled, &verdict);
        bool right =
            verdict.end == expected->end &&
            (verdict.end != TASK_FAILED || (verdict.retry == expected->retry && verdict.exit == expected->exit &&
                                            strcmp(verdict.error, expected->error) == 0));
        if (!right)
            fail_msg("case %zu: end %d retry %d exit %d '%s'", i, (int)verdict.end, (int)verdict.retry, verdict.exit,
                     verdict.error);
    }
}

static void errors_that_pass_are_not_counted(void **state)
{
    UNUSED(state);
    struct task_verdict verdict;
    task_verdict_of_error(&(struct err){ERR_UNAVAILABLE, "away"}, "no bundle", &verdict);
    assert_int_equal(verdict.retry, SLICE_RETRY_UNCOUNTED);
    assert_string_equal(verdict.error, "no bundle: away");
    task_verdict_of_error(&(struct err){ERR_NOT_FOUND, "none"}, "no bundle", &verdict);
    assert_int_equal(verdict.retry, SLICE_RETRY_COUNTED);
    assert_int_equal(verdict.end, TASK_FAILED);
    task_verdict_of_error(&(struct err){ERR_STALE, "none"}, "x", &verdict);
    assert_int_equal(verdict.end, TASK_UNTOUCHED);
}

static void an_end_of_ones_own(void **state)
{
    static const struct {
        struct runtime_gone gone;
        bool own;
    } ends[] = {
        {{.reason = RUNTIME_EXITED, .exit = EXIT(0)}, true},
        {{.reason = RUNTIME_EXITED, .exit = EXIT(127)}, true},
        {{.reason = RUNTIME_EXITED, .exit = EXIT(137)}, false}, // perhaps with its engine
        {{.reason = RUNTIME_EXITED, .exit = {.known = true, .code = 137, .out_of_memory = true}}, true},
        {{.reason = RUNTIME_EXITED, .exit = EXIT(255)}, false},
        {{.reason = RUNTIME_EXITED, .exit = SIGNAL(SIGKILL)}, false},
        {{.reason = RUNTIME_EXITED}, false},
        {{.reason = RUNTIME_STOPPED, .exit = EXIT(0)}, false},
        {{.reason = RUNTIME_LOST}, false},
        {{.reason = RUNTIME_NOT_STARTED}, false},
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        assert_int_equal(task_end_is_its_own(&ends[i].gone), ends[i].own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table), cmocka_unit_test(errors_that_pass_are_not_counted),
                                       cmocka_unit_test(an_end_of_ones_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
