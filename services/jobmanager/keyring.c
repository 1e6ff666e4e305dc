#include "services/jobmanager/keyring.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"
#include "services/common/store/tokens.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

// What was read at one time, by digest: open addressing over at least twice as many places. Digests are as good as
// random, so their first bytes are a hash, and where a search ends says nothing about a token.
struct ring {
    size_t count, mask;
    int64_t read_ms; // clock_boot_ms() from before it was asked for
    bool has_limits; // any token
    struct token_entry *entries;
    uint32_t places[]; // index of an entry plus one; 0: empty
};

struct keyring {
    struct keyring_settings settings;
    bool has_own;
    unsigned char own[SHA256_SIZE]; // digest of the token of the settings
    _Atomic bool required;
    pthread_rwlock_t lock; // guards `ring`
    struct ring *ring;
    pthread_mutex_t refreshing; // so that what was read later is never replaced by what was read before
    // the thread
    struct db *db;
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; // guards `stopping`
    pthread_cond_t stop;
    bool stopping;
};

// ---- rings

static void ring_free(struct ring *ring)
{
    if (!ring)
        return;
    free(ring->entries);
    free(ring);
}

static size_t first_place(const struct ring *ring, const unsigned char *digest)
{
    uint32_t start;
    memcpy(&start, digest, sizeof(start));
    return start & ring->mask;
}

// Takes the entries, also on failure.
static struct ring *ring_new(struct token_entry *entries, size_t count, int64_t read_ms)
{
    size_t places = 4;
    while (places < 2 * count)
        places *= 2;
    struct ring *ring = calloc(1, sizeof(*ring) + places * sizeof(ring->places[0]));
    if (!ring) {
        free(entries);
        return NULL;
    }
    *ring = (struct ring){.count = count, .mask = places - 1, .read_ms = read_ms, .entries = entries};
    for (size_t i = 0; i < count; i++) {
        size_t place = first_place(ring, entries[i].digest);
        while (ring->places[place])
            place = (place + 1) & ring->mask;
        ring->places[place] = (uint32_t)i + 1;
    }
    return ring;
}

static const struct token_entry *ring_find(const struct ring *ring, const unsigned char *digest)
{
    for (size_t place = first_place(ring, digest); ring->places[place]; place = (place + 1) & ring->mask) {
        const struct token_entry *entry = &ring->entries[ring->places[place] - 1];
        if (sha256_same(entry->digest, digest))
            return entry;
    }
    return NULL;
}

static enum key_verdict verdict_of(const struct ring *ring, const struct token_entry *entry)
{
    if (entry->revoked)
        return KEY_REVOKED;
    bool is_over = entry->expires_in_ms != INT64_MAX && clock_boot_ms() - ring->read_ms >= entry->expires_in_ms;
    return is_over ? KEY_EXPIRED : KEY_GOOD;
}

// Tokens without limits of their own have those of the settings.
static void fill_limits(struct ring *ring, const struct quota *defaults)
{
    for (size_t i = 0; i < ring->count; i++) {
        struct quota *limits = &ring->entries[i].limits;
        for (int kind = 0; kind < QUOTA_KINDS; kind++)
            if (limits->of[kind] == QUOTA_DEFAULT)
                limits->of[kind] = defaults->of[kind];
        ring->has_limits = ring->has_limits || quota_has_limits(limits);
    }
}

// ---- reading

int keyring_refresh(struct keyring *keyring, struct db *db, struct err *err)
{
    struct token_entry *entries = NULL;
    pthread_mutex_lock(&keyring->refreshing);
    int64_t read_ms = clock_boot_ms();
    int count = tokens_load(db, &entries, err);
    struct ring *ring = count < 0 ? NULL : ring_new(entries, (size_t)count, read_ms);
    if (ring) {
        fill_limits(ring, &keyring->settings.limits);
        if (count > 0)
            atomic_store(&keyring->required, true);
        pthread_rwlock_wrlock(&keyring->lock);
        struct ring *before = keyring->ring;
        keyring->ring = ring;
        pthread_rwlock_unlock(&keyring->lock);
        ring_free(before);
    }
    pthread_mutex_unlock(&keyring->refreshing);
    if (count < 0)
        return -1;
    return ring ? 0 : err_set(err, ERR_NO_MEMORY, "no memory for %d tokens", count);
}

// True when it is time to end.
static bool rest(struct keyring *keyring)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += keyring->settings.refresh_ms / 1000;
    until.tv_nsec += keyring->settings.refresh_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&keyring->mutex);
    int outcome = 0;
    while (!keyring->stopping && outcome == 0)
        outcome = pthread_cond_timedwait(&keyring->stop, &keyring->mutex, &until);
    bool stopping = keyring->stopping;
    pthread_mutex_unlock(&keyring->mutex);
    return stopping;
}

static void *keyring_main(void *context)
{
    struct keyring *keyring = context;
    bool lost = false;
    while (!rest(keyring)) {
        struct err err;
        bool failed = keyring_refresh(keyring, keyring->db, &err) < 0;
        if (failed && !lost)
            log_event(LOG_WARN, "tokens cannot be read: those that are known hold for a while", "error", err.text,
                      NULL);
        else if (lost && !failed)
            log_event(LOG_INFO, "tokens can be read again", NULL);
        lost = failed;
    }
    return NULL;
}

// ---- start and stop

