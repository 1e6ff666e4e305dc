// Nothing that comes in makes a manager open a connection: whatever names an address, wherever it stands.
//
// The manager runs behind a filter that kills it when it connects to an address of the internet; the sockets that the
// addresses lead to are watched, and so are the manager's own.
#include "services/common/http/target.h"
#include "tests/support/db_test.h"
#include "tests/support/manager.h"
#include "tests/support/process.h"
#include "tests/support/raw_http.h"
#include "tests/support/temp_dir.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMES 4 // how many baits each header and query has, of all in turn
#define KILLED_BY_FILTER (256 + SIGSYS)

struct world {
    int tcp, local; // listening sockets that nobody may connect to
    int port;
    char *directory;
    char path[128]; // of `local`
    const char *database;
    struct manager *manager;
    struct http_client *client;
    pthread_t keeper;
    pthread_barrier_t started, ended;
    int control; // how a program ended that does connect
};
static struct world world;

// ---- the filter: connect() with an address as short as those of IPv4 and IPv6, which local ones are not

static void forbid_connections(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, sizeof(struct sockaddr_in6), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = ARRAY_LEN(rules), .filter = rules};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

// What this thread starts has its filter, and lives no longer than it.
static void *keeper_main(void *context)
{
    char server[64];
    forbid_connections();
    snprintf(server, sizeof(server), "--server=http://127.0.0.1:%d", world.port);
    const char *const connects[] = {program_path("curfew"), "list", server, NULL};
    world.control = process_run(connects, NULL);
    world.manager = manager_start(world.database, NULL);
    pthread_barrier_wait(&world.started);
    pthread_barrier_wait(&world.ended);
    manager_free(world.manager);
    return context;
}

// ---- the sockets

static void listen_at(int fd, const void *address, socklen_t length)
{
    assert_int_equal(bind(fd, address, length), 0);
    assert_int_equal(listen(fd, 16), 0);
}

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    db_test_start(state);
    world.database = pg_database_new(test_pg);
    world.directory = temp_dir_new();
    world.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    world.local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listen_at(world.tcp, &address, sizeof(address));
    assert_int_equal(getsockname(world.tcp, (struct sockaddr *)&address, &length), 0);
    world.port = ntohs(address.sin_port);
    snprintf(world.path, sizeof(world.path), "%s/bait", world.directory);
    snprintf(local.sun_path, sizeof(local.sun_path), "%.100s", world.path);
    listen_at(world.local, &local, sizeof(local));
    pthread_barrier_init(&world.started, NULL, 2);
    pthread_barrier_init(&world.ended, NULL, 2);
    pthread_create(&world.keeper, NULL, keeper_main, NULL);
    pthread_barrier_wait(&world.started);
    world.client = manager_client(world.manager);
    return 0;
}

static int teardown(void **state)
{
    http_client_free(world.client);
    pthread_barrier_wait(&world.ended);
    pthread_join(world.keeper, NULL);
    close(world.tcp);
    close(world.local);
    temp_dir_free(world.directory);
    return db_test_stop(state);
}

static int manager_port(void)
{
    return atoi(strrchr(manager_url(world.manager), ':') + 1);
}

// Whether the manager has this socket open.
static bool has_socket(unsigned long inode)
{
    char path[64], name[64], wanted[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", manager_pid(world.manager));
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, name, sizeof(name) - 1);
        name[length > 0 ? length : 0] = '\0';
        found |= strcmp(name, wanted) == 0;
    }
    closedir(directory);
    return found;
}

// Its sockets of the internet are the one that it listens at and those that clients came by. Returns how many.
static int check_sockets(const char *table)
{
    char path[64], line[512];
    int count = 0;
    snprintf(path, sizeof(path), "/proc/%d/net/%s", manager_pid(world.manager), table);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        unsigned port;
        unsigned long inode;
        if (sscanf(line, " %*u: %*[0-9A-F]:%x %*s %*s %*s %*s %*s %*u %*u %lu", &port, &inode) != 2 || inode == 0 ||
            !has_socket(inode))
            continue;
        if ((int)port != manager_port())
            fail_msg("the manager has a socket of its own: %s", line);
        count++;
    }
    if (file)
        fclose(file);
    return count;
}

// Asked after each kind of bait.
static void assert_nothing_was_opened(void)
{
    struct pollfd baits[] = {{.fd = world.tcp, .events = POLLIN}, {.fd = world.local, .events = POLLIN}};
    AUTO_JSON_OBJECT struct json_object *doctor = NULL;
    assert_int_equal(client_call(world.client, "GET", "/v1/doctor", NULL, 0, NULL, &doctor), 200);
    assert_true(check_sockets("tcp") >= 2);
    check_sockets("tcp6");
    assert_int_equal(check_sockets("udp") + check_sockets("udp6"), 0);
    assert_int_equal(poll(baits, ARRAY_LEN(baits), 0), 0);
}

// ---- what leads there

