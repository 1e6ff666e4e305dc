#include "services/common/engine/create.h"

#include "services/common/model/engine_labels.h"

#include <stdio.h>
#include <string.h>

#define PROCESSES_DEFAULT 4096
#define LOG_MAX_SIZE "64m" // of what the engine keeps of a container's output, on its disk

// ---- members

static void add_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_add_format(out, "\"%s\":", name);
    strbuf_add_json(out, text, strlen(text));
}

static void add_texts(struct strbuf *out, const char *name, const char *const *texts)
{
    strbuf_add_format(out, ",\"%s\":[", name);
    for (size_t i = 0; texts[i]; i++) {
        if (i > 0)
            strbuf_add_char(out, ',');
        strbuf_add_json(out, texts[i], strlen(texts[i]));
    }
    strbuf_add_char(out, ']');
}

static void add_label(struct strbuf *out, const char *name, const char *value)
{
    if (!value)
        return;
    strbuf_add_char(out, ',');
    add_text(out, name, value);
}

static void add_port_label(const struct engine_create *create, struct strbuf *out)
{
    if (create->port_count == 0)
        return;
    strbuf_add_text(out, ",\"" ENGINE_LABEL_PORTS "\":\"");
    for (size_t i = 0; i < create->port_count; i++)
        strbuf_add_format(out, "%s%s=%d", i > 0 ? "," : "", create->ports[i].name, create->ports[i].container);
    strbuf_add_char(out, '"');
}

static void add_labels(const struct engine_create *create, struct strbuf *out)
{
    strbuf_add_text(out, ",\"Labels\":{");
    add_text(out, ENGINE_LABEL_DEPLOYMENT, create->deployment);
    add_label(out, ENGINE_LABEL_JOB, create->job);
    add_label(out, ENGINE_LABEL_IDENTITY, create->identity);
    add_label(out, ENGINE_LABEL_WORKER, create->worker);
    add_label(out, ENGINE_LABEL_OWNER, create->owner);
    add_label(out, ENGINE_LABEL_SERVICE, create->service);
    add_label(out, ENGINE_LABEL_EPOCH, create->epoch);
    add_label(out, ENGINE_LABEL_OUTPUT, create->output);
    add_port_label(create, out);
    strbuf_add_char(out, '}');
}

// ---- the host's side

static void add_limits(const struct engine_create *create, struct strbuf *out)
{
    if (create->memory_bytes > 0) // no swap beyond it
        strbuf_add_format(out, ",\"Memory\":%lld,\"MemorySwap\":%lld", (long long)create->memory_bytes,
                          (long long)create->memory_bytes);
    if (create->cpu_millis > 0)
        strbuf_add_format(out, ",\"NanoCpus\":%lld", (long long)create->cpu_millis * 1000000);
    strbuf_add_format(out, ",\"PidsLimit\":%lld",
                      (long long)(create->processes > 0 ? create->processes : PROCESSES_DEFAULT));
    if (create->open_files > 0)
        strbuf_add_format(out, ",\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":%lld,\"Hard\":%lld}]",
                          (long long)create->open_files, (long long)create->open_files);
}

static void add_bindings(const struct engine_create *create, struct strbuf *out)
{
    strbuf_add_text(out, ",\"PortBindings\":{");
    for (size_t i = 0; i < create->port_count; i++) {
        strbuf_add_format(out, "%s\"%d/tcp\":[{", i > 0 ? "," : "", create->ports[i].container);
        add_text(out, "HostIp", create->publish_address);
        strbuf_add_text(out, ",\"HostPort\":\"\"}]");
    }
    strbuf_add_char(out, '}');
}

static void add_host_config(const struct engine_create *create, struct strbuf *out)
{
    strbuf_add_text(out, ",\"HostConfig\":{\"Init\":true,\"AutoRemove\":false,\"RestartPolicy\":{\"Name\":\"no\"},"
                         "\"CapDrop\":[\"ALL\"],\"SecurityOpt\":[\"no-new-privileges\"],"
                         "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"" LOG_MAX_SIZE "\"}},");
    add_text(out, "NetworkMode", create->network);
    add_limits(create, out);
    add_bindings(create, out);
    strbuf_add_char(out, '}');
}

static void add_networking(const struct engine_create *create, struct strbuf *out)
{
    strbuf_add_text(out, ",\"NetworkingConfig\":{\"EndpointsConfig\":{");
    strbuf_add_json(out, create->network, strlen(create->network));
    strbuf_add_text(out, ":{\"Aliases\":[");
    strbuf_add_json(out, create->alias, strlen(create->alias));
    strbuf_add_text(out, "]}}}");
}

// ---- bodies

void engine_create_write(const struct engine_create *create, struct strbuf *out)
{
    const char *has_stdin = create->has_stdin ? "true" : "false";
    strbuf_add_char(out, '{');
    add_text(out, "Image", create->image);
    if (create->argv[0]) {
        add_texts(out, "Entrypoint", create->argv);
        strbuf_add_text(out, ",\"Cmd\":[]");
    }
    add_texts(out, "Env", create->env);
    strbuf_add_char(out, ',');
    add_text(out, "WorkingDir", create->directory);
    strbuf_add_format(out,
                      ",\"Tty\":false,\"OpenStdin\":%s,\"StdinOnce\":%s,\"AttachStdin\":%s,\"AttachStdout\":true,"
                      "\"AttachStderr\":true,",
                      has_stdin, has_stdin, has_stdin);
    add_text(out, "StopSignal", create->stop_signal);
    strbuf_add_format(out, ",\"StopTimeout\":%lld,\"Healthcheck\":{\"Test\":[\"NONE\"]},\"ExposedPorts\":{",
                      (long long)((create->stop_grace_ms + 999) / 1000));
    for (size_t i = 0; i < create->port_count; i++)
        strbuf_add_format(out, "%s\"%d/tcp\":{}", i > 0 ? "," : "", create->ports[i].container);
    strbuf_add_char(out, '}');
    add_labels(create, out);
    add_host_config(create, out);
    add_networking(create, out);
    strbuf_add_char(out, '}');
}

void engine_network_write(const char *name, const char *deployment, const char *job, struct strbuf *out)
{
    strbuf_add_char(out, '{');
    add_text(out, "Name", name);
    strbuf_add_text(out, ",\"CheckDuplicate\":true,\"Driver\":\"bridge\",\"Labels\":{");
    add_text(out, ENGINE_LABEL_DEPLOYMENT, deployment);
    add_label(out, ENGINE_LABEL_JOB, job);
    strbuf_add_text(out, "}}");
}

// ---- names

void engine_container_name(const char *deployment, const char *identity, char out[static ENGINE_NAME_SIZE])
{
    int length = snprintf(out, ENGINE_NAME_SIZE, "curfew-%.60s-", deployment);
    snprintf(out + length, ENGINE_NAME_SIZE - (size_t)length, "%.250s", identity);
    for (char *at = out + length; *at; at++)
        if (*at == '/')
            *at = '.';
}

void engine_network_name(const char *deployment, const char *job, char out[static ENGINE_NAME_SIZE])
{
    snprintf(out, ENGINE_NAME_SIZE, "curfew-%.60s-%.200s", deployment, job);
}
