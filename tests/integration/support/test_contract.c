// What is held against the API's document is refused where it is not as the document says.
#include "services/common/base/macros.h"
#include "tests/support/contract.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS "/v1/jobs/j0000000000001/events"
#define LOGS "/v1/jobs/j0000000000001/logs?follow=true"
#define EVENT(seq) "{\"seq\":" seq ",\"at\":\"2026-01-31T12:00:00.123456Z\",\"kind\":\"job.closed\",\"data\":{}}"
#define SSE_EVENT "id: 1\nevent: job.closed\ndata: " EVENT("1") "\n\n"
#define SSE_END "id: 1\nevent: end\ndata: {\"outcome\":\"failed\",\"cleanup\":\"clean\"}\n\n"
#define LINE \
    "{\"offset\":0,\"at\":\"2026-01-31T12:00:00.123456Z\",\"source\":\"task/a/0/1\",\"position\":0,\"text\":\"a\"}"
#define REFUSED 99 // die()

static const struct {
    const char *path, *type, *body;
    bool is_whole, is_right;
} cases[] = {
    {EVENTS, "text/event-stream", SSE_EVENT ": still here\n\n" SSE_END, true, true},
    {EVENTS, "text/event-stream", SSE_EVENT "id: 2\nevent: job.clo", false, true},
    {EVENTS, "text/event-stream", SSE_EVENT "id: 2\nevent: job.clo", true, false},
    {EVENTS, "text/event-stream", SSE_EVENT SSE_END SSE_EVENT, true, false},
    {EVENTS, "text/event-stream", "event: job.closed\ndata: " EVENT("1") "\n\n", true, false},
    {EVENTS, "text/event-stream", "id: one\nevent: job.closed\ndata: " EVENT("1") "\n\n", true, false},
    {EVENTS, "text/event-stream", "id: 1\ndata: " EVENT("1") "\n\n", true, false},
    {EVENTS, "text/event-stream", "id: 1\nevent: job.closed\ndata: " EVENT("-1") "\n\n", true, false},
    {EVENTS, "text/event-stream", "id: 1\nevent: job.closed\ndata: {}\n\n", true, false},
    {EVENTS, "text/event-stream", "id: 1\nevent: end\ndata: {\"outcome\":\"odd\",\"cleanup\":\"clean\"}\n\n", true,
     false},
    {EVENTS, "application/x-ndjson", EVENT("1") "\n" EVENT("2") "\n", true, true},
    {EVENTS, "application/x-ndjson", EVENT("1") "\n{\"seq\":", false, true},
    {EVENTS, "application/x-ndjson", EVENT("1") "\n{\"seq\":", true, false},
    {EVENTS, "application/json", EVENT("1"), true, false},
    {LOGS, "text/event-stream", "id: 1\nevent: log\ndata: " LINE "\n\n" SSE_END, true, true},
    {LOGS, "text/event-stream", "id: 1\nevent: log\ndata: " EVENT("1") "\n\n", true, false},
    {"/v1/version", "application/json", "{\"name\":\"curfew\",\"version\":\"1\"}", true, true},
    {"/v1/version", "application/json", "{\"name\":\"curfew\",\"version\":\"1\",\"more\":1}", true, false},
    {"/v1/version", "application/json", "", true, false},
    {"/v1/nothing", "application/json", "{}", true, false},
};

// Ends with REFUSED, or with 0 when the reply was counted.
static void check(const char *path, const char *type, const char *body, bool is_whole)
{
    struct http_response response = {.status = 200, .retry_after_ms = -1, .request_id = "r"};
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    snprintf(response.content_type, sizeof(response.content_type), "%s", type);
    strbuf_add_text(&response.body, body);
    contract_check("GET", path, &response, is_whole);
    _exit(contract_count() == 1 ? 0 : 1);
}

static void replies_are_right_or_refused(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            check(cases[i].path, cases[i].type, cases[i].body, cases[i].is_whole);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != (cases[i].is_right ? 0 : REFUSED))
            fail_msg("case %zu: %x: %s", i, (unsigned)status, cases[i].body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_right_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
