#include "services/reaper/settings.h"

#include "services/common/base/macros.h"

#define FIELD(name) offsetof(struct reaper_settings, name)
#define DAY_MS (24 * 3600 * INT64_C(1000))

static const struct config_setting settings[] = {
    {"database-url", CONFIG_TEXT, FIELD(database_url), NULL, 0, 0, true,
     "PostgreSQL, as a URI or as keywords and values."},
    {"engine", CONFIG_TEXT, FIELD(engine), NULL, 0, 0, false,
     "The container engine to watch: unix:/var/run/docker.sock, or http://host:port. It finishes there what lost "
     "workers "
     "have, and removes what nobody wants."},
    {"database-password", CONFIG_SECRET, FIELD(database_password), NULL, 0, 0, false,
     "File with the password for the database, where there is no passfile."},
    {"health-file", CONFIG_TEXT, FIELD(health_file), NULL, 0, 0, false,
     "File that says how long it is healthy, for `health`: it has asked the database who leads within the last term."},
    {"otlp-endpoint", CONFIG_TEXT, FIELD(otlp_endpoint), NULL, 0, 0, false,
     "OpenTelemetry collector that gets the traces of closed jobs, such as http://127.0.0.1:4318 (OTLP over HTTP, "
     "JSON)."},
    {"otlp-token", CONFIG_SECRET, FIELD(otlp_token), NULL, 0, 0, false,
     "File with a bearer token for the collector, if it wants one."},
    {"term", CONFIG_DURATION, FIELD(term_ms), "5s", 500, 60000, false,
     "How long a reaper leads without renewing; another one takes over at most so much later."},
    {"skew", CONFIG_DURATION, FIELD(skew_ms), "5s", 0, 600000, false,
     "How long after the end of its lease a worker is taken for lost: its own fence is over by then."},
    {"patience", CONFIG_DURATION, FIELD(patience_ms), "5s", 100, 600000, false,
     "How long a stop or a second look may go unanswered before its worker is asked again."},
    {"retention", CONFIG_DURATION, FIELD(retention_ms), "7d", 1000, 3650 * DAY_MS, false,
     "How long closed jobs stay, with their results, logs and certificates."},
    {"bundle-retention", CONFIG_DURATION, FIELD(bundle_retention_ms), "1d", 1000, 3650 * DAY_MS, false,
     "How long bundles stay that no job refers to."},
    {"limit", CONFIG_INTEGER, FIELD(limit), "500", 1, 10000, false,
     "How many rows a sweep changes in one transaction."},
    {"log-level", CONFIG_TEXT, FIELD(log_level), "info", 0, 0, false, "error, warn, info or debug."},
    {"log-format", CONFIG_TEXT, FIELD(log_format), "text", 0, 0, false, "text (key=value) or json."},
};

const struct config_table reaper_settings_table = {
    .program = "curfew-reaper",
    .synopsis = "Stops services once their jobs are over, takes back the work of lost workers, enforces deadlines. "
                "`health` asks the running one.",
    .arguments = "[health] [SETTINGS]",
    .settings = settings,
    .count = ARRAY_LEN(settings),
};
