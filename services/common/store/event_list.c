#include "services/common/store/event_list.h"

#include "services/common/base/cleanup.h"
#include "services/common/db/db.h"
#include "services/common/store/embedded.h"

#include <stdarg.h>
#include <string.h>

void event_list_release(struct event_list *events)
{
    free(events->items);
    strbuf_release(&events->texts);
    *events = (struct event_list)EVENT_LIST_INIT;
}

static struct event_item *next_item(struct event_list *events)
{
    if (events->count == events->capacity) {
        size_t capacity = events->capacity ? 2 * events->capacity : 16;
        struct event_item *items = realloc(events->items, capacity * sizeof *items);
        if (!items)
            return NULL;
        events->items = items;
        events->capacity = capacity;
    }
    return &events->items[events->count++];
}

void event_list_add(struct event_list *events, int64_t job, int *count, const char *kind, const char *data, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, data);
    int length = vsnprintf(text, sizeof text, data, arguments);
    va_end(arguments);
    struct event_item *item = next_item(events);
    if (!item || length < 0 || (size_t)length >= sizeof text) {
        events->texts.failed = true;
        return;
    }
    *item = (struct event_item){.job = job, .seq = ++*count, .kind = kind, .data = events->texts.length};
    strbuf_add(&events->texts, text, (size_t)length + 1);
}

int event_list_insert(struct event_list *events, struct db *db, struct err *err)
{
    AUTO_PARAMS struct params params = PARAMS_INIT;
    if (strbuf_ok(&events->texts, err) < 0)
        return err_prefix(err, "events");
    if (events->count == 0)
        return 0;
    params_array_begin(&params, PARAM_I64);
    for (size_t i = 0; i < events->count; i++)
        params_add_i64(&params, events->items[i].job);
    params_array_end(&params);
    params_array_begin(&params, PARAM_I32);
    for (size_t i = 0; i < events->count; i++)
        params_add_i32(&params, events->items[i].seq);
    params_array_end(&params);
    params_array_begin(&params, PARAM_TEXT);
    for (size_t i = 0; i < events->count; i++)
        params_add_text(&params, events->items[i].kind, strlen(events->items[i].kind));
    params_array_end(&params);
    params_array_begin(&params, PARAM_TEXT);
    for (size_t i = 0; i < events->count; i++) {
        const char *data = events->texts.data + events->items[i].data;
        params_add_text(&params, data, strlen(data));
    }
    params_array_end(&params);
    return db_execute(db, STATEMENT_EVENT_INSERT, &params, NULL, err);
}
