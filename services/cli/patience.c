#include "services/cli/patience.h"

#include "services/common/base/clock.h"

#include <poll.h>
#include <stdio.h>

#define AWAY_MAX_MS 120000

static bool may_pass(const struct err *err)
{
    return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_IO || err->code == ERR_LIMIT;
}

struct patience patience_new(bool is_known)
{
    return (struct patience){.backoff = {.base_ms = 100, .max_ms = 2000}, .is_known = is_known};
}

void patience_answered(struct patience *patience)
{
    patience->is_known = true;
    patience->away_since_ms = 0;
}

void patience_restored(struct patience *patience)
{
    patience_answered(patience);
    patience->said_away = false;
    backoff_reset(&patience->backoff);
}

bool patience_wait(struct patience *patience, const struct err *err)
{
    int64_t now_ms = clock_boot_ms();
    if (patience->away_since_ms == 0)
        patience->away_since_ms = now_ms;
    if (!may_pass(err) || !patience->is_known || now_ms - patience->away_since_ms > AWAY_MAX_MS)
        return false;
    if (!patience->said_away)
        fprintf(stderr, "curfew: %s; trying again\n", err->text);
    patience->said_away = true;
    poll(NULL, 0, (int)backoff_next_ms(&patience->backoff));
    return true;
}
