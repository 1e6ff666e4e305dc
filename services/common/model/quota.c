#include "services/common/model/quota.h"

static const struct {
    const char *name, *of;
} kinds[] = {
    [QUOTA_JOBS] = {"max_jobs", "open jobs"},
    [QUOTA_TASKS] = {"max_tasks", "tasks in open jobs"},
    [QUOTA_SERVICES] = {"max_services", "services in open jobs"},
    [QUOTA_LOG_BYTES] = {"max_log_bytes", "bytes of log"},
};

const char *quota_name(enum quota_kind kind)
{
    return kinds[kind].name;
}

bool quota_has_limits(const struct quota *limits)
{
    for (int kind = 0; limits && kind < QUOTA_KINDS; kind++)
        if (limits->of[kind] > 0)
            return true;
    return false;
}

static int check_one(const struct quota_holder *holder, enum quota_kind kind, int64_t used, int64_t wanted,
                     struct err *err)
{
    int64_t limit = holder->limits->of[kind];
    if (limit <= 0 || wanted <= 0 || used <= limit - wanted)
        return 0;
    if (wanted > limit)
        return err_set(err, ERR_TOO_LARGE, "token '%s' may have %lld %s (%s), and this job alone has %lld",
                       holder->name, (long long)limit, kinds[kind].of, kinds[kind].name, (long long)wanted);
    return err_set(err, ERR_LIMIT, "token '%s' may have %lld %s (%s), and has %lld", holder->name, (long long)limit,
                   kinds[kind].of, kinds[kind].name, (long long)used);
}

int quota_check(const struct quota_holder *holder, const struct quota *used, const struct quota *wanted,
                struct err *err)
{
    for (int kind = 0; holder->limits && kind < QUOTA_KINDS; kind++)
        if (check_one(holder, (enum quota_kind)kind, used->of[kind], wanted->of[kind], err) < 0)
            return -1;
    return 0;
}
