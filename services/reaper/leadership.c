#include "services/reaper/leadership.h"

#include "services/common/base/clock.h"
#include "services/common/base/id.h"
#include "services/common/store/reaper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int leadership_init(struct leadership *leadership, const char *name, int64_t term_ms, struct err *err)
{
    *leadership = (struct leadership){.name = name, .term_ms = term_ms};
    char host[64] = "";
    uint64_t nonce;
    if (random_bytes(&nonce, sizeof nonce, err) < 0)
        return -1;
    gethostname(host, sizeof host - 1);
    snprintf(leadership->holder, sizeof leadership->holder, "%s:%ld:%016" PRIx64, host, (long)getpid(), nonce);
    return 0;
}

bool leadership_holds(const struct leadership *leadership)
{
    return clock_boot_ms() < leadership->trusted_until_ms;
}

// How long after a renewal it is trusted.
static int64_t trust_ms(const struct leadership *leadership)
{
    return leadership->term_ms * 4 / 5;
}

int leadership_renew(struct leadership *leadership, struct db *db, struct err *err)
{
    bool led = leadership_holds(leadership);
    int64_t asked_at_ms = clock_boot_ms();
    int outcome =
        leader_acquire(db, leadership->name, leadership->holder, leadership->term_ms, &leadership->epoch, err);
    if (outcome < 0)
        return -1;
    if (outcome == LEADER_OTHER) {
        leadership_drop(leadership);
        return led ? LEADERSHIP_LOST : LEADERSHIP_SAME;
    }
    leadership->trusted_until_ms = asked_at_ms + trust_ms(leadership);
    return led ? LEADERSHIP_SAME : LEADERSHIP_GAINED;
}

int leadership_keep(struct leadership *leadership, struct db *db, struct err *err)
{
    int64_t renewed_at_ms = leadership->trusted_until_ms - trust_ms(leadership);
    if (!leadership_holds(leadership) || clock_boot_ms() < renewed_at_ms + leadership->term_ms / 3)
        return LEADERSHIP_SAME;
    return leadership_renew(leadership, db, err);
}

void leadership_drop(struct leadership *leadership)
{
    leadership->trusted_until_ms = 0;
}

void leadership_give_up(struct leadership *leadership, struct db *db)
{
    struct err err;
    if (leadership->epoch != 0 && leader_release(db, leadership->name, leadership->epoch, &err) < 0)
        leadership->epoch = 0; // the term ends it
    leadership_drop(leadership);
}
