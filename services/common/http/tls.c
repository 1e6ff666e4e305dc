#include "services/common/http/tls.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/macros.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define CHAIN_MAX 16
#define FILE_BYTES_MAX ((size_t)1 << 20)

struct identity {
    struct identity *before; // all that there ever were
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};

// What tells one state of a file from another.
struct trace {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct http_tls {
    const char *certificate_file, *key_file;
    pthread_mutex_t lock; // one reload at a time
    struct trace traces[2];
    _Atomic(struct identity *) identity;
};

static _Atomic(struct http_tls *) of_process;

// ---- reading

static void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    for (unsigned i = 0; i < identity->count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key)
        gnutls_privkey_deinit(identity->key);
    free(identity);
}
DEFINE_CLEANUP(struct identity *, identity_free);

static int wrong(const char *file, const char *what, int code, struct err *err)
{
    return err_set(err, ERR_INVALID, "%.100s: %s: %s", file, what, gnutls_strerror(code));
}

static int read_chain(const char *file, struct identity *identity, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    unsigned count = CHAIN_MAX;
    if (file_read(file, FILE_BYTES_MAX, &text, &length, err) < 0)
        return -1;
    const gnutls_datum_t bytes = {(unsigned char *)text, (unsigned)length};
    int code = gnutls_pcert_list_import_x509_raw(identity->chain, &count, &bytes, GNUTLS_X509_FMT_PEM, 0);
    if (code < 0)
        return wrong(file, "no certificate", code, err);
    identity->count = count;
    return 0;
}

static int read_key(const char *file, struct identity *identity, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    if (file_read(file, FILE_BYTES_MAX, &text, &length, err) < 0)
        return -1;
    const gnutls_datum_t bytes = {(unsigned char *)text, (unsigned)length};
    int code = gnutls_privkey_init(&identity->key);
    if (code == 0)
        code = gnutls_privkey_import_x509_raw(identity->key, &bytes, GNUTLS_X509_FMT_PEM, NULL, 0);
    explicit_bzero(text, length);
    return code < 0 ? wrong(file, "no key", code, err) : 0;
}

// The key's identifier, of 32 bytes at most; 0: there is none.
static size_t id_of(gnutls_pubkey_t key, unsigned char out[static 32])
{
    size_t size = 32;
    return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, out, &size) < 0 ? 0 : size;
}

static int match(const struct http_tls *tls, const struct identity *identity, struct err *err)
{
    unsigned char of_certificate[32], of_key[32];
    gnutls_pubkey_t key = NULL;
    size_t size = 0;
    if (gnutls_pubkey_init(&key) < 0)
        return err_set(err, ERR_NO_MEMORY, "no memory for a key");
    if (gnutls_pubkey_import_privkey(key, identity->key, 0, 0) == 0)
        size = id_of(key, of_key);
    gnutls_pubkey_deinit(key);
    if (size > 0 && id_of(identity->chain[0].pubkey, of_certificate) == size &&
        memcmp(of_key, of_certificate, size) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "%.80s is not the key of %.80s", tls->key_file, tls->certificate_file);
}

static struct trace trace_of(const char *file)
{
    struct stat at;
    if (stat(file, &at) < 0)
        return (struct trace){0};
    return (struct trace){at.st_dev, at.st_ino, at.st_size, at.st_mtim};
}

static bool is_same(const struct trace *a, const struct trace *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int load(struct http_tls *tls, struct err *err)
{
    struct identity *identity CLEANUP(cleanup_identity_free) = calloc(1, sizeof *identity);
    if (!identity)
        return err_set(err, ERR_NO_MEMORY, "no memory for a certificate");
    if (read_chain(tls->certificate_file, identity, err) < 0 || read_key(tls->key_file, identity, err) < 0 ||
        match(tls, identity, err) < 0)
        return -1;
    identity->before = atomic_load(&tls->identity);
    atomic_store(&tls->identity, TAKE_PTR(identity));
    return 1;
}

int http_tls_reload(struct http_tls *tls, bool anyway, struct err *err)
{
    int outcome = 0;
    pthread_mutex_lock(&tls->lock);
    // Looked at before they are read: what changes meanwhile is read the next time.
    struct trace traces[2] = {trace_of(tls->certificate_file), trace_of(tls->key_file)};
    if (anyway || !is_same(&traces[0], &tls->traces[0]) || !is_same(&traces[1], &tls->traces[1]))
        outcome = load(tls, err);
    memcpy(tls->traces, traces, sizeof traces);
    pthread_mutex_unlock(&tls->lock);
    return outcome;
}

// ---- the process's

int http_tls_new(const char *certificate_file, const char *key_file, struct http_tls **out, struct err *err)
{
    struct http_tls *tls = calloc(1, sizeof *tls), *none = NULL;
    if (!tls)
        return err_set(err, ERR_NO_MEMORY, "no memory for a certificate");
    tls->certificate_file = certificate_file;
    tls->key_file = key_file;
    pthread_mutex_init(&tls->lock, NULL);
    int outcome = http_tls_reload(tls, true, err);
    if (outcome >= 0 && !atomic_compare_exchange_strong(&of_process, &none, tls))
        outcome = err_set(err, ERR_CONFLICT, "this process has a certificate already");
    if (outcome < 0) {
        http_tls_free(tls);
        return -1;
    }
    *out = tls;
    return 0;
}

void http_tls_free(struct http_tls *tls)
{
    struct http_tls *self = tls;
    if (!tls)
        return;
    atomic_compare_exchange_strong(&of_process, &self, NULL);
    struct identity *identity = atomic_load(&tls->identity);
    while (identity) {
        struct identity *before = identity->before;
        identity_free(identity);
        identity = before;
    }
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                    unsigned *count, gnutls_privkey_t *key)
{
    UNUSED(session), UNUSED(authorities), UNUSED(authority_count), UNUSED(algorithms), UNUSED(algorithm_count);
    const struct http_tls *tls = atomic_load(&of_process);
    struct identity *identity = tls ? atomic_load(&tls->identity) : NULL;
    if (!identity)
        return -1;
    *chain = identity->chain;
    *count = identity->count;
    *key = identity->key;
    return 0;
}

http_tls_callback http_tls_retrieve(void)
{
    static gnutls_certificate_retrieve_function2 *const function = retrieve;
    return (http_tls_callback)function;
}
