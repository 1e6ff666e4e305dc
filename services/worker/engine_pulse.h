// Whether a container engine works, asked again and again for as long as somebody needs to know.
//
// An engine can answer and do nothing: dockerd without its containerd, or with one that hangs, lists and inspects as
// ever, and neither runs nor kills anything. Asked for its version it names its containerd when that answers. An engine
// that has never named one has none, and works when it answers. Single-threaded, on the loop; calls nobody.
#pragma once

#include "services/worker/docker_engine.h"

#include <stdbool.h>
#include <stdint.h>

struct engine_pulse;

int engine_pulse_new(struct loop *loop, struct docker_engine *engine, struct engine_pulse **out,
                     struct err *err) WARN_UNUSED;
void engine_pulse_free(struct engine_pulse *pulse); // takes NULL; before its engine
// It is asked at once, if it is not being asked already, and then every second, for at least so long from now on.
void engine_pulse_need(struct engine_pulse *pulse, int64_t for_ms);
// It has spoken of its containerd: from now on it works only when it names it.
void engine_pulse_expect_containerd(struct engine_pulse *pulse);
// Since when it works without a break that has been seen, clock_boot_ms(). 0: it does not, or that is not known, as in
// the beginning and when nobody has needed it for a while.
int64_t engine_pulse_since_ms(const struct engine_pulse *pulse);
// Whether it is known to work since that moment or longer.
bool engine_pulse_worked_since(const struct engine_pulse *pulse, int64_t boot_ms);
// What is wrong with it, for people; "" when nothing is known to be.
const char *engine_pulse_trouble(const struct engine_pulse *pulse);
