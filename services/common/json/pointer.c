#include "services/common/json/pointer.h"
#include "services/common/base/utf8.h"

#include <stdio.h>
#include <string.h>

void json_pointer_init(struct json_pointer *pointer)
{
    pointer->text[0] = '\0';
    pointer->length = 0;
}

// All or nothing, so that neither an escape nor a character is ever halved.
static void add(struct json_pointer *pointer, const char *bytes, size_t length)
{
    if (pointer->length + length >= sizeof pointer->text)
        return;
    memcpy(pointer->text + pointer->length, bytes, length);
    pointer->length += length;
    pointer->text[pointer->length] = '\0';
}

void json_pointer_add_name(struct json_pointer *pointer, const char *name, size_t length)
{
    add(pointer, "/", 1);
    for (size_t i = 0; i < length;) {
        size_t step = utf8_sequence((const unsigned char *)name + i, length - i);
        if (name[i] == '~')
            add(pointer, "~0", 2);
        else if (name[i] == '/')
            add(pointer, "~1", 2);
        else if (step)
            add(pointer, name + i, step);
        else
            add(pointer, "?", 1);
        i += step ? step : 1;
    }
}

void json_pointer_add_index(struct json_pointer *pointer, size_t index)
{
    char text[24];
    int length = snprintf(text, sizeof text, "/%zu", index);
    add(pointer, text, (size_t)length);
}
