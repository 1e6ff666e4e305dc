#include "services/common/json/parse.h"
#include "services/common/json/build.h"

#include <stdatomic.h>

static atomic_size_t budget_bytes = JSON_BUDGET_DEFAULT_BYTES;
static atomic_size_t used_bytes;

void json_budget_set(size_t bytes)
{
    atomic_store(&budget_bytes, bytes);
}

size_t json_budget_used(void)
{
    return atomic_load(&used_bytes);
}

static int charge(size_t bytes, struct err *err)
{
    size_t budget = atomic_load(&budget_bytes), used = atomic_load(&used_bytes);
    do {
        if (bytes > budget || used > budget - bytes)
            return err_set(err, ERR_UNAVAILABLE, "too many requests with big bodies are being handled right now");
    } while (!atomic_compare_exchange_weak(&used_bytes, &used, used + bytes));
    return 0;
}

void json_object_cleanup(struct json_object **object)
{
    json_object_put(*object);
}

void json_document_release(struct json_document *document)
{
    json_object_put(document->root);
    atomic_fetch_sub(&used_bytes, document->heap_bytes);
    *document = (struct json_document)JSON_DOCUMENT_INIT;
}

static int parse(const char *text, size_t length, const struct json_limits *limits, struct json_document *document,
                 struct json_scanned *scanned, struct err *err)
{
    if (json_scan(text, length, limits, scanned, err) < 0 || charge(scanned->heap_bytes, err) < 0)
        return -1;
    document->heap_bytes = scanned->heap_bytes;
    return json_build(text, length, &document->root, err);
}

int json_parse(const char *text, size_t length, const struct json_limits *limits, struct json_document *out,
               struct faults *faults, struct err *err)
{
    struct err local;
    struct err *why = err ? err : &local;
    struct json_scanned scanned = {0};
    struct json_document document AUTO_JSON_DOCUMENT = JSON_DOCUMENT_INIT;
    if (parse(text, length, limits, &document, &scanned, why) < 0) {
        if (faults && (why->code == ERR_INVALID || why->code == ERR_TOO_LARGE))
            faults_add(faults, why->code == ERR_INVALID ? FAULT_SYNTAX : FAULT_RANGE, scanned.pointer.text, "%s",
                       why->text);
        return -1;
    }
    *out = document;
    document = (struct json_document)JSON_DOCUMENT_INIT;
    return 0;
}
