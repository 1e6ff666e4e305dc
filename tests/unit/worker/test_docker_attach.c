// Against a socket on which the test plays the engine.
#include "services/worker/docker_attach.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "tests/support/loop_test.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 60000
#define HEAD "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
#define OUT(text, length) "\1\0\0\0\0\0\0" length text

struct rig {
    struct loop *loop;
    int listener, peer;
    struct docker_address address;
    struct docker_attach *attach;
    bool opened, closed, failed, heard, frees_itself;
    struct err error;
    struct strbuf output;
    char request[512];
};

static void on_opened(void *context)
{
    ((struct rig *)context)->opened = true;
}

static void on_output(void *context, enum engine_stream stream, const char *bytes, size_t length)
{
    struct rig *rig = context;
    assert_int_equal(stream, ENGINE_STDOUT);
    strbuf_add(&rig->output, bytes, length);
    rig->heard = true;
    if (rig->frees_itself)
        docker_attach_free(TAKE_PTR(rig->attach));
}

static void on_closed(void *context, const struct err *error)
{
    struct rig *rig = context;
    assert_false(rig->closed);
    rig->closed = true;
    rig->failed = error != NULL;
    if (error)
        rig->error = *error;
}

static const struct docker_attach_events events = {.opened = on_opened, .output = on_output, .closed = on_closed};

static void attach(struct rig *rig, void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char url[200];
    struct err err;
    *rig = (struct rig){.peer = -1};
    snprintf(name.sun_path, sizeof name.sun_path, "%.100s", temp_path(state, "sock"));
    snprintf(url, sizeof url, "unix:%s", name.sun_path);
    assert_ok(loop_new(&rig->loop, &err), err);
    assert_ok(docker_address_read(url, &rig->address, &err), err);
    rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->listener, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(rig->listener, 4), 0);
    assert_ok(docker_attach_open(rig->loop, &rig->address, "/v1.41/containers/x/attach?stream=1", &events, rig,
                                 &rig->attach, &err),
              err);
}

static void detach(struct rig *rig)
{
    docker_attach_free(rig->attach);
    loop_free(rig->loop);
    close(rig->listener);
    if (rig->peer >= 0)
        close(rig->peer);
    strbuf_release(&rig->output);
}

static bool has_asked(void *context)
{
    struct rig *rig = context;
    size_t length = strlen(rig->request);
    recv(rig->peer, rig->request + length, sizeof rig->request - 1 - length, MSG_DONTWAIT);
    return strstr(rig->request, "\r\n\r\n");
}

static void answer(struct rig *rig, const char *bytes, size_t length)
{
    if (rig->peer < 0) {
        rig->peer = accept(rig->listener, NULL, NULL);
        assert_true(loop_until(rig->loop, has_asked, rig, WAIT_MS));
        assert_non_null(strstr(rig->request, "POST /v1.41/containers/x/attach?stream=1 HTTP/1.1\r\n"));
        assert_non_null(strstr(rig->request, "Upgrade: tcp\r\n"));
    }
    assert_int_equal(send(rig->peer, bytes, length, 0), (ssize_t)length);
}

static void output_to_its_end(void **state)
{
    struct rig rig;
    attach(&rig, state);
    answer(&rig, HEAD OUT("hello", "\5") "\1\0\0", sizeof(HEAD OUT("hello", "\5") "\1\0\0") - 1);
    assert_true(loop_until_set(rig.loop, &rig.heard, WAIT_MS));
    assert_true(rig.opened);
    answer(&rig, "\0\0\0\0\1!", 6);
    close(rig.peer);
    rig.peer = -1;
    assert_true(loop_until_set(rig.loop, &rig.closed, WAIT_MS));
    assert_false(rig.failed);
    assert_string_equal(strbuf_text(&rig.output), "hello!");
    detach(&rig);
}

static void input_and_its_end(void **state)
{
    struct rig rig;
    struct err err;
    char text[8] = "";
    attach(&rig, state);
    assert_int_equal(docker_attach_write(rig.attach, "early", 5, &err), 0); // not open: nothing is taken
    answer(&rig, HEAD, sizeof HEAD - 1);
    assert_true(loop_until_set(rig.loop, &rig.opened, WAIT_MS));
    assert_int_equal(docker_attach_write(rig.attach, "input", 5, &err), 5);
    docker_attach_close_stdin(rig.attach);
    assert_int_equal(recv(rig.peer, text, sizeof text, MSG_WAITALL), 5);
    assert_string_equal(text, "input");
    assert_int_equal(recv(rig.peer, text, sizeof text, 0), 0);
    assert_error((int)docker_attach_write(rig.attach, "x", 1, &err), err, ERR_CONFLICT, "closed");
    detach(&rig);
}

static void what_is_paused_waits(void **state)
{
    struct rig rig;
    attach(&rig, state);
    docker_attach_pause(rig.attach, true);
    answer(&rig, HEAD OUT("one", "\3"), sizeof(HEAD OUT("one", "\3")) - 1);
    assert_true(loop_until_set(rig.loop, &rig.opened, WAIT_MS));
    close(rig.peer); // not even the end is told
    rig.peer = -1;
    loop_for(rig.loop, 20);
    assert_false(rig.heard || rig.closed);
    docker_attach_pause(rig.attach, false);
    assert_false(rig.heard); // nothing from within a call
    assert_true(loop_until_set(rig.loop, &rig.closed, WAIT_MS));
    assert_string_equal(strbuf_text(&rig.output), "one");
    detach(&rig);
}

static void freed_in_a_callback(void **state)
{
    struct rig rig;
    attach(&rig, state);
    rig.frees_itself = true;
    answer(&rig, HEAD OUT("a", "\1") OUT("b", "\1"), sizeof(HEAD OUT("a", "\1") OUT("b", "\1")) - 1);
    assert_true(loop_until_set(rig.loop, &rig.heard, WAIT_MS));
    loop_for(rig.loop, 5);
    assert_string_equal(strbuf_text(&rig.output), "a");
    assert_false(rig.closed);
    detach(&rig);
}

static void refusals(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *part;
    } cases[] = {
        {"HTTP/1.1 404 Not Found\r\n\r\n{\"message\":\"No such container: x\"}", ERR_NOT_FOUND, "No such container"},
        {"HTTP/1.1 500 No\r\n\r\nplain", ERR_IO, "plain"},
        {"nonsense\r\n\r\n", ERR_IO, "says 0"},
        {HEAD "no frames at all", ERR_INVALID, "frames"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        attach(&rig, state);
        answer(&rig, cases[i].text, strlen(cases[i].text));
        assert_true(loop_until_set(rig.loop, &rig.closed, WAIT_MS));
        assert_true(rig.failed);
        assert_int_equal(rig.error.code, cases[i].code);
        assert_non_null(strstr(rig.error.text, cases[i].part));
        detach(&rig);
        unlink(temp_path(state, "sock"));
    }
}

static void nobody_answers(void **state)
{
    struct rig rig;
    struct err err;
    attach(&rig, state);
    docker_attach_free(TAKE_PTR(rig.attach));
    unlink(temp_path(state, "sock"));
    assert_error(docker_attach_open(rig.loop, &rig.address, "/", &events, &rig, &rig.attach, &err), err,
                 ERR_UNAVAILABLE, "cannot connect");
    rig.attach = NULL;
    detach(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(output_to_its_end, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(input_and_its_end, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_paused_waits, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(freed_in_a_callback, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(refusals, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(nobody_answers, temp_dir_setup, temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
