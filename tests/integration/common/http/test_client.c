#include "services/common/http/client.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "tests/support/http_fixture.h"
#include "tests/support/process.h"
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fixture fixture;
static struct http_client *client;

static int setup(void **state)
{
    UNUSED(state);
    char url[64];
    struct err err = {0};
    fixture_start(&fixture, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", fixture.port);
    struct http_client_settings settings = {.base_url = url, .token = "secret", .timeout_ms = 20000};
    assert_ok(http_client_new(&settings, &client, &err), err);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    http_client_free(client);
    fixture_stop(&fixture);
    return 0;
}

static void gets_and_posts(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    assert_ok(http_get(client, "/hello", &response, &err), err);
    assert_int_equal(response.status, 200);
    assert_string_equal(strbuf_text(&response.body), "hello\n");
    assert_string_equal(response.content_type, "text/plain; charset=utf-8");
    assert_int_equal(strlen(response.request_id), 16);
    assert_int_equal(response.retry_after_ms, -1);
    assert_ok(http_post(client, "/echo", "{\"a\":1}", 7, &response, &err), err);
    assert_string_equal(strbuf_text(&response.body), "{\"a\":1}");
    assert_ok(http_post(client, "/echo", NULL, 0, &response, &err), err);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body.length, 0);
    assert_ok(http_get(client, "/missing", &response, &err), err);
    assert_int_equal(response.status, 404);
    assert_ok(http_get(client, "/tagged", &response, &err), err);
    assert_string_equal(response.etag, "\"v1\"");
}

static void keeps_its_connection(void **state)
{
    UNUSED(state);
    struct err err = {0};
    struct http_server_stats stats;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    for (int i = 0; i < 20; i++)
        assert_ok(http_get(client, "/hello", &response, &err), err);
    http_server_stats(fixture.server, &stats);
    assert_int_equal(stats.connections, 1);
}

static void sends_headers(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    const struct http_header headers[] = {{"If-None-Match", "\"v1\""}, {"X-Request-Id", "mine"}};
    struct http_call call = {.method = "GET", .path = "/tagged", .headers = headers, .header_count = 2};
    assert_ok(http_call(client, &call, &response, &err), err);
    assert_int_equal(response.status, 304);
    assert_string_equal(response.request_id, "mine");
    const struct http_header bad = {"X-A", "b\r\nX-C: d"};
    call = (struct http_call){.method = "GET", .path = "/hello", .headers = &bad, .header_count = 1};
    assert_error(http_call(client, &call, &response, &err), err, ERR_INVALID, "control");
}

static void head_has_no_body(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = "HEAD", .path = "/hello"};
    assert_ok(http_call(client, &call, &response, &err), err);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body.length, 0);
}

static void uploads_from_a_file(void **state)
{
    UNUSED(state);
    struct err err = {0};
    char bytes[10000];
    memset(bytes, 2, sizeof bytes);
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_FILE FILE *file = tmpfile();
    assert_non_null(file);
    for (int i = 0; i < 300; i++)
        assert_ok(fd_write_all(fileno(file), bytes, sizeof bytes, &err), err);
    lseek(fileno(file), 0, SEEK_SET);
    struct http_call call = {
        .method = "PUT", .path = "/file", .has_upload = true, .upload_fd = fileno(file), .upload_length = 3000000};
    assert_ok(http_call(client, &call, &response, &err), err);
    assert_int_equal(response.status, 200);
    assert_string_equal(strbuf_text(&response.body), "3000000 6000000\n");
}

static int count_lines(void *context, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        *(int *)context += bytes[i] == '\n';
    return 0;
}

static int refuse_bytes(void *context, const char *bytes, size_t length)
{
    UNUSED(context), UNUSED(bytes), UNUSED(length);
    return -1;
}

