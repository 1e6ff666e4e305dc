// How often each token may submit (the first of its name and namespace for all of those): so many jobs a second at this
// manager, and as many at once after a quiet second.
// Thread-safe; a look takes no memory and waits for nothing but a short lock.
#pragma once

#include "services/common/base/err.h"

#include <stdint.h>

struct rates;

// `per_second` 0: as often as it likes.
int rates_new(int64_t per_second, struct rates **out, struct err *err) WARN_UNUSED;
void rates_free(struct rates *rates); // takes NULL

// Takes one for this token, any number but 0. 0: it may. Else: not before so many microseconds are over, and nothing
// was taken.
int64_t rates_take(struct rates *rates, int64_t token, int64_t now_us);