static const char *const baits[] = {
    "http://127.0.0.1:@/bait",
    "https://127.0.0.1:@/",
    "127.0.0.1:@/bait",
    "127.0.0.1:@",
    "//127.0.0.1:@/bait",
    "tcp://127.0.0.1:@",
    "ldap://127.0.0.1:@/",
    "postgresql://127.0.0.1:@/x",
    "http://[::1]:@/",
    "http://bait.invalid:@/",
    "file://@",
    "unix:@",
};
#define LOCAL_BAITS 2 // the last ones

// `text` with `bait` in each place of an @.
static char *baited(const char *text, const char *bait)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char *taken;
    struct err err;
    for (; *text; text++)
        *text == '@' ? strbuf_add_text(&out, bait) : strbuf_add_char(&out, *text);
    assert_ok(strbuf_take(&out, &taken, &err), err);
    return taken;
}

static char *bait_make(size_t number)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", world.port);
    return baited(baits[number], number < ARRAY_LEN(baits) - LOCAL_BAITS ? port : world.path);
}

static void the_filter_kills_what_connects(void **state)
{
    UNUSED(state);
    assert_int_equal(world.control, KILLED_BY_FILTER);
    assert_nothing_was_opened();
}

// Specs that are taken, with a bait in all that is free text; the manager is made to look at them again.
static void specs_that_are_taken(void **state)
{
    static const char spec[] =
        "{\"name\":\"bait\",\"labels\":{\"callback\":\"@\",\"webhook\":\"@\"},"
        "\"services\":[{\"name\":\"one\",\"runtime\":\"docker\",\"image\":\"127.0.0.1:1/"
        "bait\",\"command\":[\"@\",\"@\"],"
        "\"env\":{\"HTTP_PROXY\":\"@\",\"URL\":\"@\"},\"ports\":[{\"name\":\"main\",\"container\":80}],"
        "\"ready\":{\"http\":\"/?next=bait\",\"port\":\"main\"},\"where\":{\"host\":\"@\"}},"
        "{\"name\":\"two\",\"command\":[\"@\"],\"ready\":{\"exec\":[\"@\"]}}],"
        "\"stages\":[{\"name\":\"main\",\"command\":[\"@\",\"--server=@\"],\"env\":{\"no_proxy\":\"@\"},"
        "\"where\":{\"url\":\"@\"},\"tasks\":[\"@\",{\"url\":\"@\",\"$ref\":\"@\"}]}]}";
    static const char *const parts[] = {"", "/spec", "/tasks?single=true", "/services", "/why", "/cleanup", "/events"};
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(baits); i++) {
        char path[96];
        AUTO_FREE char *bait = bait_make(i);
        AUTO_FREE char *text = baited(spec, bait);
        AUTO_JSON_OBJECT struct json_object *created = NULL;
        if (client_call(world.client, "POST", "/v1/jobs", NULL, 0, text, &created) != 201)
            fail_msg("%s: %s", text, json_object_to_json_string(created));
        for (size_t part = 0; part < ARRAY_LEN(parts); part++) {
            snprintf(path, sizeof(path), "/v1/jobs/%s%s", json_text_at(created, "/id"), parts[part]);
            assert_int_equal(client_call(world.client, "GET", path, NULL, 0, NULL, NULL), 200);
        }
        snprintf(path, sizeof(path), "/v1/jobs/%s/stop", json_text_at(created, "/id"));
        assert_int_equal(client_call(world.client, "POST", path, NULL, 0, NULL, NULL), 200);
    }
    assert_nothing_was_opened();
}