static void streams_bodies(void **state)
{
    UNUSED(state);
    struct err err = {0};
    int lines = 0;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {
        .method = "GET", .path = "/count?n=20000", .on_body = count_lines, .on_body_context = &lines};
    assert_ok(http_call(client, &call, &response, &err), err);
    assert_int_equal(lines, 20000);
    assert_int_equal(response.body.length, 0);
    // The body of an error is not a part of the stream.
    call.path = "/missing";
    assert_ok(http_call(client, &call, &response, &err), err);
    assert_int_equal(response.status, 404);
    assert_int_equal(lines, 20000);
    assert_true(response.body.length > 0);
    call = (struct http_call){.method = "GET", .path = "/hello", .on_body = refuse_bytes};
    assert_error(http_call(client, &call, &response, &err), err, ERR_IO, "could not be taken");
}

static void limits_responses(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = "GET", .path = "/large?bytes=100001", .response_limit = 100000};
    assert_error(http_call(client, &call, &response, &err), err, ERR_TOO_LARGE, "larger than 100000 bytes");
    call.path = "/large?bytes=100000";
    assert_ok(http_call(client, &call, &response, &err), err);
    assert_int_equal(response.body.length, 100000);
}

static void times_out(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http_call call = {.method = "GET", .path = "/park", .timeout_ms = 100};
    assert_error(http_call(client, &call, &response, &err), err, ERR_TIMEOUT, "");
    call = (struct http_call){.method = "GET", .path = "/follow", .timeout_ms = -1, .idle_timeout_ms = 1000};
    assert_error(http_call(client, &call, &response, &err), err, ERR_TIMEOUT, "");
    http_stream_end(fixture_take_followed(&fixture), true);
}

static void refused_connections_are_unavailable(void **state)
{
    UNUSED(state);
    char url[64];
    struct err err = {0};
    struct http_client *other = NULL;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    int port, held = hold_port(&port);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    struct http_client_settings settings = {.base_url = url};
    assert_ok(http_client_new(&settings, &other, &err), err);
    assert_error(http_get(other, "/", &response, &err), err, ERR_UNAVAILABLE, url + 7);
    close(held);
    http_client_free(other);
    settings.base_url = "http://name.invalid:80";
    assert_ok(http_client_new(&settings, &other, &err), err);
    assert_error(http_get(other, "/", &response, &err), err, ERR_UNAVAILABLE, "");
    http_client_free(other);
}

static void bad_urls_are_refused(void **state)
{
    UNUSED(state);
    static const char *const urls[] = {"",           "localhost:80",  "ftp://x",    "file:///etc/passwd", "http://",
                                       "http://a/b", "http://u@a:80", "http://a b", "unix:relative",      "http://a?b"};
    struct err err = {0};
    struct http_client *other = NULL;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct http_client_settings settings = {.base_url = urls[i]};
        assert_error(http_client_new(&settings, &other, &err), err, ERR_INVALID, urls[i]);
    }
    struct http_client_settings settings = {.base_url = "http://a", .token = "a\r\nb"};
    assert_error(http_client_new(&settings, &other, &err), err, ERR_INVALID, "token");
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    assert_error(http_get(client, "no-slash", &response, &err), err, ERR_INVALID, "slash");
    assert_error(http_get(client, "/a b", &response, &err), err, ERR_INVALID, "spaces");
}

static void unix_sockets_work(void **state)
{
    UNUSED(state);
    AUTO_TEMP_DIR char *directory = temp_dir_new();
    AUTO_STRBUF struct strbuf url = STRBUF_INIT;
    struct err err = {0};
    struct http_client *other = NULL;
    struct fixture local;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    strbuf_add_format(&url, "unix:%s/http.sock", directory);
    struct http_server_settings settings = {.address = strbuf_text(&url)};
    for (int round = 0; round < 2; round++) {
        fixture_start(&local, &settings);
        assert_int_equal(local.port, 0);
        assert_ok(http_client_new(&(struct http_client_settings){.base_url = strbuf_text(&url)}, &other, &err), err);
        assert_ok(http_get(other, "/hello", &response, &err), err);
        assert_int_equal(response.status, 200);
        http_client_free(other);
        fixture_stop(&local);
    }
    assert_int_not_equal(access(strbuf_text(&url) + 5, F_OK), 0);
}

