#include "services/common/db/notify_batch.h"

#include "services/common/db/notifier.h"

#include <string.h>

#define ITEMS_MAX 1024
#define SLOTS 2048             // of the hash table, a power of two above ITEMS_MAX
#define PAYLOAD_MAX_BYTES 7900 // the server takes less than 8000

struct item {
    uint32_t offset;
    uint32_t length;
};

struct notify_batch {
    struct strbuf text; // all items, each with a newline behind it
    struct item items[ITEMS_MAX];
    unsigned count;
    uint16_t slots[SLOTS]; // index of an item + 1; 0 is free
    bool everything;
};

struct notify_batch *notify_batch_new(void)
{
    return calloc(1, sizeof(struct notify_batch));
}

void notify_batch_free(struct notify_batch *batch)
{
    if (!batch)
        return;
    strbuf_release(&batch->text);
    free(batch);
}

void notify_batch_clear(struct notify_batch *batch)
{
    if (batch->count > 0)
        memset(batch->slots, 0, sizeof batch->slots);
    strbuf_clear(&batch->text);
    batch->count = 0;
    batch->everything = false;
}

bool notify_batch_is_empty(const struct notify_batch *batch)
{
    return batch->count == 0 && !batch->everything;
}

static void replace_by_everything(struct notify_batch *batch)
{
    notify_batch_clear(batch);
    batch->everything = true;
}

static uint32_t hash(const char *text, size_t length)
{
    uint32_t value = 2166136261U;
    for (size_t i = 0; i < length; i++)
        value = (value ^ (unsigned char)text[i]) * 16777619U;
    return value;
}

// The slot of the item, or the free one where it belongs.
static uint16_t *find_slot(struct notify_batch *batch, const char *text, size_t length)
{
    for (uint32_t i = hash(text, length);; i++) {
        uint16_t *slot = &batch->slots[i % SLOTS];
        if (*slot == 0)
            return slot;
        const struct item *item = &batch->items[*slot - 1];
        if (item->length == length && memcmp(batch->text.data + item->offset, text, length) == 0)
            return slot;
    }
}

static bool is_sendable(const char *item, size_t length)
{
    return length > 0 && length <= NOTIFIER_ITEM_MAX && !strchr(item, '\n') && strcmp(item, NOTIFIER_EVERYTHING) != 0;
}

void notify_batch_add(struct notify_batch *batch, const char *item)
{
    size_t length = strlen(item);
    if (batch->everything)
        return;
    if (!is_sendable(item, length)) {
        replace_by_everything(batch);
        return;
    }
    uint16_t *slot = find_slot(batch, item, length);
    if (*slot)
        return;
    size_t offset = batch->text.length;
    strbuf_add(&batch->text, item, length);
    strbuf_add_char(&batch->text, '\n');
    if (batch->count == ITEMS_MAX || strbuf_ok(&batch->text, NULL) < 0) {
        replace_by_everything(batch);
        return;
    }
    batch->items[batch->count++] = (struct item){.offset = (uint32_t)offset, .length = (uint32_t)length};
    *slot = (uint16_t)batch->count;
}

void notify_batch_payloads(const struct notify_batch *batch, struct params *params)
{
    params_array_begin(params, PARAM_TEXT);
    if (batch->everything)
        params_add_text(params, NOTIFIER_EVERYTHING, strlen(NOTIFIER_EVERYTHING));
    for (unsigned i = 0, next; i < batch->count; i = next) {
        const struct item *first = &batch->items[i];
        size_t bytes = first->length;
        for (next = i + 1; next < batch->count && bytes + 1 + batch->items[next].length <= PAYLOAD_MAX_BYTES; next++)
            bytes += 1 + batch->items[next].length;
        params_add_text(params, batch->text.data + first->offset, bytes);
    }
    params_array_end(params);
}
