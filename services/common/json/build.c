#include "services/common/json/build.h"
#include "services/common/base/strbuf.h"
#include "services/common/json/scan.h"
#include "services/common/json/string_token.h"
#include "services/common/json/walk.h"

#include <stdlib.h>
#include <string.h>

enum { ARRAY_SLOTS = 4 }; // to begin with

struct builder {
    struct json_walk walk;
    struct strbuf scratch; // the text that was decoded last
    bool no_memory;
};

static struct json_object *build_value(struct builder *builder);

// For values that json-c shows as NULL only when memory ran out.
static struct json_object *checked(struct builder *builder, struct json_object *value)
{
    builder->no_memory |= !value;
    return value;
}

static bool decode(struct builder *builder, const char *literal)
{
    strbuf_clear(&builder->scratch);
    strbuf_reserve(&builder->scratch, 1);
    json_string_append(literal, &builder->scratch);
    builder->no_memory |= builder->scratch.failed;
    return !builder->scratch.failed;
}

static struct json_object *build_text(struct builder *builder)
{
    const char *literal = builder->walk.at;
    json_walk_skip(&builder->walk);
    if (!decode(builder, literal))
        return NULL;
    const struct strbuf *text = &builder->scratch;
    return checked(builder, json_object_new_string_len(strbuf_text(text), (int)text->length));
}

static struct json_object *build_number(struct builder *builder)
{
    const char *start = builder->walk.at;
    char text[JSON_NUMBER_BYTES_MAX + 1];
    json_walk_skip(&builder->walk);
    size_t length = (size_t)(builder->walk.at - start);
    memcpy(text, start, length);
    text[length] = '\0';
    if (text[strcspn(text, ".eE")])
        return checked(builder, json_object_new_double_s(strtod(text, NULL), text)); // written as it was read
    return checked(builder, json_object_new_int64(strtoll(text, NULL, 10)));
}

// Takes the item. The array is full only when memory ran out.
static void add_item(struct builder *builder, struct json_object *array, struct json_object *item)
{
    if (!builder->no_memory && json_object_array_add(array, item) == 0)
        return;
    json_object_put(item);
    builder->no_memory = true;
}

static struct json_object *build_array(struct builder *builder)
{
    struct json_object *array = checked(builder, json_object_new_array_ext(ARRAY_SLOTS));
    if (!array)
        return NULL;
    for (bool more = json_walk_enter(&builder->walk); more && !builder->no_memory;
         more = json_walk_next(&builder->walk))
        add_item(builder, array, build_value(builder));
    if (!builder->no_memory)
        builder->no_memory = json_object_array_shrink(array, 0) != 0;
    return array;
}

// The key is decoded after the value, which needs the scratch as well.
static void add_member(struct builder *builder, struct json_object *object, const char *key, struct json_object *value)
{
    const unsigned is_new = JSON_C_OBJECT_ADD_KEY_IS_NEW; // the scan has seen to that
    if (!builder->no_memory && decode(builder, key) &&
        json_object_object_add_ex(object, strbuf_text(&builder->scratch), value, is_new) == 0)
        return;
    json_object_put(value);
    builder->no_memory = true;
}

static struct json_object *build_object(struct builder *builder)
{
    struct json_object *object = checked(builder, json_object_new_object());
    if (!object)
        return NULL;
    for (bool more = json_walk_enter(&builder->walk); more && !builder->no_memory;
         more = json_walk_next(&builder->walk)) {
        const char *key = json_walk_key(&builder->walk);
        add_member(builder, object, key, build_value(builder));
    }
    return object;
}

static struct json_object *build_word(struct builder *builder)
{
    char first = *builder->walk.at;
    json_walk_skip(&builder->walk);
    return first == 'n' ? NULL : checked(builder, json_object_new_boolean(first == 't'));
}

// After a lack of memory the walk may stand anywhere: nobody goes on then.
static struct json_object *build_value(struct builder *builder)
{
    switch (*builder->walk.at) {
    case '{':
        return build_object(builder);
    case '[':
        return build_array(builder);
    case '"':
        return build_text(builder);
    case 't':
    case 'f':
    case 'n':
        return build_word(builder);
    default:
        return build_number(builder);
    }
}

int json_build(const char *text, size_t length, struct json_object **out, struct err *err)
{
    struct builder builder = {.walk = json_walk_start(text, length)};
    struct json_object *root = build_value(&builder);
    strbuf_release(&builder.scratch);
    if (builder.no_memory) {
        json_object_put(root);
        return err_set(err, ERR_NO_MEMORY, "no memory for a JSON tree");
    }
    *out = root;
    return 0;
}
