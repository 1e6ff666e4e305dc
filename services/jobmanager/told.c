#include "services/jobmanager/told.h"

// FNV-1a
static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_number(uint64_t hash, int64_t number)
{
    return mix(hash, &number, sizeof(number));
}

static uint64_t mix_instances(uint64_t hash, const struct instance_order *orders, size_t count)
{
    hash = mix_number(hash, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        hash = mix_number(hash, orders[i].job);
        hash = mix_number(hash, orders[i].epoch);
        for (const char *at = orders[i].service; *at; at++)
            hash = mix(hash, at, 1);
    }
    return hash;
}

static uint64_t hash_of(const struct work_operation *operation)
{
    uint64_t hash = mix_number(UINT64_C(0xcbf29ce484222325), operation->worker);
    hash = mix_number(hash, operation->incarnation);
    hash = mix_instances(hash, operation->starts, operation->start_count);
    hash = mix_instances(hash, operation->stops, operation->stop_count);
    hash = mix_instances(hash, operation->verifies, operation->verify_count);
    for (size_t i = 0; i < operation->cancel_count; i++)
        hash = mix_number(hash, operation->cancels[i].token);
    return operation->drill ? ~hash : hash;
}

bool work_has_orders(const struct work_operation *operation)
{
    return operation->start_count || operation->stop_count || operation->verify_count || operation->cancel_count ||
           operation->drill;
}

bool told_is_news(const struct told *told, const struct work_operation *operation)
{
    if (!work_has_orders(operation))
        return false;
    return atomic_load(&told->orders[(uint64_t)operation->worker % TOLD_SLOTS]) != hash_of(operation);
}

void told_set(struct told *told, const struct work_operation *operation)
{
    if (work_has_orders(operation))
        atomic_store(&told->orders[(uint64_t)operation->worker % TOLD_SLOTS], hash_of(operation));
}

void told_nothing(struct told *told, int64_t worker)
{
    atomic_store(&told->idle[(uint64_t)worker % TOLD_SLOTS], worker);
}

bool told_was_nothing(struct told *told, int64_t worker)
{
    int64_t expected = worker;
    return atomic_compare_exchange_strong(&told->idle[(uint64_t)worker % TOLD_SLOTS], &expected, 0);
}
