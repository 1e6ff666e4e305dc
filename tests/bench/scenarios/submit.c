#include "tests/bench/scenarios/submit.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/strbuf.h"
#include "tests/bench/scenarios/world.h"
#include "tests/support/manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGE_HEAD "{\"name\":\"bench\",\"stages\":[{\"name\":\"main\",\"mode\":\"pull\",\"tasks\":"

static void submit_all(struct world *world, int jobs, const char *spec)
{
    for (int i = 0; i < jobs; i++)
        free(manager_submit(world->managers[0], spec));
}

void submit_counted(struct world *world, int jobs, int64_t tasks)
{
    char spec[256];
    snprintf(spec, sizeof spec, STAGE_HEAD "{\"count\":%lld}}]}", (long long)tasks);
    submit_all(world, jobs, spec);
}

void submit_items(struct world *world, int jobs, int64_t tasks)
{
    AUTO_STRBUF struct strbuf spec = STRBUF_INIT;
    strbuf_add_text(&spec, STAGE_HEAD "[");
    for (int64_t i = 0; i < tasks; i++)
        strbuf_add_format(&spec, "%s{\"item\":\"%021lld\"}", i > 0 ? "," : "", (long long)i);
    strbuf_add_text(&spec, "]}]}");
    submit_all(world, jobs, strbuf_text(&spec));
}

int small_job(char out[static SMALL_JOB_SIZE], int64_t number)
{
    return snprintf(out, SMALL_JOB_SIZE, STAGE_HEAD "[{\"item\":\"%021lld\"}]}]}", (long long)number);
}

int64_t small_job_number(const char *reply)
{
    static const char head[] = "{\"item\":\"";
    const char *at = strstr(reply, head);
    return at ? atoll(at + strlen(head)) : -1;
}
