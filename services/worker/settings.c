#include "services/worker/settings.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "services/common/model/job_spec.h"
#include "services/common/model/spec_text.h"

#include <stdio.h>
#include <string.h>

#define FIELD(field) offsetof(struct worker_settings, field)
#define HOUR_MS (3600 * INT64_C(1000))

static const struct config_setting settings[] = {
    {"server", CONFIG_TEXT, FIELD(server), "http://127.0.0.1:19001", 0, 0, false, "URL of the job manager."},
    {"ca-file", CONFIG_TEXT, FIELD(ca_file), NULL, 0, 0, false,
     "Certificates in PEM that a manager at https:// is trusted by; the system's otherwise."},
    {"name", CONFIG_TEXT, FIELD(name), NULL, 0, 0, false,
     "Name of this worker, unique among all; the host's name when it is not given."},
    {"advertise", CONFIG_TEXT, FIELD(advertise), "127.0.0.1", 0, 0, false,
     "Address under which other workers reach the services that run here."},
    {"slots", CONFIG_INTEGER, FIELD(slots), "0", 0, 4096, false,
     "How many tasks run at once; 0 is as many as there are processors."},
    {"max-services", CONFIG_INTEGER, FIELD(max_services), "32", 0, 4096, false, "How many services run here at once."},
    {"queues", CONFIG_TEXT, FIELD(queues), "default", 0, 0, false, "Queues whose tasks it runs, separated by commas."},
    {"labels", CONFIG_TEXT, FIELD(labels), "", 0, 0, false, "Labels that jobs can ask for, as name=value,name=value."},
    {"state-dir", CONFIG_TEXT, FIELD(state_directory), NULL, 0, 0, true,
     "Directory of its own: working directories, bundles, and the records of what it has started."},
    {"secrets-dir", CONFIG_TEXT, FIELD(secrets_directory), NULL, 0, 0, false,
     "Directory with a file for each secret that jobs may name."},
    {"engine", CONFIG_TEXT, FIELD(engine), NULL, 0, 0, false,
     "Container engine for what has an image: unix:/var/run/docker.sock, or http://HOST:PORT. Without it, processes "
     "only."},
    {"engine-address", CONFIG_TEXT, FIELD(engine_address), NULL, 0, 0, false,
     "Address of the engine's machine at which ports of containers are published, and reached; advertise otherwise."},
    {"image-timeout", CONFIG_DURATION, FIELD(image_timeout_ms), "10m", 1000, 24 * HOUR_MS, false,
     "How long the pull of an image may take."},
    {"shim", CONFIG_TEXT, FIELD(shim), NULL, 0, 0, false,
     "Path of curfew-shim; the one beside this program otherwise."},
    {"token", CONFIG_SECRET, FIELD(token), NULL, 0, 0, false, "Bearer token for the job manager."},
    {"drain-timeout", CONFIG_DURATION, FIELD(drain_timeout_ms), "20s", 0, 24 * HOUR_MS, false,
     "How long what runs may go on after SIGTERM before it is ended."},
    {"stuck-after", CONFIG_DURATION, FIELD(stuck_after_ms), "30s", 100, HOUR_MS, false,
     "How long after a SIGKILL that was carried out a service that is still there is reported as stuck."},
    {"log-head", CONFIG_SIZE, FIELD(log_head_bytes), "1Mi", 1024, INT64_C(1) << 30, false,
     "How much of the log of each task and service is shipped from its beginning; of the rest, the end is."},
    {"log-level", CONFIG_TEXT, FIELD(log_level), "info", 0, 0, false, "error, warn, info or debug."},
    {"log-format", CONFIG_TEXT, FIELD(log_format), "text", 0, 0, false, "text (key=value) or json."},
};

const struct config_table worker_settings_table = {
    .program = "curfew-worker",
    .synopsis =
        "Pulls tasks and services from a job manager and runs them on this machine. `health` asks the running one.",
    .arguments = "[health] [SETTINGS]",
    .settings = settings,
    .count = ARRAY_LEN(settings),
};

// Calls `add` for each part between commas; empty parts are left out.
static int each_part(const char *text, int (*add)(struct strbuf *out, const char *part, struct err *err),
                     struct strbuf *out, struct err *err)
{
    AUTO_FREE char *copy = strdup(text);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "no memory for settings");
    char *rest = copy;
    for (char *part = strsep(&rest, ","); part; part = strsep(&rest, ",")) {
        if (*part == '\0')
            continue;
        if (out->length > 1)
            strbuf_add_char(out, ',');
        if (add(out, part, err) < 0)
            return -1;
    }
    return 0;
}

static int add_queue(struct strbuf *out, const char *part, struct err *err)
{
    char quoted[SPEC_NAME_MAX + 3];
    if (spec_name_problem(part) || strlen(part) > SPEC_NAME_MAX)
        return err_set(err, ERR_INVALID, "queues: '%.80s' is not the name of a queue", part);
    snprintf(quoted, sizeof(quoted), "\"%s\"", part);
    if (strstr(strbuf_text(out), quoted))
        return err_set(err, ERR_INVALID, "queues: '%s' stands there twice", part);
    strbuf_add_text(out, quoted);
    return 0;
}

static int add_label(struct strbuf *out, const char *part, struct err *err)
{
    const char *equals = strchr(part, '=');
    if (!equals || equals == part)
        return err_set(err, ERR_INVALID, "labels: '%.80s' is not name=value", part);
    strbuf_add_json(out, part, (size_t)(equals - part));
    strbuf_add_char(out, ':');
    strbuf_add_json(out, equals + 1, strlen(equals + 1));
    return 0;
}

int settings_queues_json(const char *text, char **out, struct err *err)
{
    AUTO_STRBUF struct strbuf json = STRBUF_INIT;
    strbuf_add_char(&json, '[');
    if (each_part(text, add_queue, &json, err) < 0)
        return -1;
    strbuf_add_char(&json, ']');
    return strbuf_take(&json, out, err);
}

int settings_labels_json(const char *text, char **out, struct err *err)
{
    AUTO_STRBUF struct strbuf json = STRBUF_INIT;
    strbuf_add_char(&json, '{');
    if (each_part(text, add_label, &json, err) < 0)
        return -1;
    strbuf_add_char(&json, '}');
    return strbuf_take(&json, out, err);
}
