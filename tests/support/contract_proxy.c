#include "tests/support/contract_proxy.h"

#include "services/common/base/fd.h"
#include "tests/support/die.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 60000

struct contract_proxy {
    struct process *process;
    char *directory;
    char url_file[128], url[64];
};

static bool url_known(void *context)
{
    struct contract_proxy *proxy = context;
    AUTO_FREE char *text = NULL;
    size_t length;
    if (!process_is_running(proxy->process))
        die("the proxy ended: %s", process_stderr(proxy->process));
    if (file_read(proxy->url_file, sizeof(proxy->url) - 1, &text, &length, NULL) < 0)
        return false;
    snprintf(proxy->url, sizeof(proxy->url), "%s", text);
    return true;
}

struct contract_proxy *contract_proxy_start(const char *url)
{
    char program[256];
    struct contract_proxy *proxy = calloc(1, sizeof(*proxy));
    if (!proxy)
        die("out of memory");
    proxy->directory = temp_dir_new();
    snprintf(program, sizeof(program), "%s/tests/fixtures/contract_proxy", build_dir());
    snprintf(proxy->url_file, sizeof(proxy->url_file), "%s/url", proxy->directory);
    proxy->process = process_start((const char *const[]){program, url, proxy->url_file, NULL}, NULL);
    if (!wait_until(url_known, proxy, PATIENCE_MS))
        die("the proxy does not listen: %s", process_stderr(proxy->process));
    return proxy;
}

const char *contract_proxy_url(const struct contract_proxy *proxy)
{
    return proxy->url;
}

const char *contract_proxy_complaint(struct contract_proxy *proxy)
{
    return process_stderr(proxy->process);
}

size_t contract_proxy_end(struct contract_proxy *proxy)
{
    if (!proxy)
        return 0;
    process_signal(proxy->process, SIGTERM);
    int status = process_wait(proxy->process, PATIENCE_MS);
    if (status != 0)
        die("what a program was told (%d):\n%s", status, process_stderr(proxy->process));
    size_t count = strtoul(process_stdout(proxy->process), NULL, 10);
    process_free(proxy->process);
    temp_dir_free(proxy->directory);
    free(proxy);
    return count;
}
