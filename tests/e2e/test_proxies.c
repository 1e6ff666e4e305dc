// Behind nginx and HAProxy: whatever malformed bytes they are sent, every request that reaches the server is one that
// the proxy knows of. The proxies mark what they forward; a request without the mark was smuggled.
#include "services/common/base/fd.h"
#include "services/common/http/client.h"
#include "tests/support/http_fixture.h"
#include "tests/support/malformed.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define MARK "x-front"
#define CASES_MAX 512

static struct fixture fixture;
static atomic_int unmarked, marked;

// The server asks this of each request whose head it has accepted.
static bool look_at(void *app, struct http_request *request, struct http_reply *reply)
{
    UNUSED(app), UNUSED(reply);
    const char *mark = http_request_header(request, MARK);
    bool is_marked = mark && strcmp(mark, "1") == 0;
    atomic_fetch_add(is_marked ? &marked : &unmarked, 1);
    if (!is_marked)
        print_message("smuggled: %s %s\n", http_request_method(request), http_request_path(request));
    return true;
}

static int setup(void **state)
{
    UNUSED(state);
    const struct http_server_settings settings = {
        .authorize = look_at, .head_deadline_ms = 3000, .body_deadline_ms = 3000};
    fixture_start(&fixture, &settings);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    fixture_stop(&fixture);
    return 0;
}

// ---- the proxies

static struct process *nginx_start(const char *directory, int port)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    char file[256];
    struct err err;
    strbuf_add_format(&text,
                      "daemon off; master_process off; pid %s/pid; error_log stderr crit;\n"
                      "events { worker_connections 2048; }\n"
                      "http { access_log off; client_body_temp_path %s/a; proxy_temp_path %s/b; fastcgi_temp_path %s/c;"
                      " uwsgi_temp_path %s/d; scgi_temp_path %s/e; client_header_timeout 3s; client_body_timeout 3s;\n"
                      "upstream manager { server 127.0.0.1:%u; keepalive 8; }\n"
                      "server { listen 127.0.0.1:%d; location / { proxy_pass http://manager; proxy_http_version 1.1;"
                      " proxy_set_header Connection ''; proxy_set_header Host x; proxy_set_header " MARK " 1;"
                      " proxy_request_buffering off; proxy_next_upstream off; } } }\n",
                      directory, directory, directory, directory, directory, directory, (unsigned)fixture.port, port);
    snprintf(file, sizeof(file), "%s/nginx.conf", directory);
    assert_ok(file_replace(file, strbuf_text(&text), text.length, 0600, &err), err);
    return process_start((const char *const[]){"/usr/sbin/nginx", "-p", directory, "-c", file, NULL}, NULL);
}

static struct process *haproxy_start(const char *directory, int port)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    char file[256];
    struct err err;
    strbuf_add_format(&text,
                      "defaults\n mode http\n timeout connect 3s\n timeout client 3s\n timeout server 3s\n"
                      "frontend front\n bind 127.0.0.1:%d\n http-request set-header " MARK " 1\n"
                      " default_backend manager\n"
                      "backend manager\n http-reuse always\n server one 127.0.0.1:%u\n",
                      port, (unsigned)fixture.port);
    snprintf(file, sizeof(file), "%s/haproxy.cfg", directory);
    assert_ok(file_replace(file, strbuf_text(&text), text.length, 0600, &err), err);
    return process_start((const char *const[]){"/usr/sbin/haproxy", "-db", "-f", file, NULL}, NULL);
}

static bool answers(void *context)
{
    char url[64];
    struct http_client *client = NULL;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    snprintf(url, sizeof url, "http://127.0.0.1:%d", *(int *)context);
    const struct http_client_settings settings = {.base_url = url, .timeout_ms = 5000};
    if (http_client_new(&settings, &client, NULL) < 0)
        return false;
    int outcome = http_get(client, "/hello", &response, NULL);
    http_client_free(client);
    return outcome == 0 && response.status == 200;
}

// ---- the cases

static size_t open_all(uint16_t port, int fds[CASES_MAX])
{
    size_t count = 0;
    for (int kind = 0; kind < MALFORMED_KINDS; kind++) {
        const struct malformed_group *group = &malformed_groups[kind];
        for (size_t i = 0; i < group->count; i++) {
            fds[count] = raw_connect(port);
            raw_send(fds[count++], group->cases[i].text, group->cases[i].length);
        }
    }
    return count;
}

static void send_all(int port, const char *name)
{
    static int fds[CASES_MAX];
    size_t refused = 0, closed = 0, answered = 0;
    size_t count = open_all((uint16_t)port, fds);
    for (size_t i = 0; i < count; i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        shutdown(fds[i], SHUT_WR);
        assert_true(raw_read_to_end(fds[i], &out, PATIENCE_MS));
        int status = raw_status(strbuf_text(&out));
        refused += status >= 400;
        closed += out.length == 0;
        answered += status >= 200 && status < 400;
        close(fds[i]);
    }
    print_message("%s: %zu cases: %zu refused, %zu closed, %zu made well-formed by the proxy; %d requests forwarded\n",
                  name, count, refused, closed, answered, atomic_load(&marked));
    assert_true(count >= 150);
    assert_true(refused + closed > count / 2);
}

static void behind(const char *name, struct process *(*start)(const char *directory, int port))
{
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    int port = free_port();
    atomic_store(&unmarked, 0);
    atomic_store(&marked, 0);
    AUTO_PROCESS struct process *proxy = start(directory, port);
    if (!wait_until(answers, &port, PATIENCE_MS))
        fail_msg("%s: %s", name, process_stderr(proxy));
    send_all(port, name);
    assert_true(answers(&port));
    assert_true(atomic_load(&marked) > 0);
    assert_int_equal(atomic_load(&unmarked), 0);
}

static void nothing_is_smuggled_through_nginx(void **state)
{
    UNUSED(state);
    behind("nginx", nginx_start);
}

static void nothing_is_smuggled_through_haproxy(void **state)
{
    UNUSED(state);
    behind("haproxy", haproxy_start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_smuggled_through_nginx),
        cmocka_unit_test(nothing_is_smuggled_through_haproxy),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
