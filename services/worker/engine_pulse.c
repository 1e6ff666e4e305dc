#include "services/worker/engine_pulse.h"

#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/loop.h"
#include "services/common/base/macros.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 3000
#define AGAIN_MS 1000

struct engine_pulse {
    struct docker_engine *engine;
    struct loop_timer *timer; // asks again
    struct http_async_call *call;
    int64_t until_ms; // nobody needs it after that
    int64_t asked_ms, since_ms;
    bool has_containerd; // it has named one
    struct err trouble;
};

static void on_timer(void *context);

int engine_pulse_new(struct loop *loop, struct docker_engine *engine, struct engine_pulse **out, struct err *err)
{
    struct engine_pulse *pulse = calloc(1, sizeof *pulse);
    if (!pulse)
        return err_set(err, ERR_NO_MEMORY, "no memory to watch an engine");
    pulse->engine = engine;
    if (loop_timer_add(loop, on_timer, pulse, &pulse->timer, err) < 0) {
        engine_pulse_free(pulse);
        return -1;
    }
    *out = pulse;
    return 0;
}

void engine_pulse_free(struct engine_pulse *pulse)
{
    if (!pulse)
        return;
    http_async_cancel(pulse->call);
    loop_timer_remove(pulse->timer);
    free(pulse);
}

static int read_answer(struct engine_pulse *pulse, const struct http_response *response, const struct err *failure,
                       struct err *err)
{
    if (!response)
        return err_set(err, ERR_UNAVAILABLE, "the container engine does not answer (%.120s)", failure->text);
    if (response->status != 200)
        return docker_engine_refused(response, "asking whether it works", err);
    int reaches = engine_reaches_read(strbuf_text(&response->body), response->body.length, err);
    if (reaches < 0)
        return -1;
    pulse->has_containerd |= reaches;
    if (!reaches && pulse->has_containerd)
        return err_set(err, ERR_UNAVAILABLE, "the container engine does not reach its containerd");
    return 0;
}

static void note(struct engine_pulse *pulse, const struct err *trouble)
{
    bool was_well = !pulse->trouble.text[0];
    if (trouble && was_well)
        log_event(LOG_WARN, "the container engine does not work", "error", trouble->text, NULL);
    else if (!trouble && !was_well)
        log_event(LOG_INFO, "the container engine works again", NULL);
    pulse->trouble = trouble ? *trouble : (struct err){0};
    if (trouble)
        pulse->since_ms = 0;
    else if (pulse->since_ms == 0)
        pulse->since_ms = pulse->asked_ms;
}

static void on_answer(void *context, struct http_response *response, const struct err *failure)
{
    struct engine_pulse *pulse = context;
    struct err err = {0};
    pulse->call = NULL;
    note(pulse, read_answer(pulse, response, failure, &err) < 0 ? &err : NULL);
    loop_timer_arm(pulse->timer, clock_boot_ms() + AGAIN_MS);
}

static void ask(struct engine_pulse *pulse)
{
    const struct http_call call = {.method = "GET", .path = "/version", .timeout_ms = ANSWER_MS};
    struct err err;
    pulse->asked_ms = clock_boot_ms();
    if (docker_engine_call(pulse->engine, &call, on_answer, pulse, &pulse->call, &err) == 0)
        return;
    note(pulse, &err);
    loop_timer_arm(pulse->timer, pulse->asked_ms + AGAIN_MS);
}

static void on_timer(void *context)
{
    struct engine_pulse *pulse = context;
    if (clock_boot_ms() < pulse->until_ms) {
        ask(pulse);
        return;
    }
    pulse->until_ms = pulse->since_ms = 0;
    pulse->trouble = (struct err){0};
}

void engine_pulse_need(struct engine_pulse *pulse, int64_t for_ms)
{
    int64_t until_ms = clock_boot_ms() + for_ms;
    bool asks = pulse->until_ms != 0;
    pulse->until_ms = MAX(pulse->until_ms, until_ms);
    if (!asks)
        ask(pulse);
}

void engine_pulse_expect_containerd(struct engine_pulse *pulse)
{
    pulse->has_containerd = true;
}

int64_t engine_pulse_since_ms(const struct engine_pulse *pulse)
{
    return pulse->since_ms;
}

bool engine_pulse_worked_since(const struct engine_pulse *pulse, int64_t boot_ms)
{
    return pulse->since_ms > 0 && pulse->since_ms <= boot_ms;
}

const char *engine_pulse_trouble(const struct engine_pulse *pulse)
{
    return pulse->trouble.text;
}
