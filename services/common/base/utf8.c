#include "services/common/base/utf8.h"

#include <string.h>

size_t utf8_sequence(const unsigned char *text, size_t length)
{
    if (text[0] < 0x80)
        return 1;
    size_t need = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || need > length)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xF0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xED && text[1] > 0x9F;
    bool beyond = text[0] == 0xF4 && text[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : need;
}

bool utf8_valid(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t sequence = utf8_sequence((const unsigned char *)text + at, length - at);
        if (sequence == 0)
            return false;
        at += sequence;
    }
    return true;
}

size_t utf8_prefix(const char *text, size_t length, size_t max)
{
    size_t valid = 0;
    while (valid < length) {
        size_t step = utf8_sequence((const unsigned char *)text + valid, length - valid);
        if (!step || valid + step > max)
            break;
        valid += step;
    }
    return valid;
}

void utf8_cut(char *text)
{
    size_t length = strlen(text);
    text[utf8_prefix(text, length, length)] = '\0';
}

size_t utf8_encode(uint32_t code_point, char out[static 4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(marks[length] | code_point);
    return length;
}