// Bodies with a bait where an address is no value, or the field is none.
static void bodies_that_are_refused(void **state)
{
    static const char *const cases[][3] = {
        {"POST", "/v1/jobs", "{\"name\":\"@\",\"command\":[\"true\"]}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"command\":[\"true\"],\"bundle\":\"@\"}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"command\":[\"true\"],\"callback\":\"@\"}"},
        {"POST", "/v1/jobs",
         "{\"name\":\"a\",\"command\":[\"true\"],\"webhook_url\":\"@\",\"on_close\":{\"post\":\"@\"}}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"command\":[\"true\"],\"timeout\":\"@\"}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"command\":[\"true\"],\"queue\":\"@\"}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"command\":[\"true\"],\"tasks\":\"@\"}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"command\":[\"true\"],\"secrets\":[\"@\"]}"},
        {"POST", "/v1/jobs", "{\"$schema\":\"@\",\"$ref\":\"@\",\"name\":\"a\",\"command\":[\"true\"]}"},
        {"POST", "/v1/jobs", "{\"name\":\"a\",\"stages\":[{\"name\":\"a\",\"command\":[\"true\"],\"from\":\"@\"}]}"},
        {"POST", "/v1/jobs",
         "{\"name\":\"a\",\"command\":[\"true\"],\"services\":[{\"name\":\"s\",\"command\":[\"x\"],"
         "\"ports\":[{\"name\":\"p\"}],\"ready\":{\"http\":\"@\",\"port\":\"p\"}}]}"},
        {"POST", "/v1/jobs",
         "{\"name\":\"a\",\"command\":[\"true\"],\"services\":[{\"name\":\"s\",\"command\":[\"x\"],\"host\":\"@\"}]}"},
        {"POST", "/v1/jobs",
         "{\"name\":\"a\",\"command\":[\"true\"],\"services\":[{\"name\":\"s\",\"command\":[\"x\"],\"depends_on\":[\"@"
         "\"]}]}"},
        {"POST", "/v1/jobs", "\"@\""},
        {"POST", "/v1/jobs", "@"},
        {"POST", "/v1/jobs", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"@\">]><a>&b;</a>"},
        {"POST", "/v1/jobs/j0000000000001/stop", "{\"callback\":\"@\"}"},
        {"POST", "/v1/jobs/j0000000000001/extend", "{\"for\":\"@\"}"},
        {"POST", "/v1/tokens", "{\"name\":\"@\",\"role\":\"@\"}"},
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(baits); i++) {
        AUTO_FREE char *bait = bait_make(i);
        for (size_t j = 0; j < ARRAY_LEN(cases); j++) {
            AUTO_FREE char *body = baited(cases[j][2], bait);
            AUTO_JSON_OBJECT struct json_object *reply = NULL;
            int status = client_call(world.client, cases[j][0], cases[j][1], NULL, 0, body, &reply);
            bool is_path = *bait == '/' && strstr(body, "\"http\""); // what a service is asked for, by its worker
            if (status / 100 != 4 && !(is_path && status == 201))
                fail_msg("%s %s: %d %s", cases[j][1], body, status, json_object_to_json_string(reply));
        }
        AUTO_FREE char *image =
            baited("{\"name\":\"a\",\"command\":[\"x\"],\"runtime\":\"docker\",\"image\":\"@\"}", bait);
        assert_int_not_equal(client_call(world.client, "POST", "/v1/jobs", NULL, 0, image, NULL), 0);
    }
    assert_nothing_was_opened();
}

static void headers_and_queries(void **state)
{
    static const char *const names[] = {"Idempotency-Key",
                                        "traceparent",
                                        "tracestate",
                                        "X-Forwarded-For",
                                        "X-Forwarded-Host",
                                        "X-Forwarded-Proto",
                                        "Forwarded",
                                        "Via",
                                        "Referer",
                                        "From",
                                        "X-Original-URL",
                                        "X-Rewrite-URL",
                                        "X-Request-Id",
                                        "Host",
                                        "Origin",
                                        "Authorization",
                                        "Proxy-Authorization",
                                        "Cookie",
                                        "Accept",
                                        "Content-Location",
                                        "Last-Event-ID",
                                        "If-None-Match",
                                        "Link",
                                        "Upgrade",
                                        "Alt-Used"};
    static const char *const queries[] = {"/v1/jobs?name=", "/v1/jobs?label=", "/v1/jobs?cursor=", "/v1/jobs?callback=",
                                          "/v1/jobs/",      "/v1/bundles/",    "/v1/workers/"};
    UNUSED(state);
    for (size_t i = 0; i < TIMES * ARRAY_LEN(names); i++) {
        AUTO_FREE char *bait = bait_make(i % ARRAY_LEN(baits));
        const struct http_header header = {names[i % ARRAY_LEN(names)], bait};
        int status = client_call(world.client, "POST", "/v1/jobs", &header, 1,
                                 "{\"name\":\"a\",\"mode\":\"pull\",\"tasks\":{\"count\":1}}", NULL);
        if (status >= 500)
            fail_msg("%s: %s: %d", header.name, bait, status);
    }
    for (size_t i = 0; i < TIMES * ARRAY_LEN(queries); i++) {
        AUTO_FREE char *bait = bait_make(i % ARRAY_LEN(baits));
        AUTO_STRBUF struct strbuf path = STRBUF_INIT;
        strbuf_add_text(&path, queries[i % ARRAY_LEN(queries)]);
        http_escape(&path, bait);
        assert_true(client_call(world.client, "GET", strbuf_text(&path), NULL, 0, NULL, NULL) < 500);
    }
    assert_nothing_was_opened();
}

// What a proxy would take.
static void targets_of_proxies(void **state)
{
    static const char *const formats[] = {
        "GET @ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST @ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "CONNECT @ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/jobs HTTP/1.1\r\nHost: @\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 1\r\nVia: 1.1 @\r\n\r\n",
    };
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(baits); i++) {
        AUTO_FREE char *bait = bait_make(i);
        for (size_t j = 0; j < ARRAY_LEN(formats); j++) {
            AUTO_FREE char *request = baited(formats[j], bait);
            AUTO_STRBUF struct strbuf answer = STRBUF_INIT;
            int fd = raw_connect((uint16_t)manager_port());
            raw_send_text(fd, request);
            int status = raw_read_response(fd, &answer, 60000);
            close(fd);
            if (status < 200 || status >= 500)
                fail_msg("%s: %d", request, status);
        }
    }
    assert_nothing_was_opened();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_filter_kills_what_connects),
        cmocka_unit_test(specs_that_are_taken),
        cmocka_unit_test(bodies_that_are_refused),
        cmocka_unit_test(headers_and_queries),
        cmocka_unit_test(targets_of_proxies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
