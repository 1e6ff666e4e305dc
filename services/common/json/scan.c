#include "services/common/json/scan.h"
#include "services/common/base/err.h"
#include "services/common/base/utf8.h"
#include "services/common/json/members.h"
#include "services/common/json/number_token.h"
#include "services/common/json/string_token.h"

#include <stdint.h>
#include <string.h>

// What json-c 0.16 takes from the heap, measured and rounded up (tests/unit/common/json/test_parse.c holds it to that).
enum heap_charge {
    CHARGE_TREE = 4096,  // tokener and its stack
    CHARGE_VALUE = 24,   // a slot in its array, which grows by doubling
    CHARGE_OBJECT = 800, // with a table for 16 members
    CHARGE_MEMBER = 192, // a share of bigger tables, and the copy of the key
    CHARGE_ARRAY = 160,
    CHARGE_STRING = 96,
    CHARGE_NUMBER = 128,
    CHARGE_BOOLEAN = 72,
};

// Where the scan is: one for each array and object that is open, on the C stack.
struct frame {
    const struct frame *parent;
    const char *key; // the literal; NULL in an array
    size_t index;
};

struct scan {
    const char *text;
    const char *at;
    const char *end;
    struct json_limits limits;
    const struct frame *top;
    unsigned depth;
    struct json_members members;
    size_t longest_string;
    struct json_scanned found;
    struct err *err;
};

static int scan_value(struct scan *scan);

static void add_frames(const struct frame *frame, struct json_pointer *pointer)
{
    if (!frame)
        return;
    add_frames(frame->parent, pointer);
    if (frame->key) {
        char name[JSON_POINTER_SIZE];
        json_pointer_add_name(pointer, name, json_string_decode(frame->key, name, sizeof name));
    } else {
        json_pointer_add_index(pointer, frame->index);
    }
}

// Ends the scan with a fault at `at`. The pointer is that of the innermost value that is being read.
static int refuse(struct scan *scan, enum err_code code, const char *at, const char *problem)
{
    struct json_scanned *found = &scan->found;
    found->offset = (size_t)(at - scan->text);
    json_line_column(scan->text, (size_t)(scan->end - scan->text), found->offset, &found->line, &found->column);
    found->problem = problem;
    json_pointer_init(&found->pointer);
    add_frames(scan->top, &found->pointer);
    return err_set(scan->err, code, "line %zu, column %zu%s%s: %s", found->line, found->column,
                   found->pointer.length ? ", at " : "", found->pointer.text, problem);
}

