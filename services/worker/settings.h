// The worker's settings.
#pragma once

#include "services/common/base/config.h"

#include <stdint.h>

struct worker_settings {
    char *server;
    char *ca_file; // NULL: the system's
    char *name;    // NULL: the host's name
    char *advertise;
    int64_t slots; // 0: as many as processors
    int64_t max_services;
    char *queues;
    char *labels;
    char *state_directory;
    char *secrets_directory;
    char *engine;         // NULL: none
    char *engine_address; // NULL: advertise
    int64_t image_timeout_ms;
    char *shim; // NULL: curfew-shim beside this program
    char *token;
    int64_t drain_timeout_ms;
    int64_t stuck_after_ms;
    int64_t log_head_bytes;
    char *log_level;
    char *log_format;
};

extern const struct config_table worker_settings_table;

// "a,b" as a JSON array of texts, "a=1,b=2" as a JSON object of texts. Freed with free(). ERR_INVALID names the part.
int settings_queues_json(const char *text, char **out, struct err *err) WARN_UNUSED;
int settings_labels_json(const char *text, char **out, struct err *err) WARN_UNUSED;