// Answers one connection with a fixed response and keeps the request.
struct canned {
    int listener;
    const char *response;
    char request[4096];
};

static void *serve_canned(void *context)
{
    struct canned *canned = context;
    int fd = accept(canned->listener, NULL, NULL);
    ssize_t n = read(fd, canned->request, sizeof canned->request - 1);
    canned->request[n > 0 ? n : 0] = '\0';
    if (fd_write_all(fd, canned->response, strlen(canned->response), NULL) < 0)
        abort();
    close(fd);
    return NULL;
}

// Starts the server; its address is written to `url`.
static void start_canned(struct canned *canned, pthread_t *thread, char url[static 64])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    canned->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(canned->listener, (const void *)&address, sizeof address), 0);
    assert_int_equal(listen(canned->listener, 1), 0);
    assert_int_equal(getsockname(canned->listener, (void *)&address, &length), 0);
    assert_int_equal(pthread_create(thread, NULL, serve_canned, canned), 0);
    snprintf(url, 64, "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void stop_canned(struct canned *canned, pthread_t thread)
{
    pthread_join(thread, NULL);
    close(canned->listener);
}

// Gets "/" from a server that answers `canned->response`.
static int call_canned(struct canned *canned, const char *token, struct http_response *response, struct err *err)
{
    char url[64];
    pthread_t thread;
    struct http_client *other = NULL;
    start_canned(canned, &thread, url);
    struct http_client_settings settings = {.base_url = url, .token = token};
    int result = http_client_new(&settings, &other, err);
    if (result == 0)
        result = http_get(other, "/", response, err);
    http_client_free(other);
    stop_canned(canned, thread);
    return result;
}

static void redirects_are_not_followed(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct canned canned = {.response = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nRetry-After: 7\r\n"
                                        "Content-Length: 0\r\n\r\n"};
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_ok(call_canned(&canned, "t0ken", &response, &err), err);
    unsetenv("http_proxy");
    assert_int_equal(response.status, 302);
    assert_string_equal(response.location, "http://127.0.0.1:1/");
    assert_int_equal(response.retry_after_ms, 7000);
    assert_non_null(strstr(canned.request, "Authorization: Bearer t0ken\r\n"));
}

static void broken_responses_are_unavailable(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct canned half = {.response = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"};
    assert_error(call_canned(&half, NULL, &response, &err), err, ERR_UNAVAILABLE, "");
    struct canned nothing = {.response = ""};
    assert_error(call_canned(&nothing, NULL, &response, &err), err, ERR_UNAVAILABLE, "");
    struct canned chunks = {.response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"};
    assert_error(call_canned(&chunks, NULL, &response, &err), err, ERR_UNAVAILABLE, "");
}

static void other_hosts_do_not_see_the_token(void **state)
{
    UNUSED(state);
    struct err err = {0};
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    char url[64];
    pthread_t thread;
    struct canned canned = {.response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    start_canned(&canned, &thread, url);
    struct http_call call = {.method = "GET", .path = "/healthz", .base_url = url, .no_reuse = true};
    assert_ok(http_call(client, &call, &response, &err), err);
    stop_canned(&canned, thread);
    assert_null(strstr(canned.request, "Authorization"));
    assert_non_null(strstr(canned.request, "GET /healthz HTTP/1.1\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gets_and_posts, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_its_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(head_has_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(uploads_from_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_responses, setup, teardown),
        cmocka_unit_test_setup_teardown(times_out, setup, teardown),
        cmocka_unit_test(refused_connections_are_unavailable),
        cmocka_unit_test_setup_teardown(bad_urls_are_refused, setup, teardown),
        cmocka_unit_test(unix_sockets_work),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(broken_responses_are_unavailable),
        cmocka_unit_test_setup_teardown(other_hosts_do_not_see_the_token, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
