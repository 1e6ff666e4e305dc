#include "services/common/json/walk.h"
#include "services/common/json/pointer.h"
#include "services/common/json/string_token.h"

#include <stdlib.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_space(struct json_walk *walk)
{
    while (walk->at < walk->end && is_space(*walk->at))
        walk->at++;
}

static const char *string_end(const char *quote)
{
    const char *at = quote + 1;
    while (*at != '"')
        at += *at == '\\' ? 2 : 1;
    return at + 1;
}

struct json_walk json_walk_start(const char *text, size_t length)
{
    struct json_walk walk = {.at = text, .end = text + length};
    skip_space(&walk);
    return walk;
}

bool json_walk_enter(struct json_walk *walk)
{
    walk->at++;
    skip_space(walk);
    if (*walk->at != ']' && *walk->at != '}')
        return true;
    walk->at++;
    return false;
}

const char *json_walk_key(struct json_walk *walk)
{
    const char *key = walk->at;
    walk->at = string_end(key);
    skip_space(walk);
    walk->at++; // the colon
    skip_space(walk);
    return key;
}

static void skip_scalar(struct json_walk *walk)
{
    while (walk->at < walk->end && !is_space(*walk->at) && !strchr(",]}", *walk->at))
        walk->at++;
}

static void skip_nested(struct json_walk *walk)
{
    size_t depth = 0;
    do {
        char c = *walk->at;
        if (c == '"') {
            walk->at = string_end(walk->at);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        walk->at++;
    } while (depth);
}

void json_walk_skip(struct json_walk *walk)
{
    if (*walk->at == '{' || *walk->at == '[')
        skip_nested(walk);
    else if (*walk->at == '"')
        walk->at = string_end(walk->at);
    else
        skip_scalar(walk);
}

bool json_walk_next(struct json_walk *walk)
{
    skip_space(walk);
    bool more = *walk->at++ == ',';
    if (more)
        skip_space(walk);
    return more;
}

void json_compact(const char *start, const char *end, struct strbuf *out)
{
    const char *run = start;
    for (const char *at = start; at < end;) {
        if (*at == '"') {
            at = string_end(at);
        } else if (is_space(*at)) {
            strbuf_add(out, run, (size_t)(at - run));
            run = ++at;
        } else {
            at++;
        }
    }
    strbuf_add(out, run, (size_t)(end - run));
}

// Whether the first token of `pointer` (behind its slash) is the member's name: compared in escaped form.
static bool token_is_key(const char *token, size_t length, const char *key)
{
    char name[JSON_POINTER_SIZE];
    struct json_pointer escaped;
    json_pointer_init(&escaped);
    json_pointer_add_name(&escaped, name, json_string_decode(key, name, sizeof name));
    return escaped.length == length + 1 && memcmp(escaped.text + 1, token, length) == 0;
}

static bool token_is_index(const char *token, size_t length, size_t index)
{
    struct json_pointer number;
    json_pointer_init(&number);
    json_pointer_add_index(&number, index);
    return number.length == length + 1 && memcmp(number.text + 1, token, length) == 0;
}

// Steps to the value that one token names and returns the place to show for it; NULL when there is none.
static const char *step(struct json_walk *walk, const char *token, size_t length)
{
    bool object = *walk->at == '{';
    if (!object && *walk->at != '[')
        return NULL;
    bool more = json_walk_enter(walk);
    for (size_t index = 0; more; index++) {
        const char *place = object ? json_walk_key(walk) : walk->at;
        if (object ? token_is_key(token, length, place) : token_is_index(token, length, index))
            return place;
        json_walk_skip(walk);
        more = json_walk_next(walk);
    }
    return NULL;
}

size_t json_locate(const char *text, size_t length, const char *pointer)
{
    struct json_walk walk = json_walk_start(text, length);
    const char *place = walk.at;
    while (*pointer == '/') {
        size_t token = strcspn(++pointer, "/");
        const char *found = step(&walk, pointer, token);
        if (!found)
            break;
        place = found;
        pointer += token;
    }
    return (size_t)(place - text);
}
