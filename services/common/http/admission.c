#include "services/common/http/admission.h"

#include "services/common/base/cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#define BUCKETS 256

struct entry {
    struct entry *next;
    uint8_t bytes[16];
    size_t connections;
};

struct http_admission {
    size_t limit;
    struct bucket {
        pthread_mutex_t lock;
        struct entry *entries;
    } buckets[BUCKETS];
};

int http_admission_new(size_t limit_per_address, struct http_admission **out, struct err *err)
{
    struct http_admission *admission = calloc(1, sizeof *admission);
    if (!admission)
        return err_set(err, ERR_NO_MEMORY, "admission");
    admission->limit = limit_per_address;
    for (size_t i = 0; i < BUCKETS; i++)
        pthread_mutex_init(&admission->buckets[i].lock, NULL);
    *out = admission;
    return 0;
}

void http_admission_free(struct http_admission *admission)
{
    if (!admission)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (admission->buckets[i].entries) {
            struct entry *entry = admission->buckets[i].entries;
            admission->buckets[i].entries = entry->next;
            free(entry);
        }
        pthread_mutex_destroy(&admission->buckets[i].lock);
    }
    free(admission);
}

static void set_v4(struct http_address *out, const void *four_bytes, bool *is_loopback)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    memcpy(out->bytes, mapped, sizeof mapped);
    memcpy(out->bytes + 12, four_bytes, 4);
    *is_loopback = out->bytes[12] == 127;
}

struct http_address http_address_from(const struct sockaddr *address, bool *is_loopback)
{
    struct http_address out = {.is_counted = true};
    *is_loopback = false;
    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        set_v4(&out, &v4->sin_addr, is_loopback);
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            set_v4(&out, v6->sin6_addr.s6_addr + 12, is_loopback);
        } else {
            *is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
            memcpy(out.bytes, v6->sin6_addr.s6_addr, 8);
        }
    } else {
        out.is_counted = false;
        *is_loopback = true;
    }
    return out;
}

static struct bucket *bucket_of(struct http_admission *admission, const uint8_t bytes[static 16])
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < 16; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return &admission->buckets[hash % BUCKETS];
}

// The link that points to the address's entry, or to NULL.
static struct entry **find(struct bucket *bucket, const uint8_t bytes[static 16])
{
    struct entry **link = &bucket->entries;
    while (*link && memcmp((*link)->bytes, bytes, 16) != 0)
        link = &(*link)->next;
    return link;
}

bool http_admission_enter(struct http_admission *admission, struct http_address *address)
{
    if (!address->is_counted)
        return true;
    struct bucket *bucket = bucket_of(admission, address->bytes);
    pthread_mutex_lock(&bucket->lock);
    struct entry **link = find(bucket, address->bytes);
    if (!*link && (*link = calloc(1, sizeof **link)) != NULL)
        memcpy((*link)->bytes, address->bytes, 16);
    address->is_counted = *link != NULL;
    bool admitted = *link && ++(*link)->connections <= admission->limit;
    pthread_mutex_unlock(&bucket->lock);
    return admitted;
}

void http_admission_leave(struct http_admission *admission, const struct http_address *address)
{
    if (!address->is_counted)
        return;
    struct bucket *bucket = bucket_of(admission, address->bytes);
    pthread_mutex_lock(&bucket->lock);
    struct entry **link = find(bucket, address->bytes);
    if (*link && --(*link)->connections == 0) {
        struct entry *empty = *link;
        *link = empty->next;
        free(empty);
    }
    pthread_mutex_unlock(&bucket->lock);
}
