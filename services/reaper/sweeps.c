#include "services/reaper/sweeps.h"

#include "services/common/base/macros.h"

static int run_deadlines(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    UNUSED(settings);
    return sweep_deadlines(sweep, err);
}

static int run_services(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    UNUSED(settings);
    return sweep_services(sweep, err);
}

static int run_retries(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    UNUSED(settings);
    return sweep_retries(sweep, err);
}

static int run_workers(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    return sweep_workers(sweep, settings->skew_ms, err);
}

static int run_leases(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    return sweep_leases(sweep, settings->skew_ms, err);
}

// It writes nothing, so finding something is no reason to run again at once.
static int run_verify(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    int found = sweep_verify(sweep, settings->patience_ms, err);
    return found > 0 ? 0 : found;
}

static int run_retention(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    return sweep_retention(sweep, settings->retention_ms, err);
}

static int run_bundles(const struct sweep *sweep, const struct reaper_settings *settings, struct err *err)
{
    return sweep_bundles(sweep, settings->bundle_retention_ms, err);
}

const struct sweep_entry sweep_table[] = {
    {"deadlines", 100, run_deadlines},   {"retries", 100, run_retries},   {"workers", 250, run_workers},
    {"leases", 500, run_leases},         {"verify", 1000, run_verify},    {"services", 5000, run_services},
    {"retention", 10000, run_retention}, {"bundles", 60000, run_bundles},
};
const size_t sweep_table_count = ARRAY_LEN(sweep_table);
