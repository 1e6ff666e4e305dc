// TLS: who is trusted, certificates that change under open connections, and peers that do not speak it.
#include "services/common/http/tls.h"

#include "services/common/base/clock.h"
#include "services/common/base/fd.h"
#include "services/common/http/client.h"
#include "tests/support/http_fixture.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static struct fixture fixture;
static struct http_tls *tls;
static char *directory;
static char certificate[256], key[256]; // what the server reads
static char first[256], second[256];    // copies of certificates, to trust

// A new key and a certificate of its own for 127.0.0.1, in these files.
static void make(const char *certificate_file, const char *key_file)
{
    const char *const command[] = {"openssl",
                                   "req",
                                   "-x509",
                                   "-newkey",
                                   "ec",
                                   "-pkeyopt",
                                   "ec_paramgen_curve:prime256v1",
                                   "-nodes",
                                   "-days",
                                   "2",
                                   "-subj",
                                   "/CN=curfew-test",
                                   "-addext",
                                   "subjectAltName=IP:127.0.0.1",
                                   "-keyout",
                                   key_file,
                                   "-out",
                                   certificate_file,
                                   NULL};
    assert_int_equal(process_run(command, NULL), 0);
}

static void copy(const char *from, const char *to)
{
    struct err err;
    AUTO_FREE char *text = NULL;
    size_t length;
    assert_ok(file_read(from, 65536, &text, &length, &err), err);
    assert_ok(file_replace(to, text, length, 0600, &err), err);
}

static int get(const char *ca_file, const char *path, int64_t timeout_ms, struct err *err)
{
    char url[64];
    struct http_client *client = NULL;
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    snprintf(url, sizeof url, "https://127.0.0.1:%u", (unsigned)fixture.port);
    struct http_client_settings settings = {.base_url = url, .ca_file = ca_file, .timeout_ms = timeout_ms};
    assert_ok(http_client_new(&settings, &client, err), *err);
    int outcome = http_get(client, path, &response, err);
    http_client_free(client);
    return outcome < 0 ? -1 : response.status;
}

static void setup_files(void)
{
    struct err err;
    const char *const names[] = {"certificate", "key", "first", "second"};
    char *const paths[] = {certificate, key, first, second};
    directory = temp_dir_new();
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        snprintf(paths[i], sizeof certificate, "%s/%s", directory, names[i]);
    make(certificate, key);
    copy(certificate, first);
    assert_ok(http_tls_new(certificate, key, &tls, &err), err);
}

static int setup(void **state)
{
    UNUSED(state);
    setup_files();
    const struct http_server_settings settings = {.tls = tls, .watch_interval_ms = 100};
    fixture_start(&fixture, &settings);
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    fixture_stop(&fixture);
    http_tls_free(tls);
    temp_dir_free(directory);
    return 0;
}

static void who_is_trusted_is_answered(void **state)
{
    UNUSED(state);
    struct err err;
    assert_int_equal(get(first, "/hello", PATIENCE_MS, &err), 200);
    assert_int_equal(get(first, "/large?bytes=3000000", PATIENCE_MS, &err), 200);
    assert_int_equal(get(NULL, "/hello", PATIENCE_MS, &err), -1); // nobody of the system's knows it
    const struct http_client_settings careless = {.base_url = "https://127.0.0.1", .token = "t", .unverified = true};
    struct http_client *client = NULL;
    assert_error(http_client_new(&careless, &client, &err), err, ERR_INVALID, "whoever answers");
}

static void *get_parked(void *context)
{
    struct err err;
    *(int *)context = get(first, "/park", PATIENCE_MS, &err);
    return NULL;
}

static void a_change_leaves_open_connections_alone(void **state)
{
    UNUSED(state);
    struct err err;
    pthread_t thread;
    int status = 0;
    assert_int_equal(pthread_create(&thread, NULL, get_parked, &status), 0);
    assert_true(fixture_wait_parked(&fixture, 1));
    assert_int_equal(http_tls_reload(tls, false, &err), 0);
    make(certificate, key);
    copy(certificate, second);
    assert_int_equal(http_tls_reload(tls, false, &err), 1);
    assert_int_equal(http_tls_reload(tls, false, &err), 0);
    assert_int_equal(http_tls_reload(tls, true, &err), 1);
    assert_int_equal(get(second, "/hello", PATIENCE_MS, &err), 200);
    assert_int_equal(get(first, "/hello", PATIENCE_MS, &err), -1);
    fixture_complete_all(&fixture, 201);
    pthread_join(thread, NULL);
    assert_int_equal(status, 201);
}

static void what_cannot_be_changes_nothing(void **state)
{
    UNUSED(state);
    struct err err;
    struct http_tls *another = NULL;
    char other[300];
    snprintf(other, sizeof other, "%s/other", directory);
    copy(certificate, second);
    copy(key, other);
    make(certificate, key);
    copy(other, key); // the certificate is new, its key is not there yet
    assert_error(http_tls_reload(tls, false, &err), err, ERR_INVALID, "is not the key of");
    assert_int_equal(http_tls_reload(tls, false, &err), 0); // said once
    assert_ok(file_replace(certificate, "nonsense", 8, 0600, &err), err);
    assert_error(http_tls_reload(tls, false, &err), err, ERR_INVALID, "no certificate");
    unlink(certificate);
    assert_error(http_tls_reload(tls, true, &err), err, ERR_NOT_FOUND, "certificate");
    assert_int_equal(get(second, "/hello", PATIENCE_MS, &err), 200);
    copy(second, certificate);
    assert_int_equal(http_tls_reload(tls, false, &err), 1);
    assert_error(http_tls_new(second, key, &another, &err), err, ERR_CONFLICT, "already");
}

static void who_does_not_speak_tls_is_sent_away(void **state)
{
    UNUSED(state);
    struct err err;
    static const char *const says[] = {"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n", "\x16\x03\x01", ""};
    const struct http_server_settings settings = {.tls = tls, .head_deadline_ms = 500, .watch_interval_ms = 100};
    struct fixture impatient;
    int fds[ARRAY_LEN(says)];
    fixture_start(&impatient, &settings);
    for (size_t i = 0; i < ARRAY_LEN(says); i++) {
        fds[i] = raw_connect(impatient.port);
        raw_send_text(fds[i], says[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(says); i++) {
        AUTO_STRBUF struct strbuf out = STRBUF_INIT;
        assert_true(raw_read_to_end(fds[i], &out, PATIENCE_MS)); // at once, or at the deadline of a head
        assert_null(strstr(strbuf_text(&out), "HTTP/1"));
        close(fds[i]);
    }
    fixture_stop(&impatient);
    assert_int_equal(get(second, "/hello", PATIENCE_MS, &err), 200);
}

static void a_client_that_goes_is_noticed(void **state)
{
    UNUSED(state);
    char url[64];
    int before = fixture_get(&fixture, &fixture.cancelled_gone);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/park", (unsigned)fixture.port);
    const char *const command[] = {"curl", "--silent", "--cacert", second, url, NULL};
    struct process *curl = process_start(command, NULL);
    assert_true(fixture_wait_parked(&fixture, 1));
    process_free(curl);
    assert_true(fixture_wait(&fixture, &fixture.cancelled_gone, before + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_trusted_is_answered),     cmocka_unit_test(a_change_leaves_open_connections_alone),
        cmocka_unit_test(what_cannot_be_changes_nothing), cmocka_unit_test(who_does_not_speak_tls_is_sent_away),
        cmocka_unit_test(a_client_that_goes_is_noticed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