static int syntax(struct scan *scan, const char *problem)
{
    return refuse(scan, ERR_INVALID, scan->at, scan->at == scan->end ? "the text ends too early" : problem);
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

static bool next_is(const struct scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

static int charge(struct scan *scan, size_t bytes)
{
    scan->found.heap_bytes += bytes;
    if (scan->found.heap_bytes > scan->limits.heap_bytes_max)
        return refuse(scan, ERR_TOO_LARGE, scan->at, "the text would take too much memory");
    return 0;
}

static int scan_string(struct scan *scan)
{
    const char *end = NULL;
    const char *problem = json_string_check(scan->at, scan->end, &end);
    if (problem)
        return refuse(scan, ERR_INVALID, end, problem);
    size_t length = (size_t)(end - scan->at);
    if (length > scan->limits.string_bytes_max)
        return refuse(scan, ERR_TOO_LARGE, scan->at, "the string is too long");
    if (length > scan->longest_string)
        scan->longest_string = length;
    if (charge(scan, length) < 0)
        return -1;
    scan->at = end;
    return 0;
}

static int scan_number(struct scan *scan)
{
    struct json_number number;
    const char *problem = json_number_check(scan->at, scan->end, &number);
    if (problem)
        return refuse(scan, ERR_INVALID, number.end, problem);
    size_t length = (size_t)(number.end - scan->at);
    scan->at = number.end;
    return charge(scan, CHARGE_NUMBER + length);
}

static int scan_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return syntax(scan, "a value is expected here");
    scan->at += length;
    return charge(scan, CHARGE_BOOLEAN);
}

static int scan_array_items(struct scan *scan, struct frame *frame)
{
    for (;; frame->index++) {
        if (scan_value(scan) < 0)
            return -1;
        skip_space(scan);
        if (next_is(scan, ']'))
            break;
        if (!next_is(scan, ','))
            return syntax(scan, "',' or ']' is expected here");
        scan->at++;
    }
    scan->at++;
    return 0;
}

static int scan_array(struct scan *scan)
{
    if (charge(scan, CHARGE_ARRAY) < 0)
        return -1;
    scan->at++;
    skip_space(scan);
    if (next_is(scan, ']')) {
        scan->at++;
        return 0;
    }
    struct frame frame = {.parent = scan->top};
    scan->top = &frame;
    int outcome = scan_array_items(scan, &frame);
    scan->top = frame.parent;
    return outcome;
}

static int remember_key(struct scan *scan, const char *key)
{
    if (scan->members.count >= scan->limits.members_max)
        return refuse(scan, ERR_TOO_LARGE, key, "too many members");
    if (!json_members_push(&scan->members, key))
        return refuse(scan, ERR_NO_MEMORY, key, "no memory for the keys");
    return charge(scan, CHARGE_MEMBER);
}

static int scan_member(struct scan *scan, struct frame *frame)
{
    skip_space(scan);
    if (!next_is(scan, '"'))
        return syntax(scan, "a key in double quotes is expected here");
    const char *key = scan->at;
    if (scan_string(scan) < 0)
        return -1;
    frame->key = key;
    scan->top = frame;
    if (remember_key(scan, key) < 0)
        return -1;
    skip_space(scan);
    if (!next_is(scan, ':'))
        return syntax(scan, "':' is expected here");
    scan->at++;
    return scan_value(scan);
}

static int scan_members(struct scan *scan, struct frame *frame)
{
    for (;;) {
        scan->top = frame->parent;
        if (scan_member(scan, frame) < 0)
            return -1;
        skip_space(scan);
        if (next_is(scan, '}'))
            break;
        if (!next_is(scan, ','))
            return syntax(scan, "',' or '}' is expected here");
        scan->at++;
    }
    scan->at++;
    return 0;
}

static int check_duplicates(struct scan *scan, struct frame *frame, size_t first)
{
    const char *duplicate = json_members_duplicate(&scan->members, first);
    json_members_pop(&scan->members, first);
    if (!duplicate)
        return 0;
    frame->key = duplicate;
    return refuse(scan, ERR_INVALID, duplicate, "this key stands here twice");
}

static int scan_object(struct scan *scan)
{
    if (charge(scan, CHARGE_OBJECT) < 0)
        return -1;
    scan->at++;
    skip_space(scan);
    if (next_is(scan, '}')) {
        scan->at++;
        return 0;
    }
    struct frame frame = {.parent = scan->top};
    size_t first = scan->members.count;
    int outcome = scan_members(scan, &frame);
    if (outcome == 0)
        outcome = check_duplicates(scan, &frame, first);
    scan->top = frame.parent;
    return outcome;
}

static int scan_nested(struct scan *scan)
{
    if (scan->depth >= scan->limits.depth_max)
        return refuse(scan, ERR_TOO_LARGE, scan->at, "nested too deeply");
    scan->depth++;
    int outcome = *scan->at == '{' ? scan_object(scan) : scan_array(scan);
    scan->depth--;
    return outcome;
}

static int scan_by_first(struct scan *scan)
{
    switch (scan->at < scan->end ? *scan->at : '\0') {
    case '{':
    case '[':
        return scan_nested(scan);
    case '"':
        return charge(scan, CHARGE_STRING) < 0 ? -1 : scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    case '-':
    case '0' ... '9':
        return scan_number(scan);
    default:
        return syntax(scan, "a value is expected here");
    }
}

static int scan_value(struct scan *scan)
{
    skip_space(scan);
    if (++scan->found.values > scan->limits.values_max)
        return refuse(scan, ERR_TOO_LARGE, scan->at, "too many values");
    if (charge(scan, CHARGE_VALUE) < 0)
        return -1;
    return scan_by_first(scan);
}

static int scan_text(struct scan *scan)
{
    skip_space(scan);
    if (!scan->limits.any_top && !next_is(scan, '{'))
        return refuse(scan, ERR_INVALID, scan->at, "an object is expected here");
    if (charge(scan, CHARGE_TREE) < 0 || scan_value(scan) < 0)
        return -1;
    skip_space(scan);
    if (scan->at != scan->end)
        return syntax(scan, "nothing may follow the value");
    return charge(scan, 2 * scan->longest_string);
}

static struct json_limits with_defaults(const struct json_limits *given)
{
    struct json_limits limits = given ? *given : (struct json_limits){0};
    limits.bytes_max = limits.bytes_max ? MIN(limits.bytes_max, (size_t)INT32_MAX) : (size_t)16 << 20;
    limits.depth_max = limits.depth_max ? MIN(limits.depth_max, (unsigned)JSON_DEPTH_CAP) : 32;
    limits.values_max = limits.values_max ? limits.values_max : 1000000;
    limits.members_max = limits.members_max ? limits.members_max : 10000;
    limits.string_bytes_max = limits.string_bytes_max ? limits.string_bytes_max : (size_t)1 << 20;
    limits.heap_bytes_max = limits.heap_bytes_max ? limits.heap_bytes_max : (size_t)64 << 20;
    return limits;
}

int json_scan(const char *text, size_t length, const struct json_limits *limits, struct json_scanned *out,
              struct err *err)
{
    struct scan scan = {.text = text, .at = text, .end = text + length, .limits = with_defaults(limits), .err = err};
    json_members_init(&scan.members);
    int outcome =
        length > scan.limits.bytes_max ? refuse(&scan, ERR_TOO_LARGE, text, "the text is too long") : scan_text(&scan);
    json_members_release(&scan.members);
    if (out)
        *out = scan.found;
    return outcome;
}

void json_line_column(const char *text, size_t length, size_t offset, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < offset && i < length; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}
