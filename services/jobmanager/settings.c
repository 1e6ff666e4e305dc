#include "services/jobmanager/settings.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define AT(member) offsetof(struct settings, member)

static const struct config_setting settings[] = {
    {"listen", CONFIG_TEXT, AT(listen), "127.0.0.1:19001", 0, 0, false,
     "Address and port, \"[::1]:19001\" or \"unix:/path\"; other than loopback needs an admin's token."},
    {"database-url", CONFIG_TEXT, AT(database_url), NULL, 0, 0, true,
     "PostgreSQL, as a URI or keywords; a password belongs into a file."},
    {"database-password", CONFIG_SECRET, AT(database_password), NULL, 0, 0, false,
     "File with the password for the database, where there is no passfile."},
    {"token", CONFIG_SECRET, AT(token), NULL, 0, 0, false,
     "File with a token of role admin. With it, or as soon as another was made, calls need a token."},
    {"tls-cert-file", CONFIG_TEXT, AT(tls_cert_file), NULL, 0, 0, false,
     "Certificate in PEM, with those that lead to its root behind it: with it the manager speaks TLS only."},
    {"tls-key-file", CONFIG_TEXT, AT(tls_key_file), NULL, 0, 0, false,
     "Key of the certificate in PEM. Both are read again when they change, and at SIGHUP."},
    {"port-file", CONFIG_TEXT, AT(port_file), NULL, 0, 0, false,
     "File to write the port into once it listens, for port 0."},
    {"lanes", CONFIG_INTEGER, AT(lanes), "1", 1, 16, false,
     "Database connections for polls and reports, beside one for submissions; each commits for many requests at once."},
    {"pool-threads", CONFIG_INTEGER, AT(pool_threads), "4", 1, 64, false,
     "Database connections for all other calls, beside one for `/readyz`."},
    {"http-threads", CONFIG_INTEGER, AT(http_threads), "0", 0, 64, false, "Threads that speak HTTP; 0: one per core."},
    {"lane-batch", CONFIG_INTEGER, AT(lane_batch), "512", 1, 10000, false,
     "Most requests in one transaction of a lane."},
    {"queue-limit", CONFIG_INTEGER, AT(queue_limit), "20000", 1, 1000000, false,
     "Submissions that wait for a lane, as many calls of workers, and as many others; above it 503 with Retry-After."},
    {"queue-wait", CONFIG_DURATION, AT(queue_wait_ms), "10s", 100, 600000, false,
     "How long a request waits for a lane or the pool at most; then 503."},
    {"worker-lease", CONFIG_DURATION, AT(worker_lease_ms), "30s", 1000, 3600000, false,
     "How long a worker that is not heard of keeps its tasks."},
    {"worker-poll", CONFIG_DURATION, AT(poll_ms), "5s", 100, 60000, false,
     "How long a worker's poll waits at most, so how often it is heard of."},
    {"worker-fence", CONFIG_DURATION, AT(fence_ms), "20s", 500, 3600000, false,
     "After how long without an answer a worker ends everything that it runs."},
    {"worker-skew", CONFIG_DURATION, AT(skew_ms), "5s", 0, 600000, false,
     "Allowance between a worker's fence and the end of its lease."},
    {"log-limit", CONFIG_SIZE, AT(log_limit_bytes), "64Mi", 1024, INT64_MAX / 2, false,
     "Bytes of log that are kept for a job; what comes after is dropped, and it says so."},
    {"event-limit", CONFIG_INTEGER, AT(event_limit), "10000", 100, 1000000, false, "Events that are kept for a job."},
    {"trace-tasks", CONFIG_INTEGER, AT(trace_tasks), "0", 0, 100000, false,
     "Of how many tasks of each stage, evenly over all of it, it is kept when they ran, for the export of traces."},
    {"submit-rate", CONFIG_INTEGER, AT(submit_rate), "0", 0, 1000000, false,
     "Jobs a second that one token may submit here, and as many at once; above it 429 with Retry-After. 0: no limit."},
    {"token-max-jobs", CONFIG_INTEGER, AT(limits.of[QUOTA_JOBS]), "0", 0, QUOTA_MAX, false,
     "Open jobs of a token that has no limit of its own; above it 429. 0: no limit, as for the next three."},
    {"token-max-tasks", CONFIG_INTEGER, AT(limits.of[QUOTA_TASKS]), "0", 0, QUOTA_MAX, false,
     "Tasks of a token's open jobs; above it 429, 413 for a job that is too large alone."},
    {"token-max-services", CONFIG_INTEGER, AT(limits.of[QUOTA_SERVICES]), "0", 0, QUOTA_MAX, false,
     "Services that a token's open jobs declare; above it 429 or 413."},
    {"token-max-log-bytes", CONFIG_SIZE, AT(limits.of[QUOTA_LOG_BYTES]), "0", 0, QUOTA_MAX, false,
     "Bytes of log of all jobs of a token that are kept; from there on it submits no more, 429."},
    {"submit-limit", CONFIG_SIZE, AT(submit_body_bytes), "16Mi", 1024, 16777216, false, "Bytes of a submitted job."},
    {"body-memory", CONFIG_SIZE, AT(body_memory_bytes), "256Mi", 1048576, INT64_MAX / 2, false,
     "Bytes that bodies of requests hold in memory together, beyond 64Ki of each; above it 503 with Retry-After."},
    {"bundle-limit", CONFIG_SIZE, AT(bundle_bytes), "64Mi", 1024, 67108864, false, "Bytes of a bundle."},
    {"max-connections", CONFIG_INTEGER, AT(max_connections), "16384", 8, 1000000, false,
     "HTTP connections; above it 503."},
    {"leak-after", CONFIG_DURATION, AT(leak_after_ms), "60s", 1000, 86400000, false,
     "A service that should be gone for so long is listed as a leak."},
    {"stream-heartbeat", CONFIG_DURATION, AT(stream_heartbeat_ms), "15s", 50, 3600000, false,
     "How often a stream of server-sent events that has nothing to tell says that it is there."},
    {"drain", CONFIG_DURATION, AT(drain_ms), "10s", 0, 600000, false,
     "After SIGTERM: how long requests may take to end."},
    {"wait-database", CONFIG_DURATION, AT(wait_database_ms), "30s", 0, 3600000, false,
     "How long the start waits for the database."},
    {"spool-dir", CONFIG_TEXT, AT(spool_directory), "/tmp", 0, 0, false, "Directory for bundles while they arrive."},
    {"log-level", CONFIG_TEXT, AT(log_level), "info", 0, 0, false, "error, warn, info or debug."},
    {"log-format", CONFIG_TEXT, AT(log_format), "text", 0, 0, false, "text (key=value) or json."},
};

