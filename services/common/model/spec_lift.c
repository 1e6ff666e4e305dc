#include "services/common/model/spec_lift.h"
#include "services/common/base/arena.h"
#include "services/common/json/string_token.h"
#include "services/common/json/walk.h"

#include <string.h>

void spec_lift_release(struct spec_lift *lift)
{
    strbuf_release(&lift->skeleton);
    lift->count = 0;
}

// The text up to `walk` that was not copied yet begins at `copied`.
struct lifter {
    struct json_walk walk;
    const char *copied;
    struct spec_lift *lift;
};

static void copy_up_to(struct lifter *lifter, const char *end)
{
    strbuf_add(&lifter->lift->skeleton, lifter->copied, (size_t)(end - lifter->copied));
    lifter->copied = end;
}

// At the value of a member `tasks`.
static void lift_tasks(struct lifter *lifter, long stage)
{
    struct spec_lift *lift = lifter->lift;
    const char *start = lifter->walk.at;
    json_walk_skip(&lifter->walk);
    if (*start != '[' || lift->count == ARRAY_LEN(lift->lists))
        return;
    lift->lists[lift->count++] = (struct spec_lifted){.stage = stage, .start = start, .end = lifter->walk.at};
    copy_up_to(lifter, start);
    strbuf_add_text(&lift->skeleton, "[]");
    lifter->copied = lifter->walk.at;
}

static void lift_from_stage(struct lifter *lifter, long stage)
{
    struct json_walk *walk = &lifter->walk;
    if (*walk->at != '{') {
        json_walk_skip(walk);
        return;
    }
    for (bool more = json_walk_enter(walk); more; more = json_walk_next(walk)) {
        if (json_string_equals(json_walk_key(walk), "tasks"))
            lift_tasks(lifter, stage);
        else
            json_walk_skip(walk);
    }
}

static void lift_from_stages(struct lifter *lifter)
{
    struct json_walk *walk = &lifter->walk;
    if (*walk->at != '[') {
        json_walk_skip(walk);
        return;
    }
    long stage = 0;
    for (bool more = json_walk_enter(walk); more; more = json_walk_next(walk))
        lift_from_stage(lifter, stage++);
}

int spec_lift(const char *text, size_t length, struct spec_lift *out, struct err *err)
{
    struct lifter lifter = {.walk = json_walk_start(text, length), .copied = text, .lift = out};
    struct json_walk *walk = &lifter.walk;
    for (bool more = json_walk_enter(walk); more; more = json_walk_next(walk)) {
        const char *key = json_walk_key(walk);
        if (json_string_equals(key, "tasks"))
            lift_tasks(&lifter, -1);
        else if (json_string_equals(key, "stages"))
            lift_from_stages(&lifter);
        else
            json_walk_skip(walk);
    }
    copy_up_to(&lifter, text + length);
    return strbuf_ok(&out->skeleton, err);
}

const struct spec_lifted *spec_lift_find(const struct spec_lift *lift, long stage)
{
    for (size_t i = 0; i < lift->count; i++) {
        if (lift->lists[i].stage == stage)
            return &lift->lists[i];
    }
    return NULL;
}

static size_t count_items(const struct spec_lifted *list)
{
    struct json_walk walk = {.at = list->start, .end = list->end};
    size_t count = 0;
    for (bool more = json_walk_enter(&walk); more; more = json_walk_next(&walk)) {
        json_walk_skip(&walk);
        count++;
    }
    return count;
}

static void add_item(const struct field *member, size_t index, struct json_walk *walk, struct strbuf *text)
{
    const char *start = walk->at;
    size_t before = text->length;
    json_walk_skip(walk);
    json_compact(start, walk->at, text);
    struct field item = {.parent = member, .index = index, .faults = member->faults};
    if (text->length - before > SPEC_ITEM_BYTES_MAX)
        field_fault(&item, FAULT_RANGE, "has to have at most %d bytes, not %zu", SPEC_ITEM_BYTES_MAX,
                    text->length - before);
    strbuf_add_char(text, '\n');
}

static bool keep_items(const struct strbuf *text, size_t *starts, size_t count, struct arena *arena,
                       struct spec_items *out)
{
    if (text->failed)
        return false;
    char *copy = arena_copy(arena, strbuf_text(text), text->length);
    if (!copy)
        return false;
    *out = (struct spec_items){.text = copy, .starts = starts, .count = count};
    return true;
}

bool spec_items_read(const struct spec_lifted *list, const struct field *member, struct arena *arena,
                     struct spec_items *out)
{
    size_t count = count_items(list);
    if (count > SPEC_TASKS_LISTED_MAX) {
        field_fault(member, FAULT_RANGE, "has to have at most %d items, not %zu", SPEC_TASKS_LISTED_MAX, count);
        return true;
    }
    size_t *starts = arena_alloc_zero(arena, count + 1, sizeof *starts);
    if (!starts)
        return false;
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    struct json_walk walk = {.at = list->start, .end = list->end};
    size_t i = 0;
    for (bool more = json_walk_enter(&walk); more; more = json_walk_next(&walk)) {
        starts[i] = text.length;
        add_item(member, i++, &walk, &text);
    }
    starts[count] = text.length;
    return keep_items(&text, starts, count, arena, out);
}