static void init(struct keyring *keyring, const struct keyring_settings *settings)
{
    pthread_condattr_t attributes;
    keyring->settings = *settings;
    if (!settings->refresh_ms)
        keyring->settings.refresh_ms = KEYRING_REFRESH_MS;
    if (!settings->stale_ms)
        keyring->settings.stale_ms = KEYRING_STALE_MS;
    atomic_store(&keyring->required, settings->required || settings->token);
    pthread_rwlock_init(&keyring->lock, NULL);
    pthread_mutex_init(&keyring->refreshing, NULL);
    pthread_mutex_init(&keyring->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keyring->stop, &attributes);
    pthread_condattr_destroy(&attributes);
}

static int start(struct keyring *keyring, struct err *err)
{
    struct db_options options = {.application_name = "curfew-jobmanager tokens",
                                 .statements = store_statements,
                                 .statement_count = STATEMENT_COUNT};
    keyring->has_own = keyring->settings.token != NULL;
    if (keyring->has_own && token_digest(keyring->settings.token, keyring->own, err) < 0)
        return -1;
    if (db_open(keyring->settings.database_url, &options, &keyring->db, err) < 0 ||
        keyring_refresh(keyring, keyring->db, err) < 0)
        return -1;
    int failed = pthread_create(&keyring->thread, NULL, keyring_main, keyring);
    keyring->running = !failed;
    return failed ? err_errno(err, ERR_UNAVAILABLE, failed, "cannot start the thread of the tokens") : 0;
}

int keyring_start(const struct keyring_settings *settings, struct keyring **out, struct err *err)
{
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    if (!keyring)
        return err_set(err, ERR_NO_MEMORY, "no memory for tokens");
    init(keyring, settings);
    if (start(keyring, err) < 0) {
        keyring_stop(keyring);
        return -1;
    }
    *out = keyring;
    return 0;
}

void keyring_stop(struct keyring *keyring)
{
    if (!keyring)
        return;
    pthread_mutex_lock(&keyring->mutex);
    keyring->stopping = true;
    pthread_cond_signal(&keyring->stop);
    pthread_mutex_unlock(&keyring->mutex);
    if (keyring->running)
        pthread_join(keyring->thread, NULL);
    db_close(keyring->db);
    ring_free(keyring->ring);
    pthread_cond_destroy(&keyring->stop);
    pthread_mutex_destroy(&keyring->mutex);
    pthread_mutex_destroy(&keyring->refreshing);
    pthread_rwlock_destroy(&keyring->lock);
    free(keyring);
}

// ---- checking

bool keyring_required(const struct keyring *keyring)
{
    return atomic_load_explicit(&keyring->required, memory_order_acquire);
}

bool keyring_has_admin(struct keyring *keyring)
{
    bool found = keyring->has_own;
    pthread_rwlock_rdlock(&keyring->lock);
    const struct ring *ring = keyring->ring;
    for (size_t i = 0; i < ring->count && !found; i++)
        found = ring->entries[i].role == ROLE_ADMIN && verdict_of(ring, &ring->entries[i]) == KEY_GOOD;
    pthread_rwlock_unlock(&keyring->lock);
    return found;
}

static bool is_stale(const struct keyring *keyring, const struct ring *ring)
{
    return clock_boot_ms() - ring->read_ms > keyring->settings.stale_ms;
}

// Under the lock: the entry may be gone after it.
static enum key_verdict look_up(const struct keyring *keyring, const unsigned char *digest, struct key *out)
{
    const struct ring *ring = keyring->ring;
    if (is_stale(keyring, ring))
        return KEY_UNCHECKED;
    const struct token_entry *entry = ring_find(ring, digest);
    if (!entry)
        return KEY_UNKNOWN;
    out->id = entry->id;
    out->first = entry->first;
    out->role = entry->role;
    memcpy(out->name, entry->name, sizeof(out->name));
    memcpy(out->space, entry->space, sizeof(out->space));
    return verdict_of(ring, entry);
}

int keyring_check(struct keyring *keyring, const char *token, struct key *out, struct err *err)
{
    unsigned char digest[SHA256_SIZE];
    if (token_digest(token, digest, err) < 0)
        return -1;
    if (keyring->has_own && sha256_same(keyring->own, digest)) {
        *out = (struct key){.role = ROLE_ADMIN, .name = KEY_OF_SETTINGS};
        return KEY_GOOD;
    }
    pthread_rwlock_rdlock(&keyring->lock);
    enum key_verdict verdict = look_up(keyring, digest, out);
    pthread_rwlock_unlock(&keyring->lock);
    return (int)verdict;
}

bool keyring_holds(struct keyring *keyring, int64_t id)
{
    bool holds = id == 0;
    pthread_rwlock_rdlock(&keyring->lock);
    const struct ring *ring = keyring->ring;
    for (size_t i = 0; i < ring->count && !holds; i++)
        holds = ring->entries[i].id == id && verdict_of(ring, &ring->entries[i]) == KEY_GOOD;
    pthread_rwlock_unlock(&keyring->lock);
    return holds;
}

bool keyring_limits(struct keyring *keyring, int64_t id, struct quota *out)
{
    bool found = false;
    if (id == 0)
        return false;
    pthread_rwlock_rdlock(&keyring->lock);
    const struct ring *ring = keyring->ring;
    for (size_t i = 0; ring->has_limits && i < ring->count && !found; i++) {
        found = ring->entries[i].id == id;
        *out = ring->entries[i].limits;
    }
    pthread_rwlock_unlock(&keyring->lock);
    return found && quota_has_limits(out);
}
