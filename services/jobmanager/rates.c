#include "services/jobmanager/rates.h"

#include <pthread.h>
#include <stdlib.h>

#define SECOND_US 1000000
#define PLACES 4096 // several times the tokens that are valid at a time

// When the next one would be on time, were they evenly spread. In the past: the token owes nothing, its place is free.
struct rate {
    int64_t token;
    int64_t on_time_us;
};

struct rates {
    int64_t interval_us; // 0: no limit
    pthread_mutex_t mutex;
    struct rate places[PLACES];
};

int rates_new(int64_t per_second, struct rates **out, struct err *err)
{
    struct rates *rates = calloc(1, sizeof(*rates));
    if (!rates)
        return err_set(err, ERR_NO_MEMORY, "no memory for rates");
    rates->interval_us = per_second > 0 ? SECOND_US / per_second : 0;
    pthread_mutex_init(&rates->mutex, NULL);
    *out = rates;
    return 0;
}

void rates_free(struct rates *rates)
{
    if (!rates)
        return;
    pthread_mutex_destroy(&rates->mutex);
    free(rates);
}

// The token's place, or one that is free; NULL when all that could be are taken, which lets the token pass.
static struct rate *place_of(struct rates *rates, int64_t token, int64_t now_us)
{
    struct rate *free_place = NULL;
    uint64_t start = (uint64_t)token * UINT64_C(0x9e3779b97f4a7c15) >> 52;
    for (uint64_t i = 0; i < 64; i++) {
        struct rate *place = &rates->places[(start + i) % PLACES];
        if (place->token == token)
            return place;
        if (!free_place && place->on_time_us <= now_us)
            free_place = place;
        if (place->token == 0)
            break;
    }
    if (free_place)
        *free_place = (struct rate){.token = token};
    return free_place;
}

int64_t rates_take(struct rates *rates, int64_t token, int64_t now_us)
{
    int64_t wait_us = 0;
    if (rates->interval_us == 0)
        return 0;
    pthread_mutex_lock(&rates->mutex);
    struct rate *rate = place_of(rates, token, now_us);
    if (rate) {
        int64_t early_us = rate->on_time_us - now_us, most_us = SECOND_US - rates->interval_us;
        if (early_us > most_us)
            wait_us = early_us - most_us;
        else
            rate->on_time_us = (early_us > 0 ? rate->on_time_us : now_us) + rates->interval_us;
    }
    pthread_mutex_unlock(&rates->mutex);
    return wait_us;
}