const struct config_table settings_table = {
    .program = "curfew-jobmanager",
    .synopsis = "The HTTP API over PostgreSQL, its schema, and a health check.",
    .arguments = "serve|migrate|health [SETTINGS]",
    .settings = settings,
    .count = ARRAY_LEN(settings),
};

// True when `host` is a numeric address; *loopback says whether only this machine reaches it.
static bool host_check(const char *host, bool *loopback)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        *loopback = ntohl(v4.s_addr) >> 24 == 127;
        return true;
    }
    *loopback = inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return inet_pton(AF_INET6, host, &v6) == 1;
}

// "HOST:PORT", "[V6]:PORT", "unix:/path"
static int listen_parse(struct settings *out, struct err *err)
{
    const char *text = out->listen;
    if (strncmp(text, "unix:", 5) == 0) {
        out->loopback = true;
        out->address = strdup(text);
        return out->address ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for the address");
    }
    const char *colon = strrchr(text, ':');
    if (!colon)
        return err_set(err, ERR_INVALID, "setting listen: '%s' has no port", text);
    bool brackets = *text == '[' && colon > text && colon[-1] == ']';
    out->address = strndup(text + brackets, (size_t)(colon - text) - 2 * brackets);
    if (!out->address)
        return err_set(err, ERR_NO_MEMORY, "no memory for the address");
    int64_t port;
    if (parse_i64(colon + 1, 0, 65535, "setting listen: port", &port, err) < 0)
        return -1;
    out->port = (uint16_t)port;
    if (!host_check(out->address, &out->loopback))
        return err_set(err, ERR_INVALID, "setting listen: '%s' is not a numeric address", out->address);
    return 0;
}

// A worker must have ended its tasks before its lease is over for everybody else.
static int lease_check(const struct settings *out, struct err *err)
{
    if (out->fence_ms + out->skew_ms >= out->worker_lease_ms)
        return err_set(err, ERR_INVALID, "worker-fence and worker-skew together must be less than worker-lease");
    if (out->poll_ms * 2 > out->fence_ms)
        return err_set(err, ERR_INVALID, "worker-poll must be at most half of worker-fence");
    return 0;
}

static int tls_check(const struct settings *out, struct err *err)
{
    if (!out->tls_cert_file != !out->tls_key_file)
        return err_set(err, ERR_INVALID, "tls-cert-file and tls-key-file go together: one is missing");
    return 0;
}

int settings_load(int argc, char **argv, struct settings *out, struct err *err)
{
    int outcome = config_load(&settings_table, argc, argv, out, NULL, err);
    if (outcome != 0)
        return outcome;
    if (listen_parse(out, err) < 0 || log_setup("curfew-jobmanager", out->log_level, out->log_format, err) < 0 ||
        lease_check(out, err) < 0 || tls_check(out, err) < 0)
        return -1;
    return 0;
}

void settings_release(struct settings *out)
{
    free(out->address);
    out->address = NULL;
    config_release(&settings_table, out);
}
