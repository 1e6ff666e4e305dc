// The reaper's settings.
#pragma once

#include "services/common/base/config.h"

#include <stdint.h>

struct reaper_settings {
    char *database_url;
    char *engine;            // NULL: none
    char *database_password; // NULL: from a passfile, or none
    char *health_file;       // NULL: none
    char *otlp_endpoint;     // NULL: traces are not exported
    char *otlp_token;        // NULL: none
    int64_t term_ms;
    int64_t skew_ms;
    int64_t patience_ms;
    int64_t retention_ms;
    int64_t bundle_retention_ms;
    int64_t limit;
    char *log_level;
    char *log_format;
};

extern const struct config_table reaper_settings_table;
