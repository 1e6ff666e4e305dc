// The settings of the job manager: one table, from which --help and docs/reference/config.md are printed.
#pragma once

#include "services/common/base/config.h"
#include "services/common/base/err.h"
#include "services/common/base/log.h"
#include "services/common/model/quota.h"

#include <stdbool.h>
#include <stdint.h>

struct settings {
    char *listen; // as given
    char *database_url;
    char *database_password; // NULL: from a passfile, or none
    char *token;             // NULL: none
    char *port_file;
    char *tls_cert_file, *tls_key_file; // both or none
    char *spool_directory;
    char *log_level, *log_format;
    int64_t lanes, pool_threads, http_threads;
    int64_t lane_batch, queue_limit, queue_wait_ms;
    int64_t worker_lease_ms, poll_ms, fence_ms, skew_ms;
    int64_t log_limit_bytes, event_limit, trace_tasks;
    int64_t submit_rate, submit_body_bytes, body_memory_bytes, bundle_bytes, max_connections;
    struct quota limits; // of a token
    int64_t leak_after_ms, stream_heartbeat_ms, drain_ms, wait_database_ms;
    // derived by settings_load
    char *address; // numeric, or "unix:/path"
    uint16_t port;
    bool loopback;
};

extern const struct config_table settings_table;

// Outcomes: those of config_load (1: print nothing more and exit with 0). Checks what one setting alone cannot,
// ERR_INVALID names it, and sets up the log.
int settings_load(int argc, char **argv, struct settings *out, struct err *err) WARN_UNUSED;
void settings_release(struct settings *settings);
#define AUTO_SETTINGS CLEANUP(settings_release)
